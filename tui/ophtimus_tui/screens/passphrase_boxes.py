"""Asking for secrets: a passphrase that is made up now, written twice; or one that opens something."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ophtimus_edge.history.keys import SHORTEST_PASSPHRASE
from ophtimus_tui.screens.choose import Said
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine

_LATE_S = 0.06  # a syllable that is still composed arrives behind the Enter that ended it


class SecretScreen(ModalScreen[str | None]):
    """Dismissed with the secret, or with None.

    Args:
        title: gives what it is for.
        new: whether it is made up now: then it is written twice, and may not be too short.
    """

    DEFAULT_CSS = """
    SecretScreen { align: center middle; }
    SecretScreen > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $primary; background: $surface;
    }
    SecretScreen Static { height: auto; padding: 0 1; }
    SecretScreen Input, SecretScreen Input:focus {
        border: none; height: 1; margin: 1 1 0 1; padding: 0 1; background: $panel;
    }
    SecretScreen #said { color: $error; }
    SecretScreen KeyLine { margin: 1 0 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f2", "take", show=False, priority=True),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, texts: Texts, title: Said, *, new: bool) -> None:
        super().__init__()
        self._texts = texts
        self._said_title = title
        self._new = new
        self._problem: Callable[[], str] | None = None
        self._title, self._said = Static("", markup=False), Static("", id="said", markup=False)
        self._boxes = [Input(password=True, compact=True) for _ in range(2 if new else 1)]
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """What it is for, the boxes, what is amiss."""
        with VerticalScroll(can_focus=False):
            yield self._title
            yield from self._boxes
            yield from (self._said, self._keys)

    def on_mount(self) -> None:
        """Put the cursor into the first box."""
        self.relabel()
        self._boxes[0].focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._title.update(self._said_title())
        names = ("backup.passphrase", "backup.passphrase_again") if self._new else ("backup.secret",)
        for box, name in zip(self._boxes, names, strict=True):
            box.placeholder = texts(name)
        self._said.update(self._problem() if self._problem else "")
        self._keys.show(
            [(texts("backup.key_take"), "screen.take"), (texts("backup.key_leave"), "screen.leave")]
        )

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if event.input is self._boxes[-1]:
            self.set_timer(_LATE_S, self.action_take)
        else:
            self.set_timer(_LATE_S, self._boxes[1].focus)

    def action_take(self) -> None:
        """Take what is written, where it can be taken."""
        texts, secret = self._texts, self._boxes[0].value
        self._problem = None
        if not secret:
            self._boxes[0].focus()
            return
        if self._new and len(secret.strip()) < SHORTEST_PASSPHRASE:
            self._problem = lambda: texts("backup.too_short", least=SHORTEST_PASSPHRASE)
        elif self._new and secret != self._boxes[1].value:
            self._problem = lambda: texts("backup.differ")
        if self._problem:
            self._boxes[0].focus()
            self.relabel()
        elif self.is_current:
            self.dismiss(secret)

    def action_leave(self) -> None:
        """Take nothing."""
        self.dismiss(None)
