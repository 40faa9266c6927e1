"""Help: the keys, what the lines around an answer mean, what is stored where, and how to report a fault."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from ophtimus_edge import locations
from ophtimus_edge.text import sanitize
from ophtimus_tui.keys import Key
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.pressable import Pressable

Keys = Sequence[Key]
_NAMES = {
    "escape": "Esc", "enter": "Enter", "pageup": "PgUp", "pagedown": "PgDn", "up": "↑", "down": "↓",
    "left": "←", "right": "→", "space": "Space", "tab": "Tab", "home": "Home", "end": "End",
    "delete": "Del", "insert": "Ins", "backspace": "Backspace", "ctrl": "Ctrl", "shift": "Shift", "alt": "Alt",
}  # fmt: skip
_SECTIONS = ("safety", "stored", "fault")


def key_name(keys: str) -> str:
    """Keys as they are printed on a keyboard: ``ctrl+j`` is Ctrl+J, ``pageup,pagedown`` is PgUp, PgDn."""
    return ", ".join(
        "+".join(_NAMES.get(part, part.upper()) for part in key.strip().split("+")) for key in keys.split(",")
    )


class _KeyLine(Horizontal):
    """A key beside what it does, which wraps in its own column."""

    DEFAULT_CSS = """
    _KeyLine { width: 100%; max-width: 100; height: auto; }
    _KeyLine > Static { height: auto; }
    _KeyLine > .sentence { width: 1fr; }
    """

    def __init__(self, key: Key, width: int) -> None:
        super().__init__()
        self._key = key
        self._name_of_key = Static(key_name(key.keys), markup=False)
        self._name_of_key.styles.width = width + 2
        self._sentence = Static("", classes="sentence", markup=False)

    def compose(self) -> ComposeResult:
        """The key, then the sentence."""
        yield self._name_of_key
        yield self._sentence

    def relabel(self, texts: Texts) -> None:
        """Say what it does in the language that is spoken now."""
        self._sentence.update(texts(self._key.sentence))


class HelpScreen(Screen[None]):
    """All of it on one page that scrolls; Escape or F1 closes it.

    The keys are handed in by the caller, from the same tuples that bind them, so that what stands here
    is what the keys do.
    """

    DEFAULT_CSS = """
    HelpScreen { background: $background; color: $text; }
    HelpScreen #help { height: 1fr; padding: 1 2; }
    HelpScreen #help > Static { width: 100%; max-width: 100; }
    HelpScreen .title { text-style: bold; color: $accent; margin: 1 0 0 0; }
    HelpScreen #foot { height: 1; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False, priority=True),
        Binding("f1", "close", show=False, priority=True),
    ]

    def __init__(self, texts: Texts, keys: Mapping[str, Keys]) -> None:
        """Make the screen.

        Args:
            keys: those of each screen, by the key of the sentence that stands above them.
        """
        super().__init__()
        self._texts = texts
        self._keys = keys
        self._page = VerticalScroll(id="help")
        sections = [f"help.{name}_title" for name in _SECTIONS]
        self._titles = {name: Static("", classes="title", markup=False) for name in [*keys, *sections]}
        self._bodies = {name: Static("", markup=False) for name in sections}
        self._close = Pressable("", id="close")

    def compose(self) -> ComposeResult:
        """The sections, and the line that closes."""
        with self._page:
            width = max(
                (cell_len(key_name(key.keys)) for keys in self._keys.values() for key in keys), default=0
            )
            for name, title in self._titles.items():
                yield title
                for key in self._keys.get(name, ()):
                    yield _KeyLine(key, width)
                if name in self._bodies:
                    yield self._bodies[name]
        yield self._close

    def on_mount(self) -> None:
        """Write it; the arrows scroll at once."""
        self.relabel()
        self._page.focus()

    def relabel(self) -> None:
        """Write everything anew, in the language that is spoken now."""
        for name, title in self._titles.items():
            title.update(self._texts(name))
        for line in self.query(_KeyLine):
            line.relabel(self._texts)
        self._bodies["help.safety_title"].update(self._texts("help.safety_text"))
        self._bodies["help.stored_title"].update(
            self._texts(
                "help.stored_text",
                settings=_shown(locations.settings_file()),
                history=_shown(locations.history_folder()),
                models=_shown(locations.models_folder()),
                log=_shown(locations.engine_log()),
            )
        )
        self._bodies["help.fault_title"].update(self._texts("help.fault_text"))
        self._close.update(self._texts("help.close"))

    @on(Pressable.Pressed, "#close")
    def action_close(self) -> None:
        """Go back to the screen underneath."""
        self.dismiss(None)


def _shown(path: object) -> str:
    return sanitize(str(path))
