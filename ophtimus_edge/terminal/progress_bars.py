"""Bars on standard error where that is a terminal; what a command's own progress is made of."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ophtimus_edge.terminal.saying import say
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID


class ProgressBars:
    """Used as a context manager; elsewhere than in a terminal there are no bars."""

    transient = False
    """Whether the bars go away at the end."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            console = Console(stderr=True)
            self._bars = Progress(*self.columns(), console=console, transient=self.transient)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def columns(self) -> "Sequence[ProgressColumn]":
        """What a bar shows."""
        raise NotImplementedError

    def note(self, sentence: str) -> None:
        """Say something that stays on the screen."""
        if self._bars:
            self._bars.console.print(sanitize(sentence), markup=False, highlight=False, soft_wrap=True)
        else:
            say(sentence)
