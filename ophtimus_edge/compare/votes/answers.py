"""The answers of a blind test: made before anybody votes, one level at a time, so that only one is in memory."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.votes import lines
from ophtimus_edge.conversation import FREE, Asking, Conversation
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Piece
from ophtimus_edge.errors import EngineError, QuestionError, VotesError
from ophtimus_edge.models.store import ChosenModel, sha256_of
from ophtimus_edge.specialties import DEFAULT_ROLE
from ophtimus_edge.text import sanitize

MAX_TOKENS = 1024  # as the models' own description asks for


class AskedQuestion(NamedTuple):
    """A question of a blind test."""

    id: str
    text: str


class LevelAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of ``answers.jsonl``: what a level answered to a question, greedily.

    Attributes:
        sha256: of the level's file.
        text: sanitized; "" where there is an ``error``.
        finish_reason: "stop", or "length" where it was cut short.
        error: why the question could not be asked.
    """

    model: str
    level: str
    sha256: str
    question_id: str
    question: str
    text: str = ""
    finish_reason: str = ""
    error: str = ""

    @property
    def asked(self) -> AskedQuestion:
        """The question that it answers."""
        return AskedQuestion(self.question_id, self.question)


async def make_answers(
    engine: Engine,
    model: ChosenModel,
    questions: Sequence[AskedQuestion],
    *,
    known: Iterable[LevelAnswer] = (),
    max_tokens: int = MAX_TOKENS,
    on_load: Callable[[float], None] = lambda fraction: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_token: Callable[[int], None] = lambda tokens: None,
) -> AsyncGenerator[LevelAnswer, None]:
    """Answer questions with one level: greedily, in the role that the models were trained in.

    Closing the generator ends the answer under way, and the process of the model.

    Args:
        engine: that has nothing else to do; it is closed at the end.
        known: answers of an earlier run; questions that this level has answered are not asked again.
        max_tokens: of an answer.
        on_load: told the fraction of the model that is loaded.
        on_progress: told how many of the questions are answered, and how many there are.
        on_token: told how many tokens the answer under way has.

    Yields:
        Each answer that is not among the known ones, in the questions' order; a question that is longer
        than the context has an error.

    Raises:
        EngineError: the worker died.
        InvalidModelError: llama.cpp refuses the model.
    """
    sha256 = model.sha256 or await asyncio.to_thread(sha256_of, model.path)
    answered = {answer.asked for answer in known if answer.sha256 == sha256}
    open_questions = [question for question in questions if question not in answered]
    done = len(questions) - len(open_questions)
    on_progress(done, len(questions))
    if not open_questions:
        return
    asking = Asking(role=FREE if model.is_base else DEFAULT_ROLE, max_tokens=max_tokens)
    try:
        await engine.load(model, on_progress=on_load)
        conversation = Conversation(engine, model)
        for question in open_questions:
            words, finish, error = "", "", ""
            try:
                words, finish = await _answer(conversation, question.text, asking, on_token)
            except QuestionError as problem:
                error = problem.message
            done += 1
            on_progress(done, len(questions))
            yield LevelAnswer(
                model=model.name,
                level=model.level,
                sha256=sha256,
                question_id=question.id,
                question=question.text,
                text=words,
                finish_reason=finish,
                error=error,
            )
    finally:
        await engine.close()


async def _answer(
    conversation: Conversation, question: str, asking: Asking, on_token: Callable[[int], None]
) -> tuple[str, str]:
    """The text of an answer, and why it ended."""
    pieces: list[str] = []
    async with aclosing(conversation.ask(question, asking)) as events:
        async for event in events:
            if isinstance(event, Piece):
                pieces.append(event.text)
                on_token(event.tokens)
            elif isinstance(event, Died):
                raise EngineError(event.message, event.hint, event.log_lines)
            elif isinstance(event, Answered):
                if event.finish_reason == "cancelled":
                    raise EngineError("the answer was stopped.", "Begin again; what was answered is kept.")
                return sanitize("".join(pieces)).strip(), event.finish_reason
    raise EngineError("the engine gave no end to an answer.", "Begin again; what was answered is kept.")


def read_answers(path: Path) -> list[LevelAnswer]:
    """The answers of a file; of one that is not there, none.

    Raises:
        VotesError: it cannot be read, or a line is no answer.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise VotesError(f"{path} cannot be read: {error.strerror or error}.", "Check the disk.") from error
    answers = []
    for line in lines.whole_lines(data):
        try:
            answers.append(msgspec.json.decode(line.data, type=LevelAnswer))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise VotesError(
                f"{path}, line {line.number}: it is not an answer ({error}).",
                "Remove the line; the answer is made again.",
            ) from error
    return answers


def keep_answer(path: Path, answer: LevelAnswer) -> None:
    """Put an answer at the end of a file.

    Raises:
        FolderNotWritableError: it cannot be written.
    """
    lines.append(path, msgspec.json.encode(answer))
