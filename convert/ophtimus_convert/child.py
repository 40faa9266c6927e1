"""The converter's child process, from outside: start it, give it a job, listen until it ends."""

import subprocess
import sys
import tempfile
from collections.abc import Callable

import msgspec

from ophtimus_convert.jobs import HEAD, Event, Job, Progress, Refused
from ophtimus_edge.engine.process import clean_environment
from ophtimus_edge.errors import AdapterError, ConversionError, ConversionInterruptedError

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


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
    command = [sys.executable, "-X", "utf8", "-s", "-m", "ophtimus_convert.worker"]
    # One thread a slice is already a core: a BLAS with threads of its own would fight with them.
    environment = {**clean_environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        ) as process,
    ):
        assert process.stdin is not None  # noqa: S101 - both were asked for as pipes
        assert process.stdout is not None  # noqa: S101
        last: Event | None = None
        try:
            body = msgspec.json.encode(job)
            process.stdin.write(HEAD.pack(len(body)) + body)
            process.stdin.flush()
            for line in process.stdout:
                last = _decoder.decode(line)
                if isinstance(last, Progress):
                    on_progress(last.done, last.total, last.what)
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        if isinstance(last, Refused):
            raise (AdapterError if last.adapter else ConversionError)(last.message, last.hint)
        if code or last is None or isinstance(last, Progress):
            log.seek(0)
            words = _last_words(log.read()) or f"code {code}"
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
