"""Essay questions to a loaded model, many at once, and a record of each answer as it ends."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from ophtimus_edge.conversation import clean_question, question_turns
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Finished, FinishReason, Sampling
from ophtimus_edge.errors import EngineError, QuestionError
from ophtimus_edge.specialties import DEFAULT_ROLE
from ophtimus_edge.specialties.questions import EssayQuestion

MAX_TOKENS = 1024  # as the published answers were written

# Questions of a request, for each that is answered at once: the last answers of a request leave places empty.
_QUESTIONS_A_PLACE = 16
_REQUEST_BYTES = 4 << 20  # of a request's questions; a message may have 64 MiB
_QUESTION_BYTES = 4 << 20  # longer than any context: a token of Llama 3 stands for 128 bytes at the most
_IN_VAIN = 2  # workers that may die one after the other without an answer in between


class EssayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A level's answer to a question.

    Attributes:
        id: of the question; ``digest`` is of what was asked, and how: an answer to other words is no answer.
        text: sanitized, and otherwise as the model wrote it.
        finish_reason: ``length`` where it was cut at ``max_tokens`` or at the end of the context.
        error: why there is no answer, where the question could not be asked; else "".
    """

    id: str
    digest: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    error: str = ""


def answered(
    questions: Sequence[EssayQuestion],
    records: Iterable[EssayAnswer],
    *,
    max_tokens: int = MAX_TOKENS,
    role: str = DEFAULT_ROLE,
) -> list[EssayAnswer]:
    """The answers to these very questions, asked so: of several the last, and no failure where there is one.

    Args:
        records: of one level, which answers in its template or completes plainly, but not now so and now so.

    Returns:
        One for each question that has one, in the order of the questions.
    """
    found: dict[tuple[str, str], EssayAnswer] = {}
    for record in records:
        key = record.id, record.digest
        if key not in found or not record.error or found[key].error:
            found[key] = record
    every = []
    for question in questions:
        digests = (_digest(question.question, role, max_tokens, plain) for plain in (False, True))
        every += [found[question.id, digest] for digest in digests if (question.id, digest) in found][:1]
    return every


class _Asked(NamedTuple):
    id: str
    digest: str
    text: str


async def ask_essays(
    engine: Engine,
    questions: Sequence[EssayQuestion],
    parallel: int,
    *,
    max_tokens: int = MAX_TOKENS,
    role: str = DEFAULT_ROLE,
    plain: bool = False,
    known: Iterable[EssayAnswer] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_death: Callable[[EngineError], None] = lambda error: None,
) -> AsyncGenerator[EssayAnswer, None]:
    """Ask essay questions, greedy, each by itself: the question alone, as the models were trained.

    Closing the generator stops the engine's work. A worker that dies is replaced, and goes on with the
    questions that have no answer.

    Args:
        engine: with a model, loaded for ``parallel`` sequences.
        questions: their ids are unique.
        parallel: questions that are answered at once; the same for every level, because what is computed
            together can move the last digits of a logit.
        max_tokens: of an answer; fewer where time is short.
        role: whose system prompt stands before the question; the default is the one that was trained.
        plain: complete the question's text, without a chat template: a base model.
        known: answers of an earlier run with the same file. Those to the same question, asked alike, are
            neither asked again nor yielded; a question that could not be asked is tried again.
        on_progress: told how many questions of how many are answered, before the first and after each.
        on_death: told where a worker died, or llama.cpp failed, before the questions that are left are asked
            again.

    Yields:
        each answer as it ends, in any order.

    Raises:
        EngineError: a worker died, or llama.cpp failed, twice without an answer in between.
        UsageError: there is no such role, or the model was not loaded for many answers at once.
    """
    before = {(answer.id, answer.digest) for answer in known if not answer.error}
    waiting: list[_Asked] = []
    refused: list[EssayAnswer] = []
    for question in questions:
        digest = _digest(question.question, role, max_tokens, plain)
        if (question.id, digest) in before:
            continue
        try:
            waiting.append(_Asked(question.id, digest, _text(question)))
        except QuestionError as error:
            refused.append(_unasked(question.id, digest, error))
    total = len(questions)
    done = total - len(waiting) - len(refused)
    on_progress(done, total)
    for answer in refused:
        done += 1
        yield answer
        on_progress(done, total)
    sampling = Sampling(max_tokens)
    for request in _requests(waiting, parallel):
        async with aclosing(_ask(engine, request, role, sampling, parallel, plain, on_death)) as answers:
            async for answer in answers:
                done += 1
                yield answer
                on_progress(done, total)


def _digest(question: str, role: str, max_tokens: int, plain: bool) -> str:
    asked = msgspec.json.encode([question, role, max_tokens, plain])
    return hashlib.sha256(asked).hexdigest()


def _text(question: EssayQuestion) -> str:
    text = clean_question(question.question)
    if len(text.encode()) > _QUESTION_BYTES:
        raise QuestionError(
            f"the question has {len(text)} characters: more than any model's context holds.",
            "Shorten the question.",
        )
    return text


def _requests(waiting: list[_Asked], parallel: int) -> Iterator[list[_Asked]]:
    request: list[_Asked] = []
    size = 0
    for asked in waiting:
        length = len(asked.text.encode())
        if request and (size + length > _REQUEST_BYTES or len(request) == _QUESTIONS_A_PLACE * parallel):
            yield request
            request, size = [], 0
        request.append(asked)
        size += length
    if request:
        yield request


async def _ask(
    engine: Engine,
    request: list[_Asked],
    role: str,
    sampling: Sampling,
    parallel: int,
    plain: bool,
    on_death: Callable[[EngineError], None],
) -> AsyncGenerator[EssayAnswer, None]:
    left, in_vain = request, 0
    while left:
        sent, ended = left, set[int]()
        failure: EngineError | None = None
        stream = engine.answer_many(
            [question_turns(asked.text, role) for asked in sent],
            [sampling] * len(sent),
            parallel,
            plain=plain,
        )
        try:
            async with aclosing(stream):
                async for finished in stream:
                    ended.add(finished.index)
                    yield _answer(sent[finished.index], finished)
        except EngineError as error:
            failure = error
        left = [asked for index, asked in enumerate(sent) if index not in ended]
        in_vain = 0 if ended else in_vain + 1
        if left and in_vain == _IN_VAIN:
            raise failure or EngineError("the engine gives no answers.", "Run the same command to go on.")
        if failure:
            on_death(failure)


def _answer(asked: _Asked, finished: Finished) -> EssayAnswer:
    if finished.error:
        return _unasked(asked.id, asked.digest, QuestionError(finished.error, finished.hint))
    return EssayAnswer(
        id=asked.id,
        digest=asked.digest,
        text=finished.text,
        finish_reason=finished.finish_reason,
        prompt_tokens=finished.prompt_tokens,
        completion_tokens=finished.completion_tokens,
    )


def _unasked(question_id: str, digest: str, error: QuestionError) -> EssayAnswer:
    return EssayAnswer(
        id=question_id,
        digest=digest,
        text="",
        finish_reason="failed",
        prompt_tokens=0,
        completion_tokens=0,
        error=str(error),
    )
