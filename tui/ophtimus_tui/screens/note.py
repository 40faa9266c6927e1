"""A note on what is being voted on."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.editor import Editor
from ophtimus_tui.widgets.key_line import KeyLine


class NoteScreen(ModalScreen[None]):
    """A box in which digits are digits. Whatever is written is kept, however the box is left.

    Args:
        note: what was written before.
        changed: told what stands in the box, whenever that changes.
    """

    DEFAULT_CSS = """
    NoteScreen { align: center middle; }
    NoteScreen > Vertical {
        width: 90; max-width: 100%; height: 14; max-height: 100%; border: round $primary; background: $surface;
    }
    NoteScreen #title { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f6,f2", "close", show=False, priority=True),
    ]

    def __init__(self, texts: Texts, note: str, changed: Callable[[str], None]) -> None:
        super().__init__()
        self._texts, self._changed = texts, changed
        self._title = Static("", id="title", markup=False)
        self._box = Editor(note)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """What it is for, the box, how it is left."""
        with Vertical():
            yield from (self._title, self._box, self._keys)

    def on_mount(self) -> None:
        """Put the cursor behind what was written before."""
        self.relabel()
        self._box.move_cursor(self._box.document.end)
        self._box.focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        self._title.update(self._texts("blind.note_title"))
        self._keys.show([(self._texts("blind.key_note_close"), "screen.close")])

    @on(Editor.Changed)
    def _take(self) -> None:
        self._changed(self._box.written.strip("\n"))

    def action_close(self) -> None:
        """Go back to the answers."""
        self._take()
        self.dismiss(None)
