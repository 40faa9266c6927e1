"""How far the reading of data is, on standard error: a line that moves in a terminal, one a file elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_SILENT_S = 2.0  # what is done sooner needs no word


class ReadingProgress:
    """Which file is read and how many of its rows; used as a context manager."""

    def __init__(self, doing: str) -> None:
        """Say what is done, in one word."""
        self._doing = doing
        self._console = Console(file=sys.stderr)
        self._bars = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._bars.add_task(doing, total=None)
        self._start = time.monotonic()
        self._told: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def rows(self, name: str, rows: int) -> None:
        """So many rows of a file are read."""
        text = f"{self._doing} {name}, {rows:,} rows"
        self._bars.update(self._task, description=text)
        # In a log, a line for each tenfold: who reads it wants to know that it moves, not each thousand.
        is_slow = time.monotonic() - self._start > _SILENT_S
        if is_slow and not self._console.is_terminal and rows >= 10 * self._told.get(name, 100):
            self._told[name] = rows
            sys.stderr.write(f"{text}\n")
