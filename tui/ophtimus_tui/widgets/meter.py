"""How full the model's context is: what the talk may still hold before its oldest turns are dropped."""

from ophtimus_tui.widgets.line import Line

_CELLS = 15
_FULL = 0.8  # from here on it is coloured as a warning


class Meter(Line):
    """A bar with a percentage."""

    DEFAULT_CSS = """
    Meter { width: auto; height: 1; color: $text-muted; }
    Meter.full { color: $warning; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self._share = 0.0

    def name_it(self, name: str) -> None:
        """Write another name before the bar."""
        self._name = name
        self._write()

    def show(self, tokens: int, context: int) -> None:
        """Show how many tokens of the context are taken."""
        self._share = min(1.0, tokens / context) if context else 0.0
        self._write()

    def _write(self) -> None:
        cells = round(self._share * _CELLS)
        bar = "█" * cells + "░" * (_CELLS - cells)
        self.say(f"{self._name} ▕{bar}▏ {round(self._share * 100)} %")
        self.set_class(self._share >= _FULL, "full")
