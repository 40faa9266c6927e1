"""How far a batch is, on standard error: a bar in a terminal, a few lines elsewhere."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from ophtimus_edge.terminal.progress_bars import ProgressBars
from ophtimus_edge.terminal.saying import spoken

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

_LINES = 10  # where standard error is no terminal: a line for each tenth
_LINE_S = 600.0  # and one where a tenth takes longer than ten minutes


class BatchProgress(ProgressBars):
    """The progress of loading and of answering; used as a context manager.

    Args:
        done: rows that are there already.
        total: rows of the input.
    """

    transient = True

    def __init__(self, done: int, total: int) -> None:
        super().__init__()
        self._before, self._total = done, total
        self._done = done
        self._start = self._said = time.monotonic()
        self._tenth = done * _LINES // total

    def __enter__(self) -> Self:
        if self._before:
            self.note(f"{self._before} of {self._total} rows are there already.")
        super().__enter__()
        if self._bars:
            self._task = self._bars.add_task("loading the model", total=100, left="")
        return self

    def columns(self) -> "Sequence[ProgressColumn]":
        """What is done, how much of it, and how long it takes."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

        name, left = TextColumn("{task.description}"), TextColumn("{task.fields[left]}")
        return [name, BarColumn(), MofNCompleteColumn(), left]

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
