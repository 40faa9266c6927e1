"""The client of the engine: starts a worker, sends it requests, and turns what comes back into events.

One worker serves one model for its life. If it dies, the caller gets an EngineError with the last
lines of its log.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.engine.messages import (
    HEAD,
    Answer,
    Answered,
    Cancel,
    Close,
    Computed,
    Event,
    Failed,
    FrameError,
    Load,
    Loaded,
    Loading,
    Logits,
    Piece,
    Pieced,
    Pieces,
    Reading,
    Render,
    Request,
    Tokenize,
    Tokens,
    Turn,
    frame,
    frame_length,
)
from ophtimus_edge.errors import EngineError, InvalidModelError, OphtimusError, QuestionError, UsageError
from ophtimus_edge.models.hardware import usable_cores
from ophtimus_edge.models.llama3 import TEMPLATE_DATE
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LOG_LIMIT = 1 << 20
_CLOSE_PATIENCE_S = 2.0


class Engine:
    """A model in a process of its own.

    Use it as an async context manager. One answer at a time: a second request waits for the first.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)
        self._log = locations.engine_log()
        self._log_start = 0
        self._last_id = 0
        self._vocabulary = 0
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def load(
        self,
        model: ChosenModel,
        context: int = 0,
        on_progress: Callable[[float], None] | None = None,
        *,
        vocabulary_only: bool = False,
    ) -> Loaded:
        """Start a worker and load a model.

        Args:
            model: what to load, checked by :func:`ophtimus_edge.models.store.choose`.
            context: tokens; 0 for the worker's choice.
            on_progress: told the fraction loaded, 0 to 1.
            vocabulary_only: leave the weights out: enough to tokenize and to render, in a fraction of
                the memory; answers and logits are refused.

        Raises:
            EngineError: the worker died.
            InvalidModelError: llama.cpp refuses the model.
            FolderNotWritableError: the log cannot be written.
        """
        await self.close()
        await self._start()
        template = model.template
        request = Load(
            path=str(model.path.resolve()),
            context=context,
            threads=usable_cores(),
            template=template.text if template else "",
            template_date=template.date if template else TEMPLATE_DATE,
            vocabulary_only=vocabulary_only,
        )
        await self._send(request)
        while True:
            event = await self._receive()
            if isinstance(event, Loading) and on_progress:
                on_progress(event.fraction)
            elif isinstance(event, Loaded):
                self._vocabulary = event.vocabulary
                return event
            elif isinstance(event, Failed):
                raise _raised(event)

    async def answer(
        self,
        turns: list[Turn],
        *,
        plain: bool = False,
        max_tokens: int = 1024,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> AsyncGenerator[Reading | Piece | Answered, None]:
        """Answer a conversation.

        Args:
            turns: oldest first; the last is the question.
            plain: complete the question's text, without a chat template.
            max_tokens: of the answer, at the most.
            temperature: 0 for greedy.
            seed: of the sampler.

        Yields:
            Reading while the prompt is evaluated, Piece while the answer grows, one Answered.

        Raises:
            QuestionError: the question does not fit the context.
            UsageError: the model cannot chat.
            EngineError: the worker died, or failed.
        """
        async with self._turn:
            request = Answer(self._next_id(), turns, plain, max_tokens, temperature, seed)
            await self._send(request)
            ended = False
            try:
                while not ended:
                    event = await self._receive()
                    if isinstance(event, Failed):
                        ended = True
                        raise _raised(event)
                    if isinstance(event, Reading | Piece | Answered) and event.id == request.id:
                        ended = isinstance(event, Answered)
                        yield event
            except EngineError:
                ended = True
                raise
            finally:
                if not ended:  # the caller stopped listening: stop the worker and drain what it still says
                    await self._drain(request.id)

    async def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Text to token ids, without a BOS.

        Args:
            special: whether special tokens that the text names count as such.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        event = await self._ask(Tokenize(self._next_id(), text, special))
        assert isinstance(event, Tokens)  # noqa: S101 - what the worker answers to this request
        return event.ids

    async def render(self, turns: list[Turn]) -> list[int]:
        """The token ids of a conversation's prompt, up to where the assistant's next turn begins.

        Raises:
            UsageError: the model has no chat template, or it failed.
            EngineError: no model is loaded, or the worker died.
        """
        event = await self._ask(Render(self._next_id(), turns))
        assert isinstance(event, Tokens)  # noqa: S101 - what the worker answers to this request
        return event.ids

    async def pieces(self, ids: list[int]) -> list[bytes]:
        """The bytes that each token stands for; a piece may end inside a character.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        event = await self._ask(Pieces(self._next_id(), ids))
        assert isinstance(event, Pieced)  # noqa: S101 - what the worker answers to this request
        return event.pieces

    async def ends(self, token: int) -> bool:
        """Whether a token ends an answer.

        Raises:
            EngineError: no model is loaded, or the worker died.
        """
        event = await self._ask(Pieces(self._next_id(), [token]))
        assert isinstance(event, Pieced)  # noqa: S101 - what the worker answers to this request
        return event.ends[0]

    async def logits(self, ids: list[int], last: int = 1) -> "npt.NDArray[np.float32]":
        """Evaluate token ids from an empty context.

        Args:
            ids: with their BOS.
            last: of how many of the last positions the logits are wanted, at most.

        Returns:
            float32, shape (min(last, len(ids)), vocabulary).

        Raises:
            EngineError: no model is loaded, the worker died, or the ids do not fit the context.
        """
        # Numpy takes a tenth of a second to load, and answering needs none of it.
        from multiprocessing.shared_memory import SharedMemory

        import numpy as np

        last = min(last, len(ids))
        shape = (last, self._vocabulary)
        memory = SharedMemory(create=True, size=max(4 * last * self._vocabulary, 1))
        try:
            await self._ask(Logits(self._next_id(), ids, last, memory.name))
            return np.ndarray(shape, np.float32, memory.buf).copy()
        finally:
            memory.close()
            with contextlib.suppress(FileNotFoundError):
                memory.unlink()

    async def cancel(self) -> None:
        """Stop the answer under way; its iterator ends with finish reason ``cancelled``."""
        if self._process is not None:
            await self._send(Cancel(self._last_id))

    async def close(self) -> None:
        """End the worker; kill it where it does not end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.write(frame(Close()))
                process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _CLOSE_PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _ask(self, request: Tokenize | Render | Pieces | Logits) -> Tokens | Pieced | Computed:
        """One request, one answer; waits for an answer under way."""
        async with self._turn:
            await self._send(request)
            while True:
                event = await self._receive()
                if isinstance(event, Failed) and event.id == request.id:
                    raise _raised(event)
                if isinstance(event, Tokens | Pieced | Computed) and event.id == request.id:
                    return event

    async def _start(self) -> None:
        locations.ensure_writable(self._log.parent)
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        # -X utf8 and no user site: the worker reads the same text everywhere and only what is installed.
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-X", "utf8", "-s", "-m", "ophtimus_edge.engine.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=clean_environment(),
            )  # fmt: skip

    async def _send(self, request: Request) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise EngineError("no model is loaded.", "Load a model first.")
        try:
            process.stdin.write(frame(request))
            await process.stdin.drain()
        except OSError:
            raise await self._death() from None

    async def _receive(self) -> Event:
        process = self._process
        if process is None or process.stdout is None:
            raise EngineError("the model was closed.", "Load it again.")
        try:
            head = await process.stdout.readexactly(HEAD.size)
            body = await process.stdout.readexactly(frame_length(head))
            return self._decoder.decode(body)
        except (asyncio.IncompleteReadError, FrameError, msgspec.DecodeError):
            raise await self._death() from None

    async def _drain(self, request_id: int) -> None:
        with contextlib.suppress(OphtimusError):
            await self._send(Cancel(request_id))
            while True:
                event = await self._receive()
                if isinstance(event, Answered | Failed) and event.id == request_id:
                    return

    async def _death(self) -> EngineError:
        await self.close()
        lines = _tail(self._log, self._log_start)
        return EngineError(
            "the process that runs the model ended unexpectedly"
            + (f" ({lines[-1].strip()})." if lines else "."),
            f"Ask again; if it happens again, choose a smaller level. The log: {self._log}.",
            lines,
        )


def clean_environment() -> dict[str, str]:
    """The environment of a process that loads llama.cpp.

    A library planted beside the model or named by the environment must not be loaded.
    """
    unwanted = {"GGML_BACKEND_PATH", "LLAMA_CPP_LIB_PATH", "LLAMA_CPP_LIB", "PYTHONSTARTUP"}
    return {key: value for key, value in os.environ.items() if key not in unwanted}


def _raised(event: Failed) -> OphtimusError:
    message, hint = sanitize(event.message), sanitize(event.hint)
    kinds: dict[str, type[OphtimusError]] = {
        "load": InvalidModelError,
        "question": QuestionError,
        "usage": UsageError,
    }
    kind = kinds.get(event.kind)
    return kind(message, hint) if kind else EngineError(message, hint)


def _tail(log: Path, start: int, count: int = 10) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 16384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(sanitize(line) for line in text.splitlines() if line.strip())[-count:]
