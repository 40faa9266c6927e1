"""A question with two answers, of which the careful one is under the cursor."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

Said = Callable[[], str]


class ConfirmScreen(ModalScreen[bool]):
    """Dismissed with whether it was confirmed. 1 confirms, 2 and Escape do not; arrows and Enter too.

    Args:
        question, yes, no: give their sentences in the language that is chosen when they are asked.
    """

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; }
    ConfirmScreen > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $warning; padding: 0 1;
        background: $surface;
    }
    ConfirmScreen VerticalScroll { height: auto; max-height: 12; }
    ConfirmScreen Horizontal { height: auto; margin: 1 0 0 0; }
    ConfirmScreen Button { width: 1fr; margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,2", "answer(False)", show=False, priority=True),
        Binding("1", "answer(True)", show=False, priority=True),
        Binding("left,up", "focus_previous", show=False),
        Binding("right,down", "focus_next", show=False),
    ]

    def __init__(self, question: Said, yes: Said, no: Said) -> None:
        super().__init__()
        self._said = question, yes, no
        self._question = Static("", markup=False)
        self._yes = Button("", id="yes")
        self._no = Button("", id="no")

    def compose(self) -> ComposeResult:
        """The question over its answers."""
        with Vertical():
            scroll = VerticalScroll(self._question)
            scroll.can_focus = False
            yield scroll
            with Horizontal():
                yield self._yes
                yield self._no

    def on_mount(self) -> None:
        """Put the cursor on the careful answer."""
        self.relabel()
        self._no.focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        question, yes, no = self._said
        self._question.update(question())
        self._yes.label = Content(f"1  {yes()}")
        self._no.label = Content(f"2  {no()}")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button is self._yes)

    def action_answer(self, confirmed: bool) -> None:
        """Answer the question."""
        self.dismiss(confirmed)
