"""Rows to the engine, many at once, and their answers back as each ends."""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import NamedTuple

from ophtimus_edge.batch.questions import Row
from ophtimus_edge.conversation import clean_question, question_turns
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Finished, Sampling
from ophtimus_edge.errors import EngineError, OphtimusError, QuestionError

# Rows of a request, for each that is written at once: the last answers of a request leave places empty,
# so a request is long; and a file of 100,000 rows is never in memory.
ROWS_A_PLACE = 16
_WINDOW_BYTES = 4 << 20  # of a request's questions; a message may have 64 MiB
_QUESTION_BYTES = 4 << 20  # longer than any context: a token of Llama 3 stands for 128 bytes at the most
_IN_VAIN = 2  # workers that may die one after the other without an answer in between


class Outcome(NamedTuple):
    """How a row ended.

    Attributes:
        asked: the question as the model was asked; as the file has it where it could not be asked.
        finished: the answer, or None.
        error: why there is none, or None.
    """

    row: Row
    asked: str
    finished: Finished | None
    error: OphtimusError | None


class _Asked(NamedTuple):
    row: Row
    text: str


async def answers(
    engine: Engine,
    rows: Iterable[Row],
    role: str,
    sampling: Callable[[Row], Sampling],
    parallel: int,
    *,
    plain: bool = False,
    on_death: Callable[[EngineError], None] = lambda error: None,
) -> AsyncGenerator[Outcome, None]:
    """Ask the rows.

    Closing the generator stops the engine's work. A worker that dies is replaced, and goes on with the
    rows that have no answer.

    Args:
        engine: with a model, loaded for ``parallel`` sequences.
        rows: that are to be asked.
        sampling: how a row's answer is written.
        parallel: rows that are answered at once.
        plain: complete the questions' texts, without a chat template.
        on_death: told where a worker died, or llama.cpp failed, before the rows that are left are asked again.

    Yields:
        each row as it ends, in any order.

    Raises:
        EngineError: a worker died, or llama.cpp failed, twice without an answer in between.
        QuestionError: the file of the rows was changed meanwhile.
    """
    for window in _windows(rows, parallel):
        if isinstance(window, Outcome):
            yield window
            continue
        async with aclosing(_ask(engine, window, role, sampling, parallel, plain, on_death)) as outcomes:
            async for outcome in outcomes:
                yield outcome


def _windows(rows: Iterable[Row], parallel: int) -> Iterator[list[_Asked] | Outcome]:
    """The rows of each request; and by themselves those that cannot be asked."""
    window: list[_Asked] = []
    size = 0
    for row in rows:
        try:
            text = _text(row)
        except QuestionError as error:
            yield Outcome(row, row.question, None, error)
            continue
        length = len(text.encode())
        if window and (size + length > _WINDOW_BYTES or len(window) == ROWS_A_PLACE * parallel):
            yield window
            window, size = [], 0
        window.append(_Asked(row, text))
        size += length
    if window:
        yield window


def _text(row: Row) -> str:
    if row.problem:
        raise QuestionError(row.problem, "Mend this row, and ask it again in a file of its own.")
    text = clean_question(row.question)
    if len(text.encode()) > _QUESTION_BYTES:
        raise QuestionError(
            f"the question has {len(text)} characters: more than any model's context holds.",
            "Shorten the question, or ask it in parts.",
        )
    return text


async def _ask(
    engine: Engine,
    window: list[_Asked],
    role: str,
    sampling: Callable[[Row], Sampling],
    parallel: int,
    plain: bool,
    on_death: Callable[[EngineError], None],
) -> AsyncGenerator[Outcome, None]:
    left, in_vain = window, 0
    while left:
        request, ended = left, set[int]()
        failure: EngineError | None = None
        stream = engine.answer_many(
            [question_turns(asked.text, role) for asked in request],
            [sampling(asked.row) for asked in request],
            parallel,
            plain=plain,
        )
        try:
            async with aclosing(stream):
                async for finished in stream:
                    ended.add(finished.index)
                    yield _outcome(request[finished.index], finished)
        except EngineError as error:
            failure = error
        left = [asked for index, asked in enumerate(request) if index not in ended]
        in_vain = 0 if ended else in_vain + 1
        if left and in_vain == _IN_VAIN:
            raise failure or EngineError("the engine gives no answers.", "Run the same command to go on.")
        if failure:
            on_death(failure)


def _outcome(asked: _Asked, finished: Finished) -> Outcome:
    if finished.error:
        return Outcome(asked.row, asked.text, None, QuestionError(finished.error, finished.hint))
    return Outcome(asked.row, asked.text, finished, None)
