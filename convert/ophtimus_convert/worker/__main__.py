"""Take one job, do it, say how it went."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from ophtimus_convert.jobs import (
    HEAD,
    Done,
    Event,
    Job,
    Progress,
    Refused,
)
from ophtimus_edge.errors import AdapterError, OphtimusError

Tell = Callable[[int, int, str], None]
_encoder = msgspec.json.Encoder()
_lock = threading.Lock()


def say(event: Event) -> None:
    """Write an event; several threads do."""
    with _lock:
        os.write(_events, _encoder.encode(event) + b"\n")


def progress(done: int, total: int, what: str = "") -> None:
    """Say how far the job is."""
    say(Progress(done, total, what))


def work_on(kind: str) -> Callable[[Any, Tell], Event | None]:
    """What does a kind of job, named as its type; it gives the job's last event, None where that is Done.

    The module is imported here: each brings its own imports, and with them its own memory.
    """
    match kind:
        case "Fuse":
            from ophtimus_convert.worker.fuse import fuse

            return fuse
        case "Verify":
            from ophtimus_convert.worker.verify import verify

            return verify
        case "Measure":
            from ophtimus_convert.worker.measure import measure

            return lambda job, _tell: measure(job)
        case "PlanTypes":
            from ophtimus_convert.worker.llama import plan_types

            return lambda job, _tell: plan_types(job)
        case "Quantize":
            from ophtimus_convert.worker.llama import quantize

            return quantize
        case "Calibrate":
            from ophtimus_convert.worker.calibrate import calibrate

            return calibrate
    raise KeyError(kind)


def _end_with_parent() -> None:
    """End when standard input does: a killed parent leaves nobody who waits for this work."""
    while os.read(0, 1):
        pass
    os._exit(3)


def _read(size: int) -> bytes:
    # Not through sys.stdin: a thread that waits in it keeps the interpreter from ending.
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            os._exit(3)
        data += piece
    return data


def main() -> int:
    """Do the job of standard input's frame, whose kind is named beforehand; returns the exit code."""
    do = work_on(sys.argv[1])
    (length,) = HEAD.unpack(_read(HEAD.size))
    job = msgspec.json.decode(_read(length), type=Job)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        say(do(job, progress) or Done())
    except OphtimusError as error:
        say(Refused(error.message, error.hint, isinstance(error, AdapterError)))
        return 1
    except OSError as error:
        say(
            Refused(
                f"{error.filename or 'the output'} cannot be read or written: {error.strerror or error}.",
                "Free some space, or name another folder with -o.",
            )
        )
        return 1
    return 0


if __name__ == "__main__":
    # Events keep the pipe to themselves: whatever a library prints goes to the log.
    _events = os.dup(1)
    os.dup2(2, 1)
    sys.exit(main())
