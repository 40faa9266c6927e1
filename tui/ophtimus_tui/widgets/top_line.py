"""The top of the screen: which model, how it stands, and the warning that a demonstration carries."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static


class TopLine(Vertical):
    """Program, model and state; under them the warning, where there is one, in full at any width."""

    DEFAULT_CSS = """
    TopLine { height: auto; background: $panel; padding: 0 1; }
    TopLine > #warning { color: $warning; text-style: bold; display: none; }
    TopLine > #warning.shown { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._model = Static("Ophtimus", id="model", markup=False)
        self._warning = Static("", id="warning", markup=False)

    def compose(self) -> ComposeResult:
        """The two lines."""
        yield self._model
        yield self._warning

    def show(self, model: str, state: str, warning: str = "") -> None:
        """Name the model and its state."""
        self._model.update(" · ".join(part for part in (f"Ophtimus  {model}", state) if part))
        self._warning.update(warning)
        self._warning.set_class(bool(warning), "shown")
