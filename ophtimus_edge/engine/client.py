"""The client of the engine: loads a model and answers with it.

What only measurements ask, such as log-likelihoods and logits, it inherits from
:class:`ophtimus_edge.engine.measuring.Measuring`.

One worker serves one model for its life. Where it dies, an answer under way ends with a ``Died`` that
keeps what was written, every other request with an EngineError; the next request starts a new worker
with the same model.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Self

import msgspec

from ophtimus_edge.engine.exchanges import Exchanges
from ophtimus_edge.engine.measuring import Measuring
from ophtimus_edge.engine.messages import (
    Answer,
    Answered,
    AnswerMany,
    Describe,
    Described,
    Finished,
    Loaded,
    Loading,
    Piece,
    Pieced,
    Pieces,
    Reading,
    Render,
    Sampling,
    Tokenize,
    Tokens,
    Turn,
    Warm,
    Warmed,
)
from ophtimus_edge.engine.process import WorkerEndedError, WorkerProcess
from ophtimus_edge.engine.session import Halted, LoadOrder, Session, engine_error, next_event
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize

_DESCRIBE_S = 60.0  # a graphics card's driver may take many seconds, the first time
_LONE = re.compile("[\ud800-\udfff]")  # halves of a surrogate pair, which UTF-8 cannot write


class Died(msgspec.Struct, frozen=True):
    """The worker ended in the middle of an answer; the pieces so far are all there is of it.

    Attributes:
        message, hint: what happened, and what to do.
        log_lines: the last lines of its log, oldest first.
    """

    message: str
    hint: str
    log_lines: tuple[str, ...]


class Engine(Measuring):
    """A model in a process of its own.

    Use it as an async context manager. One request at a time: a second one waits for the first.

    Args:
        yields: whether what else wants the processor goes first: the screen on which an answer is drawn.
    """

    def __init__(self, *, yields: bool = False) -> None:
        self._session = Session(yields=yields)
        self._exchanges = Exchanges(self._session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def loaded(self) -> Loaded | None:
        """What is loaded now, and with what; None before the first load and after a close."""
        return self._session.loaded

    def expect_loaded(self) -> Loaded:
        """What is loaded now, and with what.

        Raises:
            EngineError: nothing is.
        """
        return self._session.expect_loaded()

    @property
    def process_id(self) -> int | None:
        """The worker's process; None where there is none."""
        return self._session.worker.pid if self._session.worker else None

    async def load(
        self,
        model: ChosenModel,
        context: int = 0,
        on_progress: Callable[[float], None] | None = None,
        *,
        gpu_layers: int | None = None,
        sequences: int = 0,
        system: str = "",
        vocabulary_only: bool = False,
    ) -> Loaded:
        """Start a worker and load a model; smaller than asked for where the memory runs out.

        Args:
            model: what to load, as :func:`ophtimus_edge.models.store.choose` found it.
            context: tokens; 0 for what the model and this machine's memory allow.
            on_progress: told the fraction loaded, 0 to 1.
            gpu_layers: layers that a GPU takes; None for what fits.
            sequences: answers that can be written side by side by :meth:`answer_many`.
            system: a system prompt to evaluate at once, so that the first question evaluates only itself.
            vocabulary_only: leave the weights out: enough to tokenize and to render, in a fraction of
                the memory; answers and logits are refused.

        Raises:
            EngineError: the worker died.
            InvalidModelError: the header is not sound, or llama.cpp refuses the model.
            WithdrawnModelError: the model was taken back by its maker.
            FolderNotWritableError: the log cannot be written.
        """
        order = LoadOrder(model, context, gpu_layers, sequences, system, vocabulary_only)
        return await self._session.load(order, on_progress)

    async def describe(self) -> Described:
        """What llama.cpp is and finds here; a worker is started for it, and needs no model.

        Raises:
            EngineError: the worker died.
        """
        worker = await WorkerProcess.start()
        try:
            await worker.send(Describe(0))
            async with asyncio.timeout(_DESCRIBE_S):
                while True:
                    if isinstance(event := await next_event(worker), Described):
                        return event
        except TimeoutError:
            raise EngineError(
                f"llama.cpp did not say within {_DESCRIBE_S:.0f} s what it finds here.",
                "A driver of a graphics card may hang: start the computer again.",
            ) from None
        except WorkerEndedError as ended:
            raise engine_error(ended) from None
        finally:
            await worker.close()

    async def warm(self, system: str) -> int:
        """Evaluate a system prompt before it is needed; returns its tokens.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._exchanges.reply(Warm(0, sanitize(system)), Warmed)).tokens

    async def answer(
        self, turns: list[Turn], sampling: Sampling | None = None, *, plain: bool = False
    ) -> AsyncGenerator[Loading | Reading | Piece | Halted | Answered | Died, None]:
        """Answer a conversation.

        Args:
            turns: oldest first; the last is the question, or an answer that was begun and is gone on with.
                Their texts are sanitized.
            sampling: greedy, up to 1,024 tokens, where it is not given.
            plain: complete the question's text, without a chat template.

        Yields:
            Loading where the last worker died and the model is loaded again, Reading while the prompt is
            evaluated, Piece while the answer grows, at last one Answered, or
            one Died where the worker ended.

        Raises:
            QuestionError: the question does not fit the context.
            UsageError: the model cannot chat.
            EngineError: no model is loaded, or llama.cpp failed.
        """
        request = Answer(0, _sanitized(turns), sampling or Sampling(), plain)
        try:
            async with contextlib.aclosing(self._exchanges.events(request)) as events:
                async for event in events:
                    if isinstance(event, Loading | Reading | Piece | Halted | Answered):
                        yield event
        except WorkerEndedError as death:
            error = engine_error(death)
            yield Died(error.message, error.hint, error.log_lines)

    async def answer_many(
        self,
        conversations: list[list[Turn]],
        samplings: list[Sampling],
        parallel: int,
        *,
        plain: bool = False,
    ) -> AsyncGenerator[Finished, None]:
        """Answer conversations side by side, which is faster than one after the other.

        Args:
            conversations: each as for :meth:`answer`.
            samplings: one for each.
            parallel: at once; at most the ``sequences`` that the model was loaded with.

        Yields:
            Each answer as it ends, in any order; a question that cannot be asked has an error.

        Raises:
            UsageError: the model was loaded for no sequences.
            EngineError: the worker died, or llama.cpp failed: what was yielded is whole.
        """
        self._session.expect_sequences()
        clean = [_sanitized(turns) for turns in conversations]
        try:
            async with contextlib.aclosing(
                self._exchanges.events(AnswerMany(0, clean, samplings, parallel, plain))
            ) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        yield event
        except WorkerEndedError as death:
            raise engine_error(death) from None

    async def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Text to token ids, without a BOS.

        Args:
            special: whether special tokens that the text names count as such.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._exchanges.reply(Tokenize(0, _LONE.sub("\ufffd", text), special), Tokens)).ids

    async def render(self, turns: list[Turn]) -> list[int]:
        """The token ids of a conversation's prompt, up to where the assistant's next turn begins.

        Raises:
            UsageError: the model has no chat template.
            InvalidModelError: the template failed.
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._exchanges.reply(Render(0, _sanitized(turns)), Tokens)).ids

    async def pieces(self, ids: list[int]) -> list[bytes]:
        """The bytes that each token stands for; a piece may end inside a character.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._exchanges.reply(Pieces(0, ids), Pieced)).pieces

    async def ends(self, token: int) -> bool:
        """Whether a token ends an answer.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._exchanges.reply(Pieces(0, [token]), Pieced)).ends[0]

    async def cancel(self) -> None:
        """Stop the request under way, if there is one; an answer ends with finish reason ``cancelled``.

        Where the model is being loaded again for it, it ends with an EngineError.
        """
        await self._exchanges.cancel()

    async def close(self) -> None:
        """End the worker, also while it loads; kill it where it does not end by itself."""
        await self._session.close()


def _sanitized(turns: list[Turn]) -> list[Turn]:
    return [Turn(turn.role, sanitize(turn.text), turn.ids) for turn in turns]
