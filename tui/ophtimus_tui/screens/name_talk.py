"""Another title for a talk."""

import unicodedata
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ophtimus_edge.text import sanitize
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine

_LONGEST = 200  # characters


class NameTalkScreen(ModalScreen[str | None]):
    """Dismissed with the title, or with None where it stays.

    Args:
        title: that the talk has.
    """

    DEFAULT_CSS = """
    NameTalkScreen { align: center middle; }
    NameTalkScreen > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $primary; background: $surface;
    }
    NameTalkScreen #title { height: auto; padding: 0 1; }
    NameTalkScreen Input, NameTalkScreen Input:focus {
        border: none; height: 1; margin: 1 1; padding: 0 1; background: $panel;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f2", "keep", show=False, priority=True),
    ]

    def __init__(self, texts: Texts, title: str) -> None:
        super().__init__()
        self._texts = texts
        self._title = Static("", id="title", markup=False)
        self._box = Input(title, compact=True, max_length=_LONGEST, select_on_focus=False)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """The box under what it is for."""
        with VerticalScroll(can_focus=False):
            yield from (self._title, self._box, self._keys)

    def on_mount(self) -> None:
        """Put the cursor behind the title."""
        self.relabel()
        self._box.focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._title.update(texts("history.name_title"))
        self._keys.show(
            [(texts("history.key_keep"), "screen.keep"), (texts("history.key_leave"), "screen.leave")]
        )

    @on(Input.Submitted)
    def action_keep(self) -> None:
        """Take what is written; a title of blanks is none. A last syllable may arrive behind Enter."""
        self.set_timer(0.06, self._take)

    def _take(self) -> None:
        title = " ".join(sanitize(unicodedata.normalize("NFC", self._box.value)).split())
        if title and self.is_current:
            self.dismiss(title)

    def action_leave(self) -> None:
        """Leave the title as it was."""
        self.dismiss(None)
