"""A blank screen over everything: nothing of a talk is in sight."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static


class HiddenScreen(Screen[None]):
    """The app's name and a sentence.

    Args:
        say: gives the sentence in the language that is spoken.
        opens: whether Enter or a click shows again what is underneath.
    """

    DEFAULT_CSS = """
    HiddenScreen { align: center middle; background: $background; color: $text; }
    HiddenScreen > Vertical { width: 60; max-width: 100%; height: auto; padding: 0 1; }
    HiddenScreen Static { height: auto; text-align: center; }
    HiddenScreen #name { text-style: bold; margin: 0 0 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "show", show=False, priority=True)]

    def __init__(self, say: Callable[[], str], *, opens: bool) -> None:
        super().__init__()
        self._say, self._opens = say, opens
        self._sentence = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """The name over the sentence."""
        with Vertical():
            yield Static("Ophtimus", id="name", markup=False)
            yield self._sentence

    def on_mount(self) -> None:
        """Write it."""
        self.relabel()

    def relabel(self) -> None:
        """Write the sentence in the language that is spoken now."""
        self._sentence.update(self._say())

    def on_click(self) -> None:
        """As Enter."""
        self.action_show()

    def action_show(self) -> None:
        """Show what is underneath, where it is only hidden."""
        if self._opens:
            self.dismiss(None)


@contextlib.asynccontextmanager
async def hidden_while(app: App[None], say: Callable[[], str]) -> AsyncIterator[None]:
    """Hide everything behind a sentence while something is done that may take long and cannot be left.

    Args:
        say: gives the sentence in the language that is spoken.
    """
    veil = HiddenScreen(say, opens=False)
    await app.push_screen(veil)
    try:
        yield
    finally:
        if app.screen is veil:  # the app may be ending
            veil.dismiss(None)
