"""What commands say: results on standard output, everything else on standard error."""

import contextlib
import datetime
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ophtimus_edge.text import sanitize


def result(text: str) -> None:
    """Print a result for people."""
    sys.stdout.write(sanitize(text) + "\n")


def result_json(record: dict[str, Any]) -> None:
    """Print a result for programs, on one line."""
    sys.stdout.write(json.dumps(record, ensure_ascii=True) + "\n")


def say(text: str) -> None:
    """Say what is no result."""
    sys.stderr.write(sanitize(text) + "\n")
    sys.stderr.flush()


def line(text: str) -> str:
    """A text on one line."""
    return " ".join(sanitize(text).split())


def moment(at: datetime.datetime) -> str:
    """A time in this computer's zone, to the minute."""
    with contextlib.suppress(OverflowError, OSError, ValueError):  # at the ends of the calendar
        at = at.astimezone()
    return at.isoformat(sep=" ", timespec="minutes")[:16]


def spoken(seconds: float) -> str:
    """A time for people: seconds below two minutes, then minutes, then hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Say on standard error which step is being done and how far it is, where a person watches."""
    if not sys.stderr.isatty():
        yield lambda _step, _done, _total: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:

        def show(step: str, done: int, total: int) -> None:
            part = f" {100 * done // total} %" if total else ""
            status.update(Text(f"{sanitize(step)} …{part}"))

        yield show
