"""The keys of a screen, each of which the mouse can click."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

_GAP = "   "


def clickable(text: str, action: str) -> Content:
    """Words that run an action when they are clicked, such as ``screen.stop``; "" for words that do nothing."""
    part = Content(text)
    return part.stylize(Style.from_meta({"@click": action})) if action else part


class KeyLine(Static):
    """Keys and what they do; on as many lines as it takes, so that none is cut off or torn apart."""

    DEFAULT_CSS = """
    KeyLine { height: auto; padding: 0 1; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._shown: Sequence[tuple[str, str]] = ()

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show keys.

        Args:
            keys: what is shown, such as ``F2 add``, and the action that a click runs, such as
                ``screen.add``; "" for a key that is no action.
        """
        self._shown = keys
        self._write()

    def on_resize(self) -> None:
        """Put the keys on lines of the new width."""
        self._write()

    def _write(self) -> None:
        lines: list[list[Content]] = [[]]
        taken = 0
        for text, action in self._shown:
            width = cell_len(text) + len(_GAP)
            if lines[-1] and taken + width - len(_GAP) > self.content_size.width > 0:
                lines.append([])
                taken = 0
            lines[-1].append(clickable(text, action))
            taken += width
        self.update(Content("\n").join([Content(_GAP).join(parts) for parts in lines]))
