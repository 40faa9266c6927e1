"""The worker's process, from outside: start it, send to it, receive from it, see how it is, end it."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.engine.messages import (
    HEAD,
    Close,
    Event,
    FrameError,
    Request,
    frame,
    frame_length,
)
from ophtimus_edge.text import sanitize

_LOG_LIMIT = 1 << 20
_CLOSE_PATIENCE_S = 2.0
_PIPE_S = 1.0  # from the end of the process to that of its pipe
_LOOK_S = 0.5  # of silence, after which the process's state is looked at


class WorkerEndedError(Exception):
    """The process ended.

    Attributes:
        reason: how, in words.
        memory: whether it looks as if the memory had run out.
        log_lines: the last lines of its log, oldest first.
    """

    def __init__(self, reason: str, memory: bool, log_lines: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.reason, self.memory, self.log_lines = reason, memory, log_lines


class WorkerProcess:
    """A running worker. Made by :meth:`start`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self._process = process
        self._log = log
        self._log_start = log_start
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._killed = False
        self._pump = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, *, yields: bool = False) -> "WorkerProcess":
        """Start a worker.

        Args:
            yields: let other programs, and the screen of this one, go before it where they want the same core.

        Raises:
            FolderNotWritableError: its log cannot be written.
        """
        log = locations.engine_log()
        locations.ensure_writable(log.parent)
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            # Another program may have it open (Windows), or have renamed it a moment ago.
            with contextlib.suppress(OSError):
                log.replace(log.with_suffix(".log.1"))
        # -X utf8, no user site, and -P, no working folder: the worker reads the same text everywhere and
        # imports only what is installed, not what lies on the stick from which the program was called.
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-X", "utf8", "-s", "-P", "-m", "ophtimus_edge.engine.worker",
                *(["yields"] if yields else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                # Numpy picks a token here and there; a BLAS with threads of its own would have them in the
                # worker before it gives up its rights, which only later threads share.
                env={**clean_environment(), "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
            return cls(process, log, file.tell())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is known to have ended."""
        return self._process.returncode is not None or self._pump.done()

    async def send(self, request: Request) -> None:
        """Send a request.

        Raises:
            WorkerEndedError: the process is gone.
        """
        assert self._process.stdin is not None  # noqa: S101 - asked for as a pipe
        try:
            self._process.stdin.write(frame(request))
            await self._process.stdin.drain()
        except OSError:
            raise await self.end() from None

    async def receive(self) -> Event | None:
        """The next event, or None where none came for half a second: time to look how the process is.

        Raises:
            WorkerEndedError: the process is gone.
        """
        event: Event | None = None
        if self._events.empty() and not self._pump.done():
            try:
                async with asyncio.timeout(_LOOK_S):
                    event = await self._events.get()
            except TimeoutError:
                return None
        elif not self._events.empty():
            event = self._events.get_nowait()
        if event is None:
            raise await self.end()
        return event

    @property
    def halted(self) -> bool:
        """Whether the system has stopped the process (SIGSTOP, a debugger)."""
        import psutil  # only once the worker is silent: the first screen does not wait for it

        try:
            status = psutil.Process(self.pid).status()
        except psutil.Error:
            return False
        return status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}

    def wake(self) -> None:
        """Let a stopped process go on."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)

    async def end(self) -> WorkerEndedError:
        """End the process where it has not ended, and say how it did."""
        await self.close()
        lines = _tail(self._log, self._log_start)
        code = self._process.returncode or 0
        return WorkerEndedError(_words(code, lines), _out_of_memory(code, lines), lines)

    async def close(self, *, at_once: bool = False) -> None:
        """End the process; kill it where it does not end by itself.

        Args:
            at_once: do not wait for it: it has nothing to put in order.
        """
        process = self._process
        if process.returncode is None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.write(frame(Close()))
                process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 0 if at_once or self.halted else _CLOSE_PATIENCE_S)
        except TimeoutError:
            if not self._killed:  # a second signal would take the end of the process from under the loop
                self._killed = True
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
        # Only at the end of its pipe has the loop let go of the process; somebody else may hold it open.
        await asyncio.wait({self._pump}, timeout=_PIPE_S)
        self._pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pump

    async def _read(self) -> None:
        """Take frames in as they come, so that a reader who gives up never leaves half of one behind."""
        source = self._process.stdout
        assert source is not None  # noqa: S101 - asked for as a pipe
        decoder = msgspec.msgpack.Decoder(Event)
        with contextlib.suppress(asyncio.IncompleteReadError, FrameError, msgspec.DecodeError):
            while True:
                head = await source.readexactly(HEAD.size)
                body = await source.readexactly(frame_length(head))
                self._events.put_nowait(decoder.decode(body))
        self._events.put_nowait(None)


def clean_environment() -> dict[str, str]:
    """The environment of a process that loads llama.cpp.

    A library planted beside the model or named by the environment must not be loaded.
    """
    unwanted = {"GGML_BACKEND_PATH", "LLAMA_CPP_LIB_PATH", "LLAMA_CPP_LIB", "PYTHONSTARTUP"}
    return {key: value for key, value in os.environ.items() if key not in unwanted}


def _words(code: int, lines: tuple[str, ...]) -> str:
    """How a process ended, in words for people."""
    telling = [line for line in lines if "GGML_ASSERT" in line or "rror" in line or "failed" in line]
    last = (telling or list(lines) or [""])[-1].strip()
    signals = {"SIGKILL": "it was killed, perhaps because the memory ran out",
               "SIGILL": "this CPU lacks an instruction that this build of llama.cpp uses",
               "SIGBUS": "its file was cut short or the disk failed while it was read"}  # fmt: skip
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return signals.get(name, name + (f": {last}" if last else ""))
    return last or f"code {code}"


def _out_of_memory(code: int, lines: tuple[str, ...]) -> bool:
    killed = sys.platform != "win32" and code == -signal.SIGKILL
    return killed or any("bad_alloc" in line or "failed to allocate" in line for line in lines)


def _tail(log: Path, start: int, count: int = 10) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 16384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(sanitize(line) for line in text.splitlines() if line.strip())[-count:]
