"""How far a comparison is, on standard error: a bar for each part and level, a few lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ophtimus_edge.cli.batch_progress import spoken
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINES = 4  # where standard error is no terminal: a line for each quarter of a part


class CompareProgress:
    """The progress of the parts; used as a context manager."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._before: int | None = None
        self._said = 0
        self._start = 0.0

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bars = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"), console=Console(stderr=True),
            )  # fmt: skip
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def part(self, name: str, level: str) -> None:
        """A part of a level begins."""
        self._name = sanitize(f"{name} {level}".strip())
        self._before, self._said = None, 0
        if self._bars:
            self._task = self._bars.add_task(f"{self._name:<24}", total=None, left="")
        else:
            self.note(self._name)

    def progress(self, done: int, total: int) -> None:
        """So much of the part is done."""
        if self._before is None:
            self._before, self._start = done, time.monotonic()
        here, elapsed = done - self._before, time.monotonic() - self._start
        left = f"about {spoken(elapsed / here * (total - done))} left" if here and done < total else ""
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=done, total=total, left=left)
        elif total and done < total and done * _LINES // total > self._said:
            self._said = done * _LINES // total
            self.note(f"{self._name}: {done} of {total}{', ' + left if left else ''}")

    def note(self, sentence: str) -> None:
        """Say something that stays on the screen."""
        text = sanitize(sentence)
        if self._bars:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
