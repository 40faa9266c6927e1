"""A loaded model and its worker: started, loaded, found alive, started again after a death."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.engine.messages import (
    Answered,
    Cancel,
    Computed,
    Event,
    Failed,
    Finished,
    Load,
    Loaded,
    Loading,
    Piece,
    Pieced,
    Reading,
    Scored,
    Tokens,
    Warmed,
)
from ophtimus_edge.engine.process import WorkerEndedError, WorkerProcess
from ophtimus_edge.errors import EngineError, InvalidModelError, OphtimusError, QuestionError, UsageError
from ophtimus_edge.models import gguf
from ophtimus_edge.models.fit import choose_settings
from ophtimus_edge.models.hardware import read_machine
from ophtimus_edge.models.llama3 import TEMPLATE_DATE
from ophtimus_edge.models.store import ChosenModel, sha256_of
from ophtimus_edge.text import sanitize

Last = Answered | Computed | Failed | Pieced | Scored | Tokens | Warmed  # what ends a request
Reply = Last | Finished | Piece | Reading
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

    def __init__(self) -> None:
        self.worker: WorkerProcess | None = None
        self.loaded: Loaded | None = None
        self._order: LoadOrder | None = None
        self._file: tuple[int, ...] = ()  # what tells the loaded file from another
        self._loading = asyncio.Lock()

    @property
    def sequences(self) -> int:
        """Answers that the loaded model can write side by side."""
        return self._order.sequences if self._order else 0

    async def load(self, order: LoadOrder, on_progress: Callable[[float], None] | None) -> Loaded:
        """End the worker that is there, and load a model in a new one.

        Raises:
            EngineError: the worker died.
            InvalidModelError: the header is not sound, or llama.cpp refuses the model.
            FolderNotWritableError: the log cannot be written.
        """
        async with self._loading:
            await self.close()
            self._order = order
            try:
                self._file = _identity(order.model.path)
                return await self._load(order, on_progress)
            except BaseException:
                await self.close()
                raise

    async def ready(self) -> WorkerProcess:
        """The worker; a new one with the same model where the last one died.

        Raises:
            EngineError: no model is loaded, the new worker died too, or the file was replaced meanwhile.
        """
        if self._order is None:
            raise EngineError("no model is loaded.", "Load a model first.")
        if self.worker is not None and self.worker.ended:
            await self.worker.close()
            self.worker = None
        if self.worker is None:
            await self._expect_same(self._order.model)
            await self._load(self._order, None)
        assert self.worker is not None  # noqa: S101 - loading made one
        return self.worker

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

    async def _load(self, order: LoadOrder, on_progress: Callable[[float], None] | None) -> Loaded:
        """Load, with half the context where the worker seems to have died of too little memory."""
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
            worker = self.worker = await WorkerProcess.start()
            try:
                await worker.send(request)
                loaded = await self._until_loaded(worker, on_progress)
            except WorkerEndedError as ended:
                if self.worker is None:
                    raise EngineError("the model was closed while it was loaded.", "Load it again.") from None
                if not ended.memory or request.context // 2 < _SMALLEST_CONTEXT:
                    raise engine_error(ended) from None
                request = msgspec.structs.replace(request, context=request.context // 2, gpu_layers=0)
                continue
            reduced = [*settings.reasons, *loaded.reduced]
            if request.context < settings.context:
                reduced.append(
                    f"the context holds {request.context:,} tokens, where {settings.context:,} were planned, "
                    "and no layers are on a graphics card: the memory ran out."
                )
            self.loaded = msgspec.structs.replace(loaded, reduced=reduced)
            return self.loaded

    async def _until_loaded(
        self, worker: WorkerProcess, on_progress: Callable[[float], None] | None
    ) -> Loaded:
        while True:
            event = await next_event(worker)
            if isinstance(event, Loading) and on_progress:
                on_progress(event.fraction)
            elif isinstance(event, Loaded):
                return event
            elif isinstance(event, Failed):
                raise raised(event)


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


async def drain(worker: WorkerProcess, request_id: int) -> None:
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
