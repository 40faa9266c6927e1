"""How far a batch is, on standard error: a bar in a terminal, a few lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ophtimus_edge.terminal.saying import spoken
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINES = 10  # where standard error is no terminal: a line for each tenth
_LINE_S = 600.0  # and one where a tenth takes longer than ten minutes


class BatchProgress:
    """The progress of loading and of answering; used as a context manager.

    Args:
        done: rows that are there already.
        total: rows of the input.
    """

    def __init__(self, done: int, total: int) -> None:
        self._before, self._total = done, total
        self._done = done
        self._start = self._said = time.monotonic()
        self._tenth = done * _LINES // total
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._before:
            self.note(f"{self._before} of {self._total} rows are there already.")
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bars = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._bars.add_task("loading the model", total=100, left="")
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def loading(self, fraction: float) -> None:
        """The model is loaded so far, 0 to 1."""
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=int(fraction * 100))

    def loaded(self) -> None:
        """The model is loaded; answering begins."""
        self._start = self._said = time.monotonic()
        if self._bars and self._task is not None:
            self._bars.reset(
                self._task, description="answering", completed=self._before, total=self._total, left=""
            )

    def note(self, sentence: str) -> None:
        """Say something that stays on the screen."""
        text = sanitize(sentence)
        if self._bars:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def answered(self, done: int, failed: int) -> None:
        """So many rows are there, and so many of them have no answer."""
        self._done = done
        text = f"about {spoken(self.seconds_left())} left" + (f", {failed} not answered" if failed else "")
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=done, left=text)
            return
        now, tenth = time.monotonic(), done * _LINES // self._total
        if done < self._total and (tenth > self._tenth or now - self._said >= _LINE_S):
            self._tenth, self._said = tenth, now
            self.note(f"{done} of {self._total} rows, {text}.")

    def seconds_left(self) -> float:
        """How long the rest takes at the speed of this run so far."""
        here = self._done - self._before
        elapsed = time.monotonic() - self._start
        return elapsed / here * (self._total - self._done) if here else 0.0
