"""What the app says in its corner: nothing of it stays, or comes, while the screen is hidden."""

from collections.abc import Callable
from typing import Any

from textual.app import App


class Notes:
    """Holds back what is said while the screen is hidden, until it is shown again.

    Args:
        app: whose corner it is.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._covered = False
        self._waiting: list[Callable[[], None]] = []

    def say(self, note: Callable[[], None]) -> None:
        """Say a note, now or when the screen is shown again."""
        if self._covered:
            self._waiting.append(note)
        else:
            note()

    def cover(self) -> None:
        """The screen is hidden: take every note away, those of the screens underneath too."""
        self._covered = True
        self._app.clear_notifications()
        for screen in self._app.screen_stack:
            screen.query("ToastHolder").remove()

    def uncover(self, *, say: bool) -> None:
        """The screen is shown again.

        Args:
            say: whether what was held back is said; else nobody is there whom it concerns.
        """
        waiting, self._waiting = self._waiting, []
        self._covered = False
        for note in waiting if say else []:
            note()
