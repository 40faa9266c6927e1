"""The top line: which model, how it stands, and the warning that a demonstration carries."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static


class TopLine(Horizontal):
    """Program, model and state at the left; the warning, where there is one, at the right."""

    DEFAULT_CSS = """
    TopLine { height: auto; background: $panel; padding: 0 1; }
    TopLine > #model { width: 1fr; height: auto; }
    TopLine > #warning { width: auto; height: auto; color: $warning; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._model = Static("Ophtimus", id="model", markup=False)
        self._warning = Static("", id="warning", markup=False)

    def compose(self) -> ComposeResult:
        """The two halves."""
        yield self._model
        yield self._warning

    def show(self, model: str, state: str, warning: str = "") -> None:
        """Name the model and its state."""
        self._model.update(" · ".join(part for part in (f"Ophtimus  {model}", state) if part))
        self._warning.update(warning)
