"""The first start: three short pages with one question each."""

from typing import ClassVar, Literal

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.choice_list import ChoiceList
from ophtimus_tui.widgets.pressable import Pressable

_LANGUAGES = ("ko", "en")  # in the order in which they are offered
_PAGES = ("language", "about", "history")
_LOW = 18  # rows, below which nothing is left blank

HistoryWish = Literal["passphrase", "open", "nothing"]
_WISHES: tuple[HistoryWish, ...] = ("passphrase", "open", "nothing")


class FirstChoices(msgspec.Struct, frozen=True):
    """What was chosen.

    Attributes:
        language: ``en`` or ``ko``.
        history: kept behind a passphrase, open to all at this computer, or not kept.
    """

    language: str
    history: HistoryWish


class FirstStartScreen(Screen[FirstChoices]):
    """Asks for the language, says what this is, asks what may be kept; ends with what was chosen.

    Digits, arrows and the mouse mark an answer. Enter takes what is marked, which is a page's default at
    first. Escape takes what is marked and the defaults of the pages that follow. The language is switched
    as soon as it is marked.
    """

    DEFAULT_CSS = """
    FirstStartScreen { align: center middle; background: $background; }
    FirstStartScreen #page { width: 100%; max-width: 76; height: auto; padding: 1 2;
                             background: $surface; color: $text; }
    FirstStartScreen #reading { height: auto; }
    FirstStartScreen #step { color: $text-muted; }
    FirstStartScreen #title { text-style: bold; margin: 0 0 1 0; }
    FirstStartScreen #text { height: auto; }
    FirstStartScreen #question { text-style: bold; margin: 1 0 0 0; }
    FirstStartScreen #choices { margin: 1 0; }
    FirstStartScreen #keys { width: 100%; max-width: 76; height: 1; padding: 0 1; }
    FirstStartScreen .absent { display: none; }
    FirstStartScreen.low #page { padding: 0 2; }
    FirstStartScreen.low #title, FirstStartScreen.low #choices { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # Behind the list's own keys: what was marked just before is marked by then.
        Binding("enter", "take", show=False),
        Binding("escape", "take_all", show=False),
        Binding("left", "back", show=False),
        Binding("pageup", "scroll(-1)", show=False, priority=True),
        Binding("pagedown", "scroll(1)", show=False, priority=True),
    ]

    def __init__(self, texts: Texts) -> None:
        """Make the screen.

        Args:
            texts: in the language that is the default; switched to the one that is marked.
        """
        super().__init__()
        self._texts = texts
        self._page = 0
        self._marked = [_LANGUAGES.index(texts.language), 0, _WISHES.index("open")]
        self._step = Static("", id="step", markup=False)
        self._title = Static("", id="title", markup=False)
        self._text = Static("", id="text", markup=False)
        self._question = Static("", id="question", markup=False)
        self._choices = ChoiceList(id="choices", marks=True)
        self._body = VerticalScroll(self._text, id="reading")
        self._enter = Pressable("", id="enter")
        self._back = Pressable("", id="back")
        self._escape = Pressable("", id="escape")

    def compose(self) -> ComposeResult:
        """The page, and under it what the keys do."""
        with Vertical(id="page"):
            yield self._step
            yield self._title
            yield self._body
            yield self._question
            yield self._choices
        with Horizontal(id="keys"):
            yield self._enter
            yield self._escape
            yield self._back

    def on_mount(self) -> None:
        """Open the first page."""
        self._body.can_focus = False
        self._open(0)

    def relabel(self) -> None:
        """Write everything anew, in the language that is spoken now, which may have been switched by its key."""
        self._marked[0] = _LANGUAGES.index(self._texts.language)
        page = _PAGES[self._page]
        self._step.update(self._texts("first_start.step", number=self._page + 1, count=len(_PAGES)))
        self._title.update(self._texts(f"first_start.{page}_title"))
        text = "" if page == "language" else self._texts(f"first_start.{page}_text")
        self._text.update(text)
        self._question.update(self._texts(f"first_start.{page}_question"))
        self._choices.show(self._answers(), at=self._marked[self._page])
        self._enter.update(self._texts("first_start.enter"))
        self._escape.update(self._texts("first_start.escape"))
        self._back.update(self._texts("first_start.back"))
        self._back.set_class(self._page == 0, "absent")
        self._escape.set_class(self._page == len(_PAGES) - 1, "absent")

    @on(ChoiceList.Marked)
    def marked(self) -> None:
        """Remember it; a language is spoken at once."""
        self._remember()
        self.relabel()

    def _remember(self) -> None:
        """Keep what is marked on this page."""
        if self._choices.at is not None:
            self._marked[self._page] = self._choices.at
        if _PAGES[self._page] == "language":
            self._texts.switch(_LANGUAGES[self._marked[0]])

    @on(ChoiceList.Chosen)
    @on(Pressable.Pressed, "#enter")
    def action_take(self) -> None:
        """Take what is marked, and go on."""
        if self._page + 1 < len(_PAGES):
            self._open(self._page + 1)
        else:
            self._end()

    @on(Pressable.Pressed, "#escape")
    def action_take_all(self) -> None:
        """Take what is marked here, and the defaults of the pages that were not opened."""
        self._end()

    @on(Pressable.Pressed, "#back")
    def action_back(self) -> None:
        """Go back a page."""
        if self._page > 0:
            self._open(self._page - 1)

    def on_resize(self) -> None:
        """Let the text scroll where the screen is low, without blank lines: question and answers stay in sight."""
        self.set_class(self.size.height < _LOW, "low")
        self.call_after_refresh(self._fit)

    def action_scroll(self, pages: int) -> None:
        """Move a page that is longer than the screen."""
        if pages < 0:
            self._body.scroll_page_up()
        else:
            self._body.scroll_page_down()

    def _open(self, page: int) -> None:
        self._remember()
        self._page = page
        self.relabel()
        self._choices.focus()
        self._body.scroll_home(animate=False)
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        around = self.query_one("#page").outer_size.height - self._body.outer_size.height
        self._body.styles.max_height = max(3, self.size.height - around - 1)

    def _answers(self) -> list[str]:
        if _PAGES[self._page] == "language":
            return [self._texts(f"first_start.language_{language}") for language in _LANGUAGES]
        if _PAGES[self._page] == "about":
            return [self._texts("first_start.about_read")]
        return [self._texts(f"first_start.history_{wish}") for wish in _WISHES]

    def _end(self) -> None:
        self._remember()
        language, _, history = self._marked
        self.dismiss(FirstChoices(_LANGUAGES[language], _WISHES[history]))
