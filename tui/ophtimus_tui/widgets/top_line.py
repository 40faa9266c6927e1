"""The top of the screen: model, state and role, what becomes of what is asked, the warning of a demonstration."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from ophtimus_tui.widgets.line import Line
from ophtimus_tui.widgets.pressable import Pressable

_NARROW = 80
_WIDE = 116  # from which on there is room for all of it in one line


class TopLine(Vertical):
    """Program, model and state; role and language on the right; under them the warning, where there is one.

    Nothing of the model, its state or the warning is cut at any width; role and language, which have keys,
    are left out where there is no room for them.
    """

    DEFAULT_CSS = """
    TopLine { height: auto; background: $panel; padding: 0 1; }
    TopLine > Horizontal { height: auto; }
    TopLine #model { width: 1fr; height: auto; }
    TopLine Pressable { margin: 0 0 0 1; }
    TopLine.narrow Pressable { display: none; }
    TopLine .keeping { width: auto; display: none; color: $text-muted; }
    TopLine.wide .keeping { display: block; }
    TopLine > #below { height: auto; color: $text-muted; }
    TopLine.wide > #below { display: none; }
    TopLine > #warning { color: $warning; text-style: bold; display: none; height: auto; }
    TopLine > #warning.shown { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._model = Line("Ophtimus", id="model")
        self._keeping = (Line(classes="keeping"), Line(id="below"))
        self._role = Pressable("", id="role")
        self._language = Pressable("한국어 | EN", id="language")
        self._warning = Line(id="warning")

    def compose(self) -> ComposeResult:
        """The two lines."""
        with Horizontal():
            yield self._model
            yield self._keeping[0]
            yield self._role
            yield self._language
        yield self._keeping[1]
        yield self._warning

    def on_resize(self) -> None:
        """Fold what has a key away where the line is short."""
        self.set_class(self.size.width < _NARROW, "narrow")
        self.set_class(self.size.width >= _WIDE, "wide")

    def show(self, model: str, state: str, role: str, warning: str = "") -> None:
        """Name the model, its state, the role and the warning."""
        self._model.say(" · ".join(part for part in (f"Ophtimus  {model}", state) if part))
        self._role.say(role)
        self._warning.say(warning)
        self._warning.set_class(bool(warning), "shown")
        self.set_class(bool(warning), "warning")

    def show_keeping(self, keeping: str) -> None:
        """Say what becomes of what is asked: who can read it, or that it is not kept."""
        for line in self._keeping:
            line.say(keeping)
