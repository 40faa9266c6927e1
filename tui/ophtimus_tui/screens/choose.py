"""A question with a few answers, one of which is chosen by its digit, with the arrows, or with the mouse."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

Said = Callable[[], str]
AnswerT = TypeVar("AnswerT")


class ChooseScreen(ModalScreen[AnswerT | None], Generic[AnswerT]):
    """Dismissed with what was chosen; with None by Escape."""

    DEFAULT_CSS = """
    ChooseScreen { align: center middle; }
    ChooseScreen > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $warning; padding: 0 1;
        background: $surface;
    }
    ChooseScreen VerticalScroll { height: auto; max-height: 12; }
    ChooseScreen OptionList { height: auto; margin: 1 0 0 0; border: none; }
    ChooseScreen OptionList:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        *(Binding(str(digit), f"choose({digit - 1})", show=False, priority=True) for digit in range(1, 10)),
    ]

    def __init__(self, question: Said, answers: Mapping[AnswerT, Said], at: AnswerT | None = None) -> None:
        """Make the screen.

        Args:
            question, answers: give their sentences in the language that is chosen when they are asked.
            at: the answer under the cursor; the first where it is not given.
        """
        super().__init__()
        self._question, self._answers = question, answers
        self._names = list(answers)
        self._at = next((place for place, name in enumerate(self._names) if name == at), 0)
        self._said = Static("", markup=False)
        self._list = OptionList()

    def compose(self) -> ComposeResult:
        """The question over its answers."""
        with Vertical():
            scroll = VerticalScroll(self._said)
            scroll.can_focus = False
            yield scroll
            yield self._list

    def on_mount(self) -> None:
        """Put the cursor on an answer."""
        self.relabel()
        self._list.highlighted = self._at
        self._list.focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        self._said.update(self._question())
        at = self._list.highlighted
        self._list.clear_options()
        self._list.add_options(
            [
                Option(Content(f"{place}  {said()}"), id=str(place))
                for place, said in enumerate(self._answers.values(), 1)
            ]
        )
        self._list.highlighted = at

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._names[event.option_index])

    def action_choose(self, place: int) -> None:
        """Choose by a digit."""
        if place < len(self._names):
            self.dismiss(self._names[place])

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)
