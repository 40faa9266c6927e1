"""A level is asked multiple-choice questions: first the likelihood of the letters, then generated answers.

The letters are read from one evaluation of each question; what all prompts begin with is evaluated once, and
several questions fill a batch. They are asked in groups that depend on the list of questions alone: a run that
goes on where another was killed evaluates what is missing in the same company, and finds the same numbers to the
last bit; and so every level sees the same batches.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing

from ophtimus_edge.compare.choices import asking
from ophtimus_edge.compare.choices.asking import ANSWER_START, Asked
from ophtimus_edge.compare.choices.parsing import parse
from ophtimus_edge.compare.choices.records import ChoiceRecord, Key, Measured
from ophtimus_edge.compare.divergence.windows import first_token
from ophtimus_edge.conversation import FREE, completes
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Finished, Sampling, Turn
from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models import gguf
from ophtimus_edge.models.fit import LARGEST_CONTEXT
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion
from ophtimus_edge.text import sanitize

PARALLEL = 16  # answers at once: see docs/benchmarks.md
MOST_TOKENS = 384  # of an answer with its explanation; the trained ones have 60 to 150
_PLAIN_TOKENS = 16  # of a base model, which begins with the letter and never stops
_GROUP = 64  # questions whose letters are asked for together
_ROWS_A_PLACE = 16  # of a request for answers: the last answers of one leave places empty


async def measure_choices(
    model: ChosenModel,
    questions: Sequence[ChoiceQuestion],
    *,
    permutations: int = 1,
    generate: bool = True,
    parallel: int = PARALLEL,
    most_tokens: int = MOST_TOKENS,
    known: Iterable[ChoiceRecord] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_part: Callable[[Measured, int, int], None] = lambda measured, done, total: None,
    gpu_layers: int | None = None,
) -> AsyncGenerator[ChoiceRecord, None]:
    """Measure a level's multiple choice.

    Closing the generator ends the model's process. What was yielded is whole, whatever happens next: hand it in
    as ``known`` to go on later.

    A base model, or a file without a chat template, completes the question plainly, without the role, from
    "Answer:" on.

    Args:
        permutations: orders of the options in which the letters' likelihood is measured, 1 to 4.
        generate: whether answers are generated as well, in the written order.
        parallel: answers that are written at once.
        most_tokens: of a generated answer.
        known: records of the same file from before; what they cover is not measured again, nor yielded. A
            question that was too long for a shorter context than there is now is asked again.
        on_progress: told how many records there are of how many, before the first and after each.
        on_part: likewise of the letters, and then of the answers, each by themselves.
        gpu_layers: layers that a GPU takes; None for what fits.

    Yields:
        The records of all letters, then of the answers, each as it is there;
        :func:`ophtimus_edge.compare.choices.figures.report_choices` makes figures of them.

    Raises:
        InvalidModelError: the file is damaged, or computes what is no number.
        EngineError: the model's process died.
    """
    planned = asking.plan(questions, permutations)
    written = planned[: len(questions)] if generate else []
    wanted = wanted_keys(questions, permutations, generate)
    before = [record for record in known if record.key in wanted]
    longest = await asyncio.to_thread(_longest_context, model)
    totals = Counter(measured for measured, *_ in wanted)
    parts: tuple[Measured, ...] = ("letters", "generated") if written else ("letters",)
    if wanted == _covered(before, longest):
        on_progress(len(wanted), len(wanted))
        for measured in parts:
            on_part(measured, totals[measured], totals[measured])
        return
    async with Engine() as engine:
        loaded = await engine.load(model, gpu_layers=gpu_layers, sequences=parallel)
        have = _covered(before, loaded.context)
        on_progress(len(have), len(wanted))
        async with (
            aclosing(measure_letters(engine, model, planned, have)) as letters,
            aclosing(generate_answers(engine, model, written, parallel, most_tokens, have)) as answers,
        ):
            for measured, records in zip(parts, (letters, answers), strict=False):
                done = sum(known_as == measured for known_as, *_ in have)
                on_part(measured, done, totals[measured])
                async for record in records:
                    have.add(record.key)
                    done += 1
                    on_progress(len(have), len(wanted))
                    on_part(measured, done, totals[measured])
                    yield record


def wanted_keys(questions: Sequence[ChoiceQuestion], permutations: int, generate: bool) -> set[Key]:
    """The keys of the records that a level has when it is measured; see :func:`measure_choices`."""
    planned = asking.plan(questions, permutations)
    written = planned[: len(questions)] if generate else []
    return {_key("letters", asked) for asked in planned} | {_key("generated", asked) for asked in written}


def _covered(records: Iterable[ChoiceRecord], context: int) -> set[Key]:
    return {record.key for record in records if record.is_known(context)}


def _longest_context(model: ChosenModel) -> int:
    """Tokens that the model is loaded with where memory is not short."""
    trained = gguf.check(model.path).metadata.get("llama.context_length", 0)
    return min(int(trained) or LARGEST_CONTEXT, LARGEST_CONTEXT)


def _key(measured: Measured, asked: Asked) -> Key:
    return measured, asked.question.id, asked.digest


async def measure_letters(
    engine: Engine, model: ChosenModel, planned: Sequence[Asked], have: Collection[Key] = ()
) -> AsyncGenerator[ChoiceRecord, None]:
    """The likelihood of the letters, from one evaluation of each question.

    Args:
        engine: with the model, loaded for some sequences.
        planned: all that is asked, also what is known: it makes the batches what they were.
        have: keys of the records that are known.

    Yields:
        The records that are not known, in order; those that do not fit the context first.

    Raises:
        InvalidModelError, EngineError: as in :func:`measure_choices`.
    """
    plain = completes(model, engine.loaded, FREE)
    begins = await asyncio.to_thread(first_token, model.path) if plain else -1
    letters = [await _letter_ids(engine, letter) for letter in LETTERS]
    longest = engine.expect_loaded().context - max(map(len, letters))
    shared = 0 if plain else await engine.warm(asking.system_prompt())
    for start in range(0, len(planned), _GROUP):
        group = planned[start : start + _GROUP]
        missing = {place for place, asked in enumerate(group) if _key("letters", asked) not in have}
        if not missing:
            continue
        prompts = [await _prompt(engine, asked, plain, begins) for asked in group]
        fitting = [place for place, prompt in enumerate(prompts) if len(prompt) <= longest]
        for place in sorted(missing.difference(fitting)):
            yield _too_long(group[place], "letters", engine.expect_loaded().context)
        prefix = prompts[0][:shared]
        if any(prompts[place][:shared] != prefix for place in fitting):
            prefix = []
        behind = [prompts[place][len(prefix) :] for place in fitting]
        async with aclosing(engine.score_many(prefix, behind, letters)) as scored:
            async for one in scored:
                place = fitting[one.index]
                if place in missing:
                    yield _of_letters(group[place], one.log_likelihoods, model)


async def _letter_ids(engine: Engine, letter: str) -> list[int]:
    """The tokens of a letter where it stands: some vocabularies have another "A" for the beginning of a word."""
    before = await engine.tokenize(ANSWER_START)
    whole = await engine.tokenize(ANSWER_START + letter)
    return whole[len(before) :] if whole[: len(before)] == before else await engine.tokenize(letter)


async def _prompt(engine: Engine, asked: Asked, plain: bool, begins: int) -> list[int]:
    if not plain:
        return await engine.render(asking.turns_up_to_letter(asked))
    ids = await engine.tokenize(sanitize(asking.plain_text(asked)))
    return [begins, *ids] if begins >= 0 else ids


def _of_letters(asked: Asked, log_likelihoods: list[list[float]], model: ChosenModel) -> ChoiceRecord:
    likely = [math.fsum(tokens) for tokens in log_likelihoods[: len(asked.letters)]]
    if not all(map(math.isfinite, likely)):
        raise InvalidModelError(
            f"{model.path} computes what is no number (NaN or infinity), at question {asked.question.id}.",
            "The file is damaged: copy it again from its source, or convert the model again.",
        )
    most = max(likely)
    relative = [math.exp(one - most) for one in likely]
    return ChoiceRecord(
        question_id=asked.question.id,
        digest=asked.digest,
        order=list(asked.order),
        measured="letters",
        probabilities=[one / math.fsum(relative) for one in relative],
        mass=min(math.fsum(map(math.exp, likely)), 1.0),
    )


async def generate_answers(
    engine: Engine,
    model: ChosenModel,
    planned: Sequence[Asked],
    parallel: int,
    most_tokens: int = MOST_TOKENS,
    have: Collection[Key] = (),
) -> AsyncGenerator[ChoiceRecord, None]:
    """Greedy answers in the trained form, several at once, and the letter that each names.

    Args:
        engine: with the model, loaded for as many sequences as are answered at once.
        have: keys of the records that are known.

    Yields:
        The records that are not known, as each answer ends.

    Raises:
        EngineError: as in :func:`measure_choices`.
    """
    plain = completes(model, engine.loaded, FREE)
    missing = [asked for asked in planned if _key("generated", asked) not in have]
    sampling = Sampling(min(most_tokens, _PLAIN_TOKENS) if plain else most_tokens)
    for start in range(0, len(missing), _ROWS_A_PLACE * parallel):
        part = missing[start : start + _ROWS_A_PLACE * parallel]
        conversations = [
            [Turn("user", asking.plain_text(asked))] if plain else asking.turns(asked) for asked in part
        ]
        stream = engine.answer_many(conversations, [sampling] * len(part), parallel, plain=plain)
        async with aclosing(stream) as answers:
            async for finished in answers:
                yield _generated(part[finished.index], finished, plain, engine.expect_loaded().context)


def _generated(asked: Asked, finished: Finished, plain: bool, context: int) -> ChoiceRecord:
    if finished.error:  # the question takes the whole context
        return _too_long(asked, "generated", context)
    parsed = parse(ANSWER_START + finished.text if plain else finished.text, asked.options)
    return ChoiceRecord(
        question_id=asked.question.id,
        digest=asked.digest,
        order=list(asked.order),
        measured="generated",
        text=finished.text,
        letter=parsed.letter,
        how=parsed.how,
        cut_short=finished.finish_reason == "length",
    )


def _too_long(asked: Asked, measured: Measured, context: int) -> ChoiceRecord:
    return ChoiceRecord(
        question_id=asked.question.id,
        digest=asked.digest,
        order=list(asked.order),
        measured=measured,
        how="too long",
        context=context,
    )
