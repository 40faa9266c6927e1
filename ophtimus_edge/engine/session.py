"""A loaded model and its worker: started, loaded, found alive, started again after a death."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.engine.measuring_messages import Benched, Computed, Scored, ScoredPrompt
from ophtimus_edge.engine.messages import (
    Answered,
    Cancel,
    Event,
    Failed,
    Finished,
    Load,
    Loaded,
    Loading,
    Piece,
    Pieced,
    Reading,
    Request,
    Tokens,
    Warmed,
)
from ophtimus_edge.engine.process import WorkerEndedError, WorkerProcess
from ophtimus_edge.errors import EngineError, InvalidModelError, OphtimusError, QuestionError, UsageError
from ophtimus_edge.models import gguf, withdrawals
from ophtimus_edge.models.fit import choose_settings
from ophtimus_edge.models.hardware import read_machine
from ophtimus_edge.models.llama3 import TEMPLATE_DATE
from ophtimus_edge.models.store import ChosenModel, sha256_of
from ophtimus_edge.text import sanitize

Last = Answered | Benched | Computed | Failed | Pieced | Scored | Tokens | Warmed  # what ends a request
Reply = Last | Finished | Piece | Reading | ScoredPrompt
_SMALLEST_CONTEXT = 1024  # below it a load that ran out of memory is not tried again


class Halted(msgspec.Struct, frozen=True):
    """The system had stopped the worker; it was told to go on."""


class LoadOrder(NamedTuple):
    """What to load a model with; see :meth:`ophtimus_edge.engine.client.Engine.load`."""

    model: ChosenModel
    context: int
    gpu_layers: int | None
    sequences: int
    system: str
    vocabulary_only: bool


class Session:
    """One model for as long as it is wanted; its worker may be replaced underneath."""

    def __init__(self, *, yields: bool = False) -> None:
        self._yields = yields
        self.worker: WorkerProcess | None = None
        self.loaded: Loaded | None = None
        self._order: LoadOrder | None = None
        self._file: tuple[int, ...] = ()  # what tells the loaded file from another
        self._loading = asyncio.Lock()
        self.loading_again = False  # a model whose worker died
        self._stopped = False

    @property
    def sequences(self) -> int:
        """Answers that the loaded model can write side by side."""
        return self._order.sequences if self._order else 0

    async def load(self, order: LoadOrder, on_progress: Callable[[float], None] | None) -> Loaded:
        """End the worker that is there, and load a model in a new one.

        Raises:
            EngineError: the worker died.
            InvalidModelError: the header is not sound, or llama.cpp refuses the model.
            WithdrawnModelError: the model was taken back by its maker.
            FolderNotWritableError: the log cannot be written.
        """
        async with self._loading:
            await self.close()
            self._order = order
            try:
                self._file = _identity(order.model.path)
                async with contextlib.aclosing(self._load(order)) as events:
                    async for event in events:
                        if on_progress:
                            on_progress(event.fraction)
                return self.expect_loaded()
            except BaseException:
                await self.close()
                raise

    def expect_loaded(self) -> Loaded:
        """What is loaded.

        Raises:
            EngineError: nothing is.
        """
        if self._order is None or self.loaded is None:
            raise EngineError("no model is loaded.", "Load a model first.")
        return self.loaded

    def expect_sequences(self) -> None:
        """See to it that a model which is loaded can take several conversations or prompts at once.

        Raises:
            UsageError: it was loaded for no sequences.
        """
        if self.loaded and not self.sequences:
            raise UsageError("the model was not loaded for many answers at once.", "Load it with sequences=…")

    async def ready(self) -> AsyncGenerator[Loading, None]:
        """See to it that there is a worker: a new one with the same model where the last one died.

        Yields:
            How far the model is loaded again.

        Raises:
            EngineError: no model is loaded, the new worker died too, loading was stopped, or the file was
                replaced meanwhile.
            WithdrawnModelError: the model was taken back meanwhile.
        """
        if self._order is None:
            raise EngineError("no model is loaded.", "Load a model first.")
        if self.worker is not None and self.worker.ended:
            await self.worker.close()
            self.worker = None
        if self.worker is None:
            await self._expect_same(self._order.model)
            self.loading_again = True
            try:
                async with contextlib.aclosing(self._load(self._order)) as events:
                    async for event in events:
                        yield event
            finally:
                self.loading_again = False

    async def stop_loading_again(self) -> None:
        """End the worker that :meth:`ready` loads."""
        if self.loading_again and self.worker is not None:
            self._stopped = True
            await self.worker.close(at_once=True)

    async def _expect_same(self, model: ChosenModel) -> None:
        """Refuse another file in the place of the one that was loaded: answers name what they are from."""
        identity = _identity(model.path)
        if identity == self._file:
            return
        if not identity or not model.sha256 or await asyncio.to_thread(sha256_of, model.path) != model.sha256:
            raise EngineError(
                f"the model's process has ended, and {model.path} is no longer the file that was loaded.",
                "Load the model again.",
            )
        self._file = identity

    async def close(self) -> None:
        """End the worker, also while it loads; kill it where it does not end by itself."""
        worker, self.worker = self.worker, None
        loading = self.loaded is None
        self._order = self.loaded = None
        if worker is not None:
            await worker.close(at_once=loading)

    async def _load(self, order: LoadOrder) -> AsyncGenerator[Loading, None]:
        """Load, with half the context where the worker seems to have died of too little memory."""
        await asyncio.to_thread(withdrawals.refuse, order.model)  # also of a model that is loaded again
        header = await asyncio.to_thread(gguf.check, order.model.path)
        size = order.model.path.stat().st_size
        machine = await asyncio.to_thread(read_machine)
        settings = choose_settings(header, size, machine, order.context, order.gpu_layers)
        template = order.model.template
        request = Load(
            path=str(order.model.path.resolve()),
            context=settings.context,
            gpu_layers=settings.gpu_layers,
            threads=settings.threads,
            sequences=order.sequences,
            template=template.text if template else "",
            template_date=template.date if template else TEMPLATE_DATE,
            system=sanitize(order.system),
            vocabulary_only=order.vocabulary_only,
        )
        while True:
            self._stopped = False
            worker = self.worker = await WorkerProcess.start(yields=self._yields)
            try:
                await worker.send(request)
                while not isinstance(event := await next_event(worker), Loaded):
                    if isinstance(event, Loading):
                        yield event
                    elif isinstance(event, Failed):
                        raise raised(event)
                if self._stopped:  # at the moment at which it was loaded
                    raise await worker.end()
                break
            except WorkerEndedError as ended:
                if self.worker is None:
                    raise EngineError("the model was closed while it was loaded.", "Load it again.") from None
                self.worker = None
                if self._stopped:
                    raise EngineError(
                        "loading the model again was stopped; its process had ended.", "Ask again to load it."
                    ) from None
                if not ended.memory or request.context // 2 < _SMALLEST_CONTEXT:
                    raise engine_error(ended) from None
                request = msgspec.structs.replace(request, context=request.context // 2, gpu_layers=0)
            except BaseException:  # refused, or nobody waits for it any more
                await worker.close(at_once=True)
                self.worker = None  # only then: where this is cancelled again, the next close finds it
                raise
        reduced = [*settings.reasons, *event.reduced]
        if request.context < settings.context:
            reduced.append(
                f"the context holds {request.context:,} tokens, where {settings.context:,} were planned, "
                "and no layers are on a graphics card: the memory ran out."
            )
        self.loaded = msgspec.structs.replace(event, reduced=reduced)


async def replies(
    worker: WorkerProcess, request: Request, number: int
) -> AsyncGenerator[Halted | Reply, None]:
    """Send a request, and pass on what the worker says to it.

    Args:
        number: its id.

    Raises:
        WorkerEndedError: the worker died.
        OphtimusError: the request failed.
    """
    ended = False
    try:
        await worker.send(request)
        while not ended:
            event = await next_event(worker)
            if isinstance(event, Halted):
                yield event
            elif isinstance(event, Reply) and event.id == number:
                ended = isinstance(event, Last)
                if isinstance(event, Failed):
                    raise raised(event)
                yield event
    except WorkerEndedError:
        ended = True
        raise
    finally:
        if not ended:  # nobody listens any more: the next request must not wait for this one
            await _drain(worker, number)


async def next_event(worker: WorkerProcess) -> Event | Halted:
    """What the worker says next; a process that the system has stopped is woken, and that is said.

    Raises:
        WorkerEndedError: the worker died.
    """
    while True:
        event = await worker.receive()
        if event is not None:
            return event
        if worker.halted:
            worker.wake()
            return Halted()


async def _drain(worker: WorkerProcess, request_id: int) -> None:
    """Stop a request that nobody listens to any more, and take in what it still says."""
    with contextlib.suppress(WorkerEndedError):
        await worker.send(Cancel(request_id))
        while True:
            event = await next_event(worker)
            if isinstance(event, Last) and event.id == request_id:
                return


def _identity(path: Path) -> tuple[int, ...]:
    """What a file keeps as long as nobody writes to it or puts another in its place."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def engine_error(ended: WorkerEndedError) -> EngineError:
    """A worker's death as an error for people."""
    return EngineError(
        f"the process that runs the model ended unexpectedly ({ended.reason}).",
        "Ask again; if it happens again, choose a smaller level.",
        ended.log_lines,
    )


def raised(event: Failed) -> OphtimusError:
    """A request that failed as an error for people."""
    message, hint = sanitize(event.message), sanitize(event.hint)
    kinds: dict[str, type[OphtimusError]] = {
        "load": InvalidModelError,
        "question": QuestionError,
        "usage": UsageError,
        "template": InvalidModelError,
    }
    kind = kinds.get(event.kind)
    return kind(message, hint) if kind else EngineError(message, hint)
