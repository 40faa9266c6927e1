"""How far a comparison is, on standard error: a bar for each part and level, a few lines elsewhere."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from ophtimus_edge.compare.running.time_left import TimeLeft
from ophtimus_edge.terminal.progress_bars import ProgressBars
from ophtimus_edge.terminal.saying import spoken
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

_LINES = 4  # where standard error is no terminal: a line for each quarter of a part


class CompareProgress(ProgressBars):
    """The progress of the parts; used as a context manager.

    Args:
        steps: predicted seconds by the name of a part with its level, as a plan has them.
    """

    def __init__(self, steps: Mapping[str, float] = MappingProxyType({})) -> None:
        super().__init__()
        self._name = ""
        self._said = 0
        self._time = TimeLeft(steps)

    def columns(self) -> "Sequence[ProgressColumn]":
        """The part, how much of it is done, and how long it takes."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

        name, left = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[left]}")
        return [name, BarColumn(), MofNCompleteColumn(), left]

    def part(self, name: str, level: str) -> None:
        """A part of a level begins."""
        step = f"{name} {level}".strip()
        self._time.begin(step)
        self._name, self._said = sanitize(step), 0
        if self._bars:
            self._task = self._bars.add_task(f"{self._name:<24}", total=None, left="")
        else:
            self.note(self._name)

    def progress(self, done: int, total: int) -> None:
        """So much of the part is done; what is done when it is first told was known before."""
        self._time.progress(done, total)
        left = self._left() if done < total else ""
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=done, total=total, left=left)
            return
        quarter = done * _LINES // total if total else 0
        if done < total and quarter > self._said:
            self._said = quarter
            self.note(f"{self._name}: {done} of {total}{', ' + left if left else ''}")

    def _left(self) -> str:
        """How long the part still takes, and all of them where that is longer."""
        step, every = self._time.of_step(), self._time.of_all()
        if step is None:
            return ""
        said = f"about {spoken(step)} left"
        if every is not None and spoken(every) != spoken(step):
            said += f", {spoken(every)} for all parts"
        return said
