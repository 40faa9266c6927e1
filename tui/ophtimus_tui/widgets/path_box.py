"""A box in which a path is typed, dragged or put by a pick."""

from pathlib import Path

from textual.widgets import Input

from ophtimus_tui.model_rows import line


class PathBox(Input):
    """One line; knows the path that it stands for."""

    DEFAULT_CSS = """
    PathBox { border: none; height: 1; margin: 0 1; padding: 0 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._picked: tuple[str, Path] | None = None  # how the box shows a pick, and its path

    def take(self, path: Path) -> None:
        """Show a pick. What the box cannot show, such as a control character, is not lost."""
        shown = line(str(path))
        self._picked = shown, path
        self.value = shown

    @property
    def path(self) -> Path:
        """What the box names; a terminal into which a file is dragged puts it in quotes."""
        if self._picked is not None and self._picked[0] == self.value:
            return self._picked[1]
        value = self.value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        return Path.home() / value[2:] if value.startswith("~/") else Path(value)
