"""The client of the engine: sends requests to a worker, and turns what comes back into events.

One worker serves one model for its life. Where it dies, an answer under way ends with a ``Died`` that
keeps what was written, every other request with an EngineError; the next request starts a new worker
with the same model.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from ophtimus_edge.engine.messages import (
    Answer,
    Answered,
    AnswerMany,
    Bench,
    Benched,
    Cancel,
    Computed,
    Describe,
    Described,
    Finished,
    Loaded,
    Loading,
    Logits,
    Piece,
    Pieced,
    Pieces,
    Reading,
    Render,
    Sampling,
    Score,
    Scored,
    ScoredPrompt,
    ScoreMany,
    Tokenize,
    Tokens,
    Turn,
    Warm,
    Warmed,
)
from ophtimus_edge.engine.process import WorkerEndedError, WorkerProcess
from ophtimus_edge.engine.session import (
    Halted,
    LoadOrder,
    Reply,
    Session,
    engine_error,
    next_event,
    replies,
)
from ophtimus_edge.errors import EngineError, UsageError
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_Asked = Answer | AnswerMany | Warm | Score | ScoreMany | Tokenize | Render | Pieces | Logits | Bench
_DESCRIBE_S = 60.0  # a graphics card's driver may take many seconds, the first time
_LONE = re.compile("[\ud800-\udfff]")  # halves of a surrogate pair, which UTF-8 cannot write
ReplyT = TypeVar("ReplyT", bound=Warmed | Scored | Tokens | Pieced | Computed | Benched)


class Died(msgspec.Struct, frozen=True):
    """The worker ended in the middle of an answer; the pieces so far are all there is of it.

    Attributes:
        message, hint: what happened, and what to do.
        log_lines: the last lines of its log, oldest first.
    """

    message: str
    hint: str
    log_lines: tuple[str, ...]


class Engine:
    """A model in a process of its own.

    Use it as an async context manager. One request at a time: a second one waits for the first.

    Args:
        yields: whether what else wants the processor goes first: the screen on which an answer is drawn.
    """

    def __init__(self, *, yields: bool = False) -> None:
        self._session = Session(yields=yields)
        self._last_id = self._under_way = 0
        self._turn = asyncio.Lock()

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
        return (await self._ask(Warm(0, sanitize(system)), Warmed)).tokens

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
            async with contextlib.aclosing(self._exchange(request)) as events:
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
        self._expect_sequences()
        clean = [_sanitized(turns) for turns in conversations]
        try:
            async with contextlib.aclosing(
                self._exchange(AnswerMany(0, clean, samplings, parallel, plain))
            ) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        yield event
        except WorkerEndedError as death:
            raise engine_error(death) from None

    async def score(self, prefix: list[int], continuations: list[list[int]]) -> list[list[float]]:
        """Log-likelihoods of texts behind a prefix, which is evaluated once.

        Args:
            prefix: ids, with their BOS.
            continuations: ids of each.

        Returns:
            For each continuation, of each of its tokens, in nats.

        Raises:
            EngineError: no model is loaded, the worker died, or the ids do not fit the context.
        """
        return (await self._ask(Score(0, prefix, continuations), Scored)).log_likelihoods

    async def score_many(
        self, prefix: list[int], prompts: list[list[int]], continuations: list[list[int]]
    ) -> AsyncGenerator[ScoredPrompt, None]:
        """Log-likelihoods of the same texts behind many prompts, several of which are evaluated at once.

        The same request gives the same numbers, to the last bit, whatever was asked before.

        Args:
            prefix: ids that all prompts begin with, with their BOS; evaluated once. May be empty.
            prompts: ids behind the prefix, at least one each.
            continuations: ids of each, at least one.

        Yields:
            Each prompt's, in their order, as soon as it is evaluated.

        Raises:
            UsageError: the model was loaded for no sequences.
            EngineError: no model is loaded, the worker died, or the ids do not fit the context.
        """
        self._expect_sequences()
        try:
            async with contextlib.aclosing(
                self._exchange(ScoreMany(0, prefix, prompts, continuations))
            ) as events:
                async for event in events:
                    if isinstance(event, ScoredPrompt):
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
        return (await self._ask(Tokenize(0, _LONE.sub("\ufffd", text), special), Tokens)).ids

    async def render(self, turns: list[Turn]) -> list[int]:
        """The token ids of a conversation's prompt, up to where the assistant's next turn begins.

        Raises:
            UsageError: the model has no chat template.
            InvalidModelError: the template failed.
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._ask(Render(0, _sanitized(turns)), Tokens)).ids

    async def pieces(self, ids: list[int]) -> list[bytes]:
        """The bytes that each token stands for; a piece may end inside a character.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._ask(Pieces(0, ids), Pieced)).pieces

    async def ends(self, token: int) -> bool:
        """Whether a token ends an answer.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        return (await self._ask(Pieces(0, [token]), Pieced)).ends[0]

    async def logits(
        self, windows: Iterable[list[int]], last: int = 1
    ) -> AsyncGenerator["npt.NDArray[np.float32]", None]:
        """Evaluate windows of token ids, each from an empty context.

        Args:
            windows: ids, with their BOS.
            last: of how many of a window's last positions the logits are wanted, at most.

        Yields:
            For each window, float32 of shape (min(last, length), vocabulary), in shared memory that the
            next window overwrites.

        Raises:
            EngineError: no model is loaded, the worker died, or a window does not fit the context.
        """
        # Numpy takes a tenth of a second to load, and answering needs none of it.
        from multiprocessing.shared_memory import SharedMemory

        import numpy as np

        vocabulary = self._session.expect_loaded().vocabulary
        memory: SharedMemory | None = None
        try:
            for ids in windows:
                count = min(last, len(ids))
                if memory is None or memory.size < 4 * count * vocabulary:
                    _release(memory)
                    memory = SharedMemory(create=True, size=max(4 * count * vocabulary, 1))
                await self._ask(Logits(0, ids, count, memory.name), Computed)
                yield np.ndarray((count, vocabulary), np.float32, memory.buf)
        finally:
            _release(memory)

    async def bench(self, prompt_tokens: int, generated_tokens: int) -> Benched:
        """Time the bare evaluation of tokens: no text, no template, no sampling, as llama-bench does it.

        What the context held is forgotten. Nothing is evaluated beforehand to warm up: ask twice.

        Args:
            prompt_tokens: evaluated together from an empty context; 0 for none.
            generated_tokens: evaluated one by one from an empty context; 0 for none.

        Raises:
            EngineError: no model is loaded, the worker died, or the tokens do not fit the context.
        """
        return await self._ask(Bench(0, prompt_tokens, generated_tokens), Benched)

    async def cancel(self) -> None:
        """Stop the request under way, if there is one; an answer ends with finish reason ``cancelled``.

        Where the model is being loaded again for it, it ends with an EngineError.
        """
        if self._session.loading_again:
            await self._session.stop_loading_again()
        elif self._session.worker is not None and self._under_way:
            with contextlib.suppress(WorkerEndedError):
                await self._session.worker.send(Cancel(self._under_way))

    async def close(self) -> None:
        """End the worker, also while it loads; kill it where it does not end by itself."""
        await self._session.close()

    def _expect_sequences(self) -> None:
        if self.loaded and not self._session.sequences:
            raise UsageError("the model was not loaded for many answers at once.", "Load it with sequences=…")

    async def _ask(self, asked: _Asked, kind: type[ReplyT]) -> ReplyT:
        """One request and its one reply."""
        try:
            async with contextlib.aclosing(self._exchange(asked)) as events:
                async for event in events:
                    if isinstance(event, kind):
                        return event
        except WorkerEndedError as death:
            raise engine_error(death) from None
        raise EngineError("the model's process gave another reply than it was asked for.", "Ask again.")

    async def _exchange(self, asked: _Asked) -> AsyncGenerator[Loading | Halted | Reply, None]:
        """One request, which gets its number when its turn comes, and what the worker says to it.

        Raises:
            WorkerEndedError: the worker died.
            OphtimusError: the request failed, or there is no worker to be had.
        """
        async with self._turn:
            self._last_id += 1
            self._under_way = number = self._last_id  # what a cancel means from now on
            request = msgspec.structs.replace(asked, id=number)
            try:
                async with contextlib.aclosing(self._session.ready()) as loading:
                    async for again in loading:
                        yield again
                if (worker := self._session.worker) is None:
                    raise EngineError("the model was closed meanwhile.", "Load it again.")
                async with contextlib.aclosing(replies(worker, request, number)) as events:
                    async for event in events:
                        yield event
            finally:
                self._under_way = 0


def _release(memory: object) -> None:
    from multiprocessing.shared_memory import SharedMemory

    if isinstance(memory, SharedMemory):
        with contextlib.suppress(BufferError):  # a caller still looks at the last window
            memory.close()
        with contextlib.suppress(FileNotFoundError):
            memory.unlink()


def _sanitized(turns: list[Turn]) -> list[Turn]:
    return [Turn(turn.role, sanitize(turn.text), turn.ids) for turn in turns]
