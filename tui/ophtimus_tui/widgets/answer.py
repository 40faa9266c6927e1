"""A model's answer as it grows: Markdown that is read once a line, and hides nothing of its source."""

import math
import time
from bisect import bisect_right
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from ophtimus_edge.text import sanitize
from ophtimus_tui.widgets.markdown_blocks import MarkdownBlocks
from ophtimus_tui.widgets.markdown_lines import Line, Page

_UPDATE_S = 0.125  # the eye needs no more
_REST = 8  # an update and its drawing are followed by so many times what they took of the processor
_REST_TYPING = 30  # the same while somebody types: the keys go before the answer
_TYPING_S = 0.5  # after a key
_SOON_S = 0.02
_NARROWEST = 4  # cells; a page is never laid out for less


class Answer(Widget):
    """The answer of a model.

    What is consumed of its Markdown, and what stays as written, is said in ``markdown_blocks`` and
    ``markdown_inline``. Lines that are finished are read as Markdown, once; the last line, and a table
    that goes on, stand as plain text until they are finished. It is one widget however long it grows: it
    draws the rows that are seen, and its wrapped rows are the only layout there is.

    What a terminal would obey is dropped once more before it is drawn (``sanitize``). Tabs are shown as
    four blanks. Zero-width joiners are not drawn: terminals disagree on the width of what they join.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "answer--title",
        "answer--heading",
        "answer--strong",
        "answer--emphasis",
        "answer--code",
        "answer--marker",
        "answer--key",
        "answer--faint",
    }
    DEFAULT_CSS = """
    Answer { width: 1fr; height: auto; }
    Answer > .answer--title { color: $text-primary; text-style: bold underline; }
    Answer > .answer--heading { color: $text-primary; text-style: bold; }
    Answer > .answer--strong { text-style: bold; }
    Answer > .answer--emphasis { text-style: italic; }
    Answer > .answer--code { background: $boost; }
    Answer > .answer--marker { color: $text-accent; }
    Answer > .answer--key { color: $text-primary; text-style: bold; }
    Answer > .answer--faint { color: $text-muted; }
    """

    raw: reactive[bool] = reactive(False, init=False)
    """Whether the source is shown as it was added; can be switched at any time."""

    struck: reactive[bool] = reactive(False, init=False)
    """Whether a line is drawn through it, as somebody found it amiss."""

    class Grew(Message):
        """The answer became longer, and this has been drawn."""

        def __init__(self, answer: "Answer") -> None:
            super().__init__()
            self.answer = answer

        @property
        def control(self) -> "Answer":
            """The answer."""
            return self.answer

    def __init__(self, *, raw: bool = False) -> None:
        super().__init__()
        self._chunks: list[str] = []
        self._unread: list[str] = []
        self._finished = False
        self._reopened = False  # text came after the end: the last line goes on
        self._splitter = MarkdownBlocks(raw=raw)
        self._page = Page(80)
        self._styles_by_names: dict[tuple[str, ...], Style] = {}
        self._due: Timer | None = None
        self._not_before = 0.0
        self.set_reactive(Answer.raw, raw)

    @property
    def text(self) -> str:
        """The source, exactly as it was added."""
        if len(self._chunks) > 1:
            self._chunks = ["".join(self._chunks)]
        return self._chunks[0] if self._chunks else ""

    def add(self, text: str) -> None:
        """The answer goes on; it is drawn with the next update."""
        self._chunks.append(text)
        self._unread.append(text)
        if self._finished:
            self._finished, self._reopened = False, True
        if self._due is None and self.is_running:
            self._due = self.set_timer(max(0.01, self._not_before - time.monotonic()), self._update)

    def finish(self) -> None:
        """The answer is complete: read all of its source once more, and draw it."""
        self._finished = True
        if self.is_running:
            self._show_whole()

    def replace(self, text: str) -> None:
        """Show another text in the place of this one."""
        self._chunks = [text]
        self._unread.clear()
        if self.is_running:
            self._show_whole()

    def on_mount(self) -> None:
        """Show what was added before."""
        self._show_whole()

    def watch_raw(self) -> None:
        """Show the same text the other way."""
        self._rebuild(self._page.width)
        self.refresh(layout=True)

    def watch_struck(self) -> None:
        """Draw it with the line, or without."""
        self._styles_by_names.clear()
        self.refresh()

    def _show_whole(self) -> None:
        before = len(self._page.rows)
        self._rebuild(self._page.width)
        self._drawn(before, 0, anew=True)

    def _update(self) -> None:
        """Draw what has been added since the last time."""
        self._due = None
        if self._not_before - time.monotonic() > _SOON_S:  # the last one took long, which was not known yet
            self._due = self.set_timer(self._not_before - time.monotonic(), self._update)
            return
        if self._reopened:
            self._reopened = False
            self._show_whole()
            return
        if not self._unread:
            return
        begun, spent = time.monotonic(), time.thread_time()
        before = len(self._page.rows)
        text = _clean("".join(self._unread))
        self._unread.clear()
        blocks = self._splitter.feed(text)
        first = self._page.close(blocks) if blocks else before
        first = min(first, self._page.open(self._splitter.tail))
        self._drawn(before, first)
        self._not_before = begun + _UPDATE_S
        self.call_after_refresh(self._rest, begun, spent)

    def _rest(self, begun: float, spent: float) -> None:
        """Leave the processor to the model and to keys, the longer the more the last update took of it."""
        typed_at = getattr(self.screen.focused, "typed_at", -math.inf)
        rest = _REST_TYPING if time.monotonic() - typed_at < _TYPING_S else _REST
        self._not_before = begun + max(_UPDATE_S, rest * (time.thread_time() - spent))

    def _drawn(self, before: int, first: int, *, anew: bool = False) -> None:
        """Ask for the rows from ``first`` on to be drawn, and say when more of them are."""
        now = len(self._page.rows)
        if now != before or anew:
            self.refresh(layout=True)
        else:
            self.refresh(Region(0, first, self.size.width, now - first))
        if now > before:
            self.call_after_refresh(self.post_message, self.Grew(self))

    def _rebuild(self, width: int) -> None:
        """Lay all of the source out for a width."""
        self._unread.clear()
        self._splitter = MarkdownBlocks(raw=self.raw)
        self._page = Page(width)
        blocks = self._splitter.feed(_clean(self.text))
        if self._finished:
            blocks += self._splitter.close()
        self._page.close(blocks)
        self._page.open(self._splitter.tail)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The rows of the answer at a width in cells."""
        if not width:
            return 0
        if self._page.width != max(_NARROWEST, width):
            self._rebuild(max(_NARROWEST, width))
        return len(self._page.rows)

    def notify_style_update(self) -> None:
        """The theme may have changed."""
        super().notify_style_update()
        self._styles_by_names.clear()

    def render_line(self, y: int) -> Strip:
        """The row ``y``, with its place in the text for the mouse."""
        width = self.size.width
        if y >= len(self._page.rows):
            return Strip.blank(width, self._style())
        number, start, end = self._page.rows[y]
        line = self._page.lines[number]
        base = self._style(line.fill) if line.fill else self._style()
        room = max(_NARROWEST, width) - (line.hang if start else 0)
        segments = [Segment(" " * line.hang, base)] if start and line.hang else []
        shown = line.text[start:end]
        if cell_len(shown) > room:  # blanks at the end of a row may stand beyond the page
            shown = shown.rstrip(" \u3000")
            end = start + len(shown)
        selected = self._selected(number, len(line.text))
        for begin, stop, names in _pieces(line, start, end):
            style = self._style(*names)
            for one, other, chosen in _cut(begin, stop, selected):
                own = style + self._selection_style if chosen else style
                place = Style.from_meta({"offset": (one, number)})
                segments.append(Segment(line.text[one:other], own + place))
        if not shown:
            segments.append(Segment(" ", base + Style.from_meta({"offset": (0, number)})))
        return Strip(segments).extend_cell_length(width, base)

    def _style(self, *names: str) -> Style:
        style = self._styles_by_names.get(names)
        if style is None:
            style = self.get_visual_style(*(f"answer--{name}" for name in names)).rich_style
            style += Style(strike=self.struck)
            self._styles_by_names[names] = style
        return style

    @property
    def _selection_style(self) -> Style:
        return self.screen.get_component_rich_style("screen--selection")

    def _selected(self, number: int, length: int) -> tuple[int, int]:
        selection = self.text_selection
        span = selection.get_span(number) if selection is not None else None
        if span is None:
            return 0, 0
        return span[0], length if span[1] == -1 else span[1]

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What is selected, with the line breaks of the answer and not those of its rows."""
        parts = []
        for number, line in enumerate(self._page.lines):
            span = selection.get_span(number)
            if span is not None:
                parts.append(line.text[span[0] :] if span[1] == -1 else line.text[span[0] : span[1]])
        return "\n".join(parts), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw what is selected."""
        self.refresh()


def _clean(text: str) -> str:
    """A text as it is drawn. Each character is judged alone, so any split of a text gives the same."""
    return sanitize(text).replace("\t", "    ").replace("\u200d", "")


def _pieces(line: Line, start: int, end: int) -> list[tuple[int, int, tuple[str, ...]]]:
    """The stretches of one style between two characters of a line."""
    pieces: list[tuple[int, int, tuple[str, ...]]] = []
    at = start
    runs = line.runs
    place = max(0, bisect_right(runs, start, key=lambda run: run.start) - 1)
    while at < end:
        if place < len(runs) and runs[place].end <= at:
            place += 1
            continue
        if place == len(runs) or runs[place].start >= end:
            pieces.append((at, end, ()))
            break
        run = runs[place]
        if run.start > at:
            pieces.append((at, run.start, ()))
        pieces.append((max(at, run.start), min(end, run.end), run.names))
        at = min(end, run.end)
    return pieces


def _cut(start: int, end: int, selected: tuple[int, int]) -> list[tuple[int, int, bool]]:
    """A stretch cut where the selection begins and ends."""
    one, other = max(start, selected[0]), min(end, selected[1])
    if one >= other:
        return [(start, end, False)]
    parts = [(start, one, False), (one, other, True), (other, end, False)]
    return [part for part in parts if part[0] < part[1]]
