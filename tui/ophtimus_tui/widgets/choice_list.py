"""A list to choose from, by digit, by arrows and Enter, or with the mouse; or to mark one of, and take it then."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

_DIGITS = 9  # beyond them a choice has no digit, only the arrows and the mouse


class Choice(Horizontal):
    """One line of the list: a sign, its digit, and its text, which wraps beside them."""

    DEFAULT_CSS = """
    Choice { height: auto; padding: 0 1; }
    Choice > .mark { width: auto; height: auto; color: $text-muted; }
    Choice > .text { width: 1fr; height: auto; }
    Choice:hover { background: $boost; }
    Choice.at { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
    Choice.at > .mark { color: $block-cursor-foreground; }
    """

    @dataclass
    class Clicked(Message):
        """The line was clicked."""

        place: int

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place
        self._mark = Static("", classes="mark", markup=False)
        self._text = Static("", classes="text", markup=False)

    def compose(self) -> ComposeResult:
        """Sign and digit, then the text."""
        yield self._mark
        yield self._text

    def on_click(self, event: events.Click) -> None:
        """Pass a click on; the second of a double click would take something on the next page."""
        event.stop()
        if event.chain == 1:
            self.post_message(self.Clicked(self.place))

    def show(self, text: str, sign: str, *, at: bool) -> None:
        """Write the line anew; ``sign`` stands in front where the list is only to be read."""
        digit = str(self.place + 1) if self.place < _DIGITS else " "
        self._mark.update(f"{sign or ('▸' if at else ' ')} {digit}  ")
        self._text.update(text)
        self.set_class(at, "at")


class ChoiceList(Vertical, can_focus=True):
    """Choices under one another.

    Lines are kept and written anew, so that another page or another language is there at once. At
    either end the arrows go on to what the list stands in, which scrolls.

    Args:
        marks: digits and the mouse only mark a line, and Enter takes it; without it they take it at once.
    """

    DEFAULT_CSS = """
    ChoiceList { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """A choice was made.

        Attributes:
            place: from 0.
        """

        choices: "ChoiceList"
        place: int

    @dataclass
    class Marked(Message):
        """Another line is marked: what Enter would take.

        Attributes:
            place: from 0.
        """

        choices: "ChoiceList"
        place: int

    def __init__(self, *, id: str, marks: bool = False) -> None:  # noqa: A002 (Textual's own name for it)
        super().__init__(id=id)
        self._marks = marks
        self._texts: tuple[str, ...] = ()
        self._signs: tuple[str, ...] = ()
        self._lines: list[Choice] = []
        self._open = False
        self.at: int | None = None

    def show(self, texts: Sequence[str], *, at: int | None = None, signs: Sequence[str] = ()) -> None:
        """Show these choices.

        Args:
            texts: one or more; none hides the list.
            at: the one that Enter takes; None where Enter is to take none before an arrow was pressed.
            signs: what stands in front of each, in a list that is only to be read.
        """
        self._texts, self._signs = tuple(texts), tuple(signs)
        self._open = bool(texts) and not signs
        self.at = at if self._open else None
        self.can_focus = self._open
        self.display = bool(texts)
        missing = [Choice(place) for place in range(len(self._lines), len(texts))]
        self._lines += missing
        if missing:
            self.mount(*missing)
        self._write()

    def on_mount(self) -> None:
        """Nothing is there to choose yet."""
        self.display = bool(self._texts)

    def action_move(self, by: int) -> None:
        """Go to the next line or the one before it."""
        last = len(self._texts) - 1
        to = (0 if by > 0 else last) if self.at is None else self.at + by
        if not 0 <= to <= last:
            raise SkipAction
        self._mark(to)

    def action_choose(self) -> None:
        """Take the line that is marked."""
        if self._open and self.at is not None:
            self.post_message(self.Chosen(self, self.at))

    def on_key(self, event: events.Key) -> None:
        """A digit takes its line, or marks it."""
        if event.key in {str(digit) for digit in range(1, _DIGITS + 1)}:
            event.stop()
            self._pick(int(event.key) - 1)

    def on_choice_clicked(self, clicked: Choice.Clicked) -> None:
        """A click takes its line, or marks it."""
        clicked.stop()
        self._pick(clicked.place)

    def _pick(self, place: int) -> None:
        if not self._open or place >= len(self._texts):
            return
        if self._marks:
            self._mark(place)
        else:
            self.post_message(self.Chosen(self, place))

    def _mark(self, place: int) -> None:
        if place != self.at:
            self.at = place
            self._write()
            self._lines[place].scroll_visible()
            self.post_message(self.Marked(self, place))

    def _write(self) -> None:
        for line in self._lines:
            line.display = line.place < len(self._texts)
            if line.display:
                sign = self._signs[line.place] if self._signs else ""
                line.show(self._texts[line.place], sign, at=line.place == self.at)
