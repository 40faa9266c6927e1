"""The foot of the chat screen: how full the model's memory is, and the sentence that always stands there."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.meter import Meter

_NARROW = 88  # cells, below which it needs two lines


class Foot(Horizontal):
    """The meter, and that the answers do not replace a doctor's judgement."""

    DEFAULT_CSS = """
    Foot { height: auto; padding: 0 1; color: $text-muted; }
    Foot > #supports { width: 1fr; height: auto; text-align: right; margin: 0 0 0 2; }
    Foot.narrow { layout: vertical; }
    Foot.narrow > #supports { width: 100%; text-align: left; margin: 0; }
    """

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self.meter = Meter()
        self._supports = Static("", id="supports", markup=False)

    def compose(self) -> ComposeResult:
        """Side by side, or one over the other."""
        yield self.meter
        yield self._supports

    def on_resize(self) -> None:
        """Fold where the line is short."""
        self.set_class(self.size.width < _NARROW, "narrow")

    def relabel(self) -> None:
        """Write it in the language that is spoken now."""
        self.meter.name_it(self._texts("chat.memory"))
        self._supports.update(self._texts("chat.supports"))
