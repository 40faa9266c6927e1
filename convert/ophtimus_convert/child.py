"""The converter's child process, from outside: start it, give it a job, listen until it ends."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

import msgspec

from ophtimus_convert.jobs import HEAD, Event, Job, Progress, Refused
from ophtimus_edge.engine.process import clean_environment
from ophtimus_edge.errors import AdapterError, ConversionError, ConversionInterruptedError

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class _Child(NamedTuple):
    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def end(self) -> None:
        """Kill it, where it still runs, and close what leads to it."""
        self.process.kill()
        with contextlib.suppress(BrokenPipeError), self.log, self.process:
            pass


_spares: dict[str, _Child] = {}


@contextlib.contextmanager
def spares(*jobs: type[Job]) -> Iterator[None]:
    """Start a child for each of these jobs beforehand: they load their libraries while this process reads."""
    with contextlib.suppress(OSError):  # whoever has a job for one meets it again
        for job in jobs:
            _spares[job.__name__] = _start(job)
    try:
        yield
    finally:
        while _spares:
            _spares.popitem()[1].end()


def _start(job: type[Job]) -> _Child:
    command = [sys.executable, "-X", "utf8", "-s", "-m", "ophtimus_convert.worker", job.__name__]
    # One thread a slice is already a core: a BLAS with threads of its own would fight with them.
    environment = {**clean_environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )
    except BaseException:
        log.close()
        raise
    return _Child(process, log)


def run(job: Job, on_progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None) -> Event:
    """Do a job in a child process; returns its last event.

    The child ends with this process: its standard input stays open as long as this side lives.

    Args:
        on_progress: told how much is done, of how much, and what it was.

    Raises:
        ConversionError: the child refused the job.
        ConversionInterruptedError: it died.
        AdapterError: the fault is the adapter's.
    """
    child = _spares.pop(type(job).__name__, None)
    if child is None or child.process.poll() is not None:
        child = _start(type(job))
    process, log = child
    assert process.stdin is not None  # noqa: S101 - both were asked for as pipes
    assert process.stdout is not None  # noqa: S101
    last: Event | None = None
    try:
        body = msgspec.json.encode(job)
        with contextlib.suppress(BrokenPipeError):  # it has died: its log says why
            process.stdin.write(HEAD.pack(len(body)) + body)
            process.stdin.flush()
        for line in process.stdout:
            last = _decoder.decode(line)
            if isinstance(last, Progress):
                on_progress(last.done, last.total, last.what)
        code = process.wait()
        log.seek(0)
        words = _last_words(log.read()) or f"code {code}"
    finally:
        child.end()
    if isinstance(last, Refused):
        raise (AdapterError if last.adapter else ConversionError)(last.message, last.hint)
    if code or last is None or isinstance(last, Progress):
        raise ConversionInterruptedError(
            f"the process that quantizes ended unexpectedly ({words}).",
            "Check the free memory and disk, and run the same command again: it goes on from there.",
        )
    return last


def _last_words(log: bytes) -> str:
    lines = [line.strip() for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    # ggml prints a stack behind what it asserts, and a debugger its own words.
    telling = [line for line in lines if "GGML_ASSERT" in line or "Error" in line or "error" in line]
    return (telling or lines or [""])[-1]
