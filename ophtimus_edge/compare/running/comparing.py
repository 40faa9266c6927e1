"""Through the parts of a comparison, level by level; each record is kept before the next is measured.

The order is that in which a person wants to know: speed is measured last, since it needs the machine for
itself for the longest time, and quality first, since a run that is broken off has told most then.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from ophtimus_edge.compare.choices.measuring import measure_choices, wanted_keys
from ophtimus_edge.compare.choices.records import ChoiceRecord
from ophtimus_edge.compare.divergence.in_step import measure_divergence
from ophtimus_edge.compare.divergence.scores import WindowScores
from ophtimus_edge.compare.essay.answering import EssayAnswer, answered, ask_essays
from ophtimus_edge.compare.essay.metrics import why_not_scored
from ophtimus_edge.compare.essay.pieces import read_pieces
from ophtimus_edge.compare.essay.scoring import EssayScores, score_essays
from ophtimus_edge.compare.essay.similarity import Similarity
from ophtimus_edge.compare.questions.sampling import sample
from ophtimus_edge.compare.running.ledger import Ledger
from ophtimus_edge.compare.running.order import Order, Tell, Text
from ophtimus_edge.compare.running.settings import of_machine, of_program, of_prompt
from ophtimus_edge.compare.running.subjects import Subject
from ophtimus_edge.compare.speed.measuring import measure_speed
from ophtimus_edge.compare.speed.samples import SpeedSample
from ophtimus_edge.conversation import FREE, completes
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.specialties.questions import ChoiceQuestion, EssayQuestion

Record = TypeVar("Record", bound=msgspec.Struct)


class Measured(NamedTuple):
    """All records of a comparison; those of a level by its file's SHA-256, empty for what is not measured.

    Attributes:
        not_scored: why essay answers are there and their scores are not, "" where they are.
    """

    speed: list[SpeedSample]
    divergence: dict[str, list[WindowScores]]
    choices: dict[str, list[ChoiceRecord]]
    answers: dict[str, list[EssayAnswer]]
    scores: dict[str, list[EssayScores]]
    not_scored: str = ""


def asked_choices(order: Order) -> tuple[ChoiceQuestion, ...]:
    """The multiple-choice questions that are asked: all, or the sample that the budget buys."""
    if order.choices is None or not order.counts.choices:
        return ()
    return sample(order.choices.questions, order.counts.choices)


def asked_essays(order: Order) -> tuple[EssayQuestion, ...]:
    """The essay questions that are asked: all, or the sample that the budget buys."""
    if order.essays is None or not order.counts.essays:
        return ()
    return sample(order.essays.questions, order.counts.essays)


async def measure(order: Order, out: Path, tell: Tell, machine: Machine) -> Measured:
    """Measure what is not measured yet.

    Args:
        out: the folder of the report, which :func:`ophtimus_edge.compare.running.ledger.held` holds.
        machine: that this is.

    Raises:
        OphtimusError: a level cannot be measured, or the records cannot be kept; what was measured is kept.
    """
    not_scored = why_not_scored() if asked_essays(order) and order.takers("essay") else ""
    if not_scored:
        tell.note(not_scored)
    measured = Measured([], {}, {}, {}, {}, not_scored)
    for one in order.takers("divergence"):
        if order.text and order.counts.windows:
            measured.divergence[one.model.sha256] = await _divergence(order, order.text, one, out, tell)
    for one in order.takers("mcq"):
        if questions := asked_choices(order):
            measured.choices[one.model.sha256] = await _choices(order, one, questions, out, tell)
    for one in order.takers("essay"):
        if essays := asked_essays(order):
            measured.answers[one.model.sha256] = await _answers(order, one, essays, out, tell)
    if measured.answers and not not_scored:
        measured.scores.update(await _scores(order, measured.answers, out, tell))
    if order.counts.rounds and order.takers("speed"):
        measured.speed.extend(await _speed(order, out, tell, machine))
    return measured


async def _keep(ledger: Ledger[Record], records: AsyncIterator[Record]) -> list[Record]:
    async for record in records:
        ledger.add(record)
    return ledger.records


async def _divergence(order: Order, text: Text, one: Subject, out: Path, tell: Tell) -> list[WindowScores]:
    reference = order.subjects.reference.model
    tell.part("divergence", one.name)
    settings = of_program(order) | {"file": one.model.sha256, "reference": reference.sha256}
    with Ledger(out, "divergence", one.level, settings, WindowScores) as ledger:
        known = {scores.digest for scores in ledger.records}
        found: list[WindowScores] = []
        async with aclosing(
            measure_divergence(
                reference,
                one.model,
                text.content,
                most=order.counts.windows,
                known=ledger.records,
                # Known windows come back at once: the first of them to be told would count as just measured.
                on_progress=lambda progress: tell.progress(
                    max(progress.done, progress.known), progress.total
                ),
                gpu_layers=order.gpu_layers,
            )
        ) as windows:
            async for scores in windows:
                if scores.digest not in known:
                    ledger.add(scores)
                found.append(scores)
    return found


async def _choices(
    order: Order, one: Subject, questions: tuple[ChoiceQuestion, ...], out: Path, tell: Tell
) -> list[ChoiceRecord]:
    wanted = wanted_keys(questions, order.counts.permutations, order.generate)
    settings = _of_answers(order, one)
    with Ledger(out, "choices", one.level, settings, ChoiceRecord) as ledger:
        tell.part("letters", one.name)
        measuring = ["letters"]

        def on_part(measured: str, done: int, total: int) -> None:
            if measured != measuring[-1]:  # an answer takes many times as long as a letter: a bar of its own
                measuring.append(measured)
                tell.part("answers", one.name)
            tell.progress(done, total)

        async with aclosing(
            measure_choices(
                one.model,
                questions,
                permutations=order.counts.permutations,
                generate=order.generate,
                parallel=order.parallel,
                known=ledger.records,
                on_part=on_part,
                gpu_layers=order.gpu_layers,
            )
        ) as records:
            kept = await _keep(ledger, records)
    # The same file may hold what was asked in an earlier run: other questions, other orders, answers in words.
    return [record for record in kept if record.key in wanted]


async def _answers(
    order: Order, one: Subject, questions: tuple[EssayQuestion, ...], out: Path, tell: Tell
) -> list[EssayAnswer]:
    tell.part("essay", one.name)
    settings = _of_answers(order, one) | {"tokens": str(order.essay_tokens)}
    with Ledger(out, "essay", one.level, settings, EssayAnswer) as ledger:
        have = answered(questions, ledger.records, max_tokens=order.essay_tokens)
        if len(have) == len(questions) and not any(answer.error for answer in have):
            tell.progress(len(questions), len(questions))
            return have

        def on_death(error: EngineError) -> None:
            tell.note(f"{error.message} The questions without an answer are asked again.")

        async with Engine() as engine:
            loaded = await engine.load(one.model, gpu_layers=order.gpu_layers, sequences=order.parallel)
            for sentence in loaded.reduced:
                tell.note(sentence)
            async with aclosing(
                ask_essays(
                    engine,
                    questions,
                    order.parallel,
                    max_tokens=order.essay_tokens,
                    plain=completes(one.model, loaded, FREE),
                    known=ledger.records,
                    on_progress=tell.progress,
                    on_death=on_death,
                )
            ) as answers:
                kept = await _keep(ledger, answers)
        return answered(questions, kept, max_tokens=order.essay_tokens)


async def _scores(
    order: Order, answers: dict[str, list[EssayAnswer]], out: Path, tell: Tell
) -> dict[str, list[EssayScores]]:
    questions = asked_essays(order)
    found: dict[str, list[EssayScores]] = {}
    texts = [question.answer for question in questions]
    texts += [answer.text for level in answers.values() for answer in level]
    async with Engine() as engine:
        await engine.load(order.subjects.reference.model, vocabulary_only=True)
        pieces = await read_pieces(engine, texts)
    similarity = Similarity(order.semscore) if order.similarity else None
    try:
        if similarity:
            await similarity.__aenter__()
        for one in order.takers("essay"):
            tell.part("scores", one.name)
            settings = of_program(order) | {"file": one.model.sha256, "tokens": str(order.essay_tokens)}
            with Ledger(out, "scores", one.level, settings, EssayScores) as ledger:
                async with aclosing(
                    score_essays(
                        answers[one.model.sha256],
                        questions,
                        pieces,
                        similarity,
                        known=ledger.records,
                        on_progress=tell.progress,
                    )
                ) as scores:
                    await _keep(ledger, scores)
                latest = {record.id: record for record in ledger.records}
                found[one.model.sha256] = [
                    latest[question.id] for question in questions if question.id in latest
                ]
    finally:
        if similarity:
            await similarity.close()
    return found


async def _speed(order: Order, out: Path, tell: Tell, machine: Machine) -> list[SpeedSample]:
    tell.part("speed", "")
    timed = order.takers("speed")
    reference = order.subjects.reference
    settings = of_program(order) | of_machine(machine) | of_prompt(timed[0].model)
    settings["files"] = " ".join(one.sha256 for one in timed)
    with Ledger(out, "speed", "all", settings, SpeedSample) as ledger:
        async with aclosing(
            measure_speed(
                [one.model for one in timed],
                reference=reference.model if reference in timed else None,
                rounds=order.counts.rounds,
                known=ledger.records,
                on_progress=tell.progress,
                gpu_layers=order.gpu_layers,
            )
        ) as samples:
            return await _keep(ledger, samples)


def _of_answers(order: Order, one: Subject) -> dict[str, str]:
    """What decides a level's answers: what is computed together can move the last digits of a logit."""
    more = {"file": one.model.sha256, "parallel": str(order.parallel)}
    return of_program(order) | of_prompt(one.model) | more
