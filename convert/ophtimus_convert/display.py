"""What a conversion shows while it works: a bar a step, with speed and time left, on standard error."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

_REFRESHES_PER_S = 3


class Display(Protocol):
    """Where a conversion says what it does."""

    def note(self, text: str) -> None:
        """Say a sentence."""

    def show(self, step: str, unit: str, done: int, total: int, what: str) -> None:
        """Show how far a step is, in bytes, tensors, windows or gates."""


class _Amount(ProgressColumn):
    """How much is done, in the step's own unit, and how fast where that is bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._size, self._speed = DownloadColumn(binary_units=True), TransferSpeedColumn()

    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        if unit == "bytes":
            return Text.assemble(self._size.render(task), " ", self._speed.render(task))
        return Text(f"{int(task.completed)}/{int(task.total or 0)} {unit}")


class Bars:
    """Bars on standard error; used as a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), _Amount(), TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[what]}", style="dim"), console=self._console,
            # Each drawing takes milliseconds of a core that quantizes; nobody reads a bar in a log before its end.
            refresh_per_second=_REFRESHES_PER_S, auto_refresh=self._console.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Print a sentence above the bars."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, step: str, unit: str, done: int, total: int, what: str) -> None:
        """Draw a step's bar."""
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total, unit=unit, what="")
        self._bars.update(
            self._tasks[step],
            completed=done,
            total=total,
            what="" if done >= total else what.removeprefix("model."),
        )
