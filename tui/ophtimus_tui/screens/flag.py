"""What is amiss with an answer: wrong, unsafe or incomplete, and what it should have said."""

from typing import ClassVar, Literal, NamedTuple

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ophtimus_edge.history.talk import Flag
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.choice_list import ChoiceList
from ophtimus_tui.widgets.editor import Editor
from ophtimus_tui.widgets.key_line import KeyLine

Kind = Literal["wrong", "unsafe", "incomplete"]
KINDS: tuple[Kind, ...] = ("wrong", "unsafe", "incomplete")
_LOW = 14  # rows, below which only one box has room at a time


class Flagging(NamedTuple):
    """What a person decided.

    Attributes:
        kind: None where the flag is taken away.
    """

    kind: Kind | None
    correction: str = ""


class FlagScreen(ModalScreen[Flagging | None]):
    """Dismissed with what was decided; with None where all stays as it was.

    Args:
        flag: the one that the answer has.
    """

    AUTO_FOCUS = ""  # it would be the box, and a low screen would scroll to it

    DEFAULT_CSS = """
    FlagScreen { align: center middle; }
    FlagScreen > VerticalScroll {
        width: 90; max-width: 100%; height: 22; max-height: 100%; border: round $warning; background: $surface;
    }
    FlagScreen #title { height: auto; padding: 0 1; margin: 0 0 1 0; }
    FlagScreen Editor { margin: 1 0 0 0; }
    FlagScreen.low > VerticalScroll { border: none; }
    FlagScreen.low #title { display: none; }
    FlagScreen.low Editor { margin: 0; border: none; height: 3; }
    FlagScreen.low KeyLine { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f2,f7", "keep", show=False, priority=True),
    ]

    def __init__(self, texts: Texts, flag: Flag | None) -> None:
        super().__init__()
        self._texts = texts
        self._flag = flag
        self._page = VerticalScroll(can_focus=False)
        self._title = Static("", id="title", markup=False)
        self._kinds = ChoiceList(id="kinds", marks=True)
        self._box = Editor(flag.correction if flag else "")
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """What is amiss, over what it should say; on a low screen, what has the cursor is scrolled to."""
        with self._page:
            yield from (self._title, self._kinds, self._box, self._keys)

    def on_mount(self) -> None:
        """Mark what the answer is flagged as."""
        self._kinds.at = KINDS.index(self._flag.kind) if self._flag else 0
        self.relabel()
        self._kinds.focus(scroll_visible=False)

    def on_resize(self) -> None:
        """Leave what can be left where the screen is low."""
        self.set_class(self.size.height < _LOW, "low")

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._title.update(texts("flag.title"))
        choices = [texts(f"flag.choose_{kind}") for kind in KINDS]
        if self._flag:
            choices.append(texts("flag.take_away"))
        self._kinds.show(choices, at=self._kinds.at)
        self._box.border_title = texts("flag.correction_box")
        self._keys.show(
            [
                (texts("flag.key_choose"), ""), (texts("flag.key_box"), "app.focus_next"),
                (texts("flag.key_keep"), "screen.keep"), (texts("flag.key_leave"), "screen.leave"),
            ]
        )  # fmt: skip

    @on(ChoiceList.Chosen)
    def action_keep(self) -> None:
        """Take what is marked, with what is written."""
        at = self._kinds.at or 0
        if at < len(KINDS):
            self.dismiss(Flagging(KINDS[at], self._box.written.strip("\n")))
        else:
            self._take_away()

    @work
    async def _take_away(self) -> None:
        if self._flag is None:
            return
        if not self._box.written.strip() or await self._sure("flag.sure_away"):
            self.dismiss(Flagging(None))

    @work
    async def action_leave(self) -> None:
        """Leave the answer as it was; what was written is asked about first."""
        before = self._flag.correction if self._flag else ""
        if self._box.written.strip() == before.strip() or await self._sure("flag.sure_leave"):
            self.dismiss(None)

    async def _sure(self, question: str) -> bool:
        texts = self._texts
        screen = ConfirmScreen(
            lambda: texts(question), lambda: texts("flag.drop"), lambda: texts("flag.write_on")
        )
        sure: bool | None = await self.app.push_screen_wait(screen)
        return bool(sure)
