"""How far a comparison is, on standard error: a bar for each part and level, a few lines elsewhere."""

import sys
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from ophtimus_edge.compare.running.time_left import TimeLeft
from ophtimus_edge.terminal.saying import spoken
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINES = 4  # where standard error is no terminal: a line for each quarter of a part


class CompareProgress:
    """The progress of the parts; used as a context manager.

    Args:
        steps: predicted seconds by the name of a part with its level, as a plan has them.
    """

    def __init__(self, steps: Mapping[str, float] = MappingProxyType({})) -> None:
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._said = 0
        self._time = TimeLeft(steps)

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

    def note(self, sentence: str) -> None:
        """Say something that stays on the screen."""
        text = sanitize(sentence)
        if self._bars:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
