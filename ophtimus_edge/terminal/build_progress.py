"""How far the building of a kit is, on standard error: a bar and a clock in a terminal, a line a step elsewhere."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ophtimus_edge.terminal.progress_bars import ProgressBars
from ophtimus_edge.terminal.saying import say

if TYPE_CHECKING:
    from rich.progress import ProgressColumn


class BuildProgress(ProgressBars):
    """The progress of a build; used as a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self._notes: list[str] = []

    def columns(self) -> "Sequence[ProgressColumn]":
        """The step, how many bytes of it are done, and for how long."""
        from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

        name, size = TextColumn("{task.description}", markup=False), DownloadColumn(binary_units=True)
        return [SpinnerColumn(), name, BarColumn(bar_width=20), size, TimeElapsedColumn()]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_task(error is None)
        super().__exit__(kind, error, trace)

    def step(self, sentence: str) -> None:
        """Something begins that may take a while."""
        self._end_task(True)
        if self._bars:
            self._task = self._bars.add_task(sentence, total=None)
        else:
            say(sentence)

    def progress(self, done: int, total: int, file: str) -> None:
        """So many bytes of all are done."""
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=done, total=total)

    def note(self, sentence: str) -> None:
        """Something that is said when the work is over."""
        self._notes.append(sentence)

    def tell_notes(self) -> None:
        """Say what there is to be known."""
        for sentence in dict.fromkeys(self._notes):
            say(sentence)

    def _end_task(self, well: bool) -> None:
        if self._bars and self._task is not None and well:
            total = self._bars.tasks[self._task].total or 1
            self._bars.update(self._task, total=total, completed=total)
        self._task = None
