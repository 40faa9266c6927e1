"""A sentence of the app's own that stands in the talk."""

from collections.abc import Callable

from textual.widgets import Static


class Remark(Static):
    """A sentence that is said in the language that is spoken now.

    Args:
        say: gives it.
    """

    DEFAULT_CSS = """
    Remark { height: auto; color: $text-muted; margin: 0 0 1 2; }
    """

    def __init__(self, say: Callable[[], str]) -> None:
        super().__init__(say(), markup=False)
        self._say = say

    def relabel(self) -> None:
        """Say it again, in the language that is spoken now."""
        self.update(self._say())
