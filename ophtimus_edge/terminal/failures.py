"""How a command ends: two lines for an error, silence for a closed pipe, one line for an interrupt."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.text import sanitize

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@dataclass
class Ending:
    """What a command ends with; set while its block runs."""

    exit_code: int = 0


def report(program: str, error: OphtimusError) -> None:
    """Print an error's message and hint as two lines on standard error.

    Both may carry a file's name or a model's metadata, so they are sanitized and kept to a line each.
    """
    message, hint = (" ".join(sanitize(text).split()) for text in (error.message, error.hint))
    sys.stderr.write(f"{program}: {message}\n{' ' * len(program)}  {hint}\n")


@contextlib.contextmanager
def reported(program: str) -> Iterator[Ending]:
    """Run a command's block and turn what it raises into an ending.

    A reader that closed the pipe early (``ophtimus ask | head -1``) got what it wanted: the command
    ends silently and well. Standard output is pointed at the null device then, since the interpreter
    would otherwise complain when it flushes at exit.
    """
    ending = Ending()
    _write_utf8()
    try:
        yield ending
        sys.stdout.flush()
    except OphtimusError as error:
        ending.exit_code = error.exit_code
        report(program, error)
    except KeyboardInterrupt:
        ending.exit_code = INTERRUPTED
        sys.stderr.write(f"\n{program}: stopped.\n")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_utf8() -> None:
    """Write UTF-8 into files and pipes, whatever the system's code page: none of them has all letters.

    A terminal knows its own; what it cannot show is written as an escape rather than lost or refused.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
