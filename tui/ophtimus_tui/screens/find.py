"""Finding what was asked and answered, in all talks: a box, and the messages that hold its words."""

import asyncio
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.history.keeping import Head, History, Hit
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.model_rows import line
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine

_PAUSE_S = 0.05  # between keys; a fast hand starts one search, not five
_LATE_S = 0.06  # a syllable that is still composed arrives behind the Enter that ended it
_LOW = 12  # rows, below which there is room for box and hits only
_FOUND = "bold underline"


class FindScreen(Screen[Hit | None]):
    """Dismissed with the message that was chosen, or None. The box keeps the cursor; the arrows move in the hits."""

    DEFAULT_CSS = """
    FindScreen { background: $background; color: $text; }
    FindScreen #title { height: auto; padding: 0 1; color: $text-muted; }
    FindScreen Input, FindScreen Input:focus {
        border: none; height: 1; margin: 0 1; padding: 0 1; background: $panel;
    }
    FindScreen #state { height: auto; padding: 0 1; margin: 1 0 0 0; color: $text-muted; }
    FindScreen #state.error { color: $error; }
    FindScreen OptionList, FindScreen OptionList:focus { height: 1fr; border: none; background: $background; }
    FindScreen.low #title, FindScreen.low KeyLine { display: none; }
    FindScreen.low #state { margin: 0; }
    FindScreen.empty OptionList { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f3", "leave", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
    ]

    def __init__(self, texts: Texts, history: History) -> None:
        super().__init__()
        self._texts = texts
        self._history = history
        self._heads: dict[str, Head] | None = None
        self._hits: list[Hit] = []
        self._found = ""  # the words that the hits are of
        self._error: OphtimusError | None = None
        self._opening: Timer | None = None
        self._title = Static("", id="title", markup=False)
        self._box = Input(compact=True)
        self._state = Static("", id="state", markup=False)
        self._list = OptionList()
        self._list.can_focus = False
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """The box over what was found."""
        yield from (self._title, self._box, self._state, self._list, self._keys)

    def on_mount(self) -> None:
        """Put the cursor into the box."""
        self.relabel()
        self._box.focus()
        self._search("")

    def on_resize(self) -> None:
        """Leave what can be left where the screen is low; the words that were found come first there."""
        before = self.has_class("low")
        self.set_class(self.size.height < _LOW, "low")
        if self.has_class("low") != before:
            self._show()

    def relabel(self) -> None:
        """Write everything that is the app's own anew, in the language that is spoken now."""
        texts = self._texts
        self._title.update(texts("find.title"))
        self._box.placeholder = texts("find.placeholder")
        self._keys.show(
            [
                (texts("find.key_move"), ""), (texts("find.key_open"), "screen.open"),
                (texts("find.key_leave"), "screen.leave"),
            ]
        )  # fmt: skip
        self._show()

    @on(Input.Changed)
    def _changed(self) -> None:
        if self._opening is not None:
            self._opening.stop()
            self._opening = None
        self._search(self._box.value)

    @work(exclusive=True)
    async def _search(self, words: str) -> None:
        """Look for words; whoever types on cancels this, and only the last words are shown."""
        await asyncio.sleep(_PAUSE_S if words else 0)
        error = None
        hits: list[Hit] = []
        try:
            if self._heads is None:
                heads = await asyncio.to_thread(self._history.heads)
                self._heads = {head.id: head for head in heads}
            if words.strip():
                hits = await asyncio.to_thread(self._history.search, words)
        except OphtimusError as failed:
            error = failed
        if words == self._box.value:
            self._found, self._hits, self._error = words, hits, error
            self._show()

    def _show(self) -> None:
        at = self._list.highlighted
        self._list.clear_options()
        self._list.add_options([Option(self._said(hit)) for hit in self._hits])
        if self._hits:
            self._list.highlighted = at if at is not None and at < len(self._hits) else 0
        self.set_class(not self._hits, "empty")
        self._state.set_class(self._error is not None, "error")
        self._state.update(self._how_it_stands())

    def _how_it_stands(self) -> str:
        texts = self._texts
        if self._error is not None:
            return said(self._error, texts)
        if self._hits:
            return texts("find.found", count=len(self._hits))
        if self._heads is None:
            return texts("find.looking")
        if not self._heads:
            return texts("find.nothing_kept")
        if not self._found.strip():
            return texts("find.try_words")
        return texts("find.nothing", words=line(self._found))

    def _said(self, hit: Hit) -> Content:
        """A hit in two lines; what was searched for is marked by its style."""
        texts = self._texts
        head = (self._heads or {}).get(hit.talk_id)
        marks = [texts("find.pinned")] if head and head.pinned else []
        who = texts("chat.you" if hit.kind == "question" else "chat.model")
        title = line(hit.title) or texts("history.untitled")
        above = " · ".join([*marks, title, who, hit.at.strftime("%Y-%m-%d %H:%M")])
        words = [(sanitize(piece), _FOUND if matched else "") for piece, matched in hit.snippet]
        if self.has_class("low"):
            return Content.assemble(*words, "\n  ", above)
        return Content.assemble(above, "\n  ", *words)

    def action_move(self, by: int) -> None:
        """Go to the hit before or after."""
        if self._hits:
            at = (self._list.highlighted or 0) + by
            self._list.highlighted = min(max(at, 0), len(self._hits) - 1)

    def action_page(self, pages: int) -> None:
        """Go up or down by as many hits as the screen shows."""
        self.action_move(pages * max(1, self._list.size.height // 2))

    @on(Input.Submitted)
    def action_open(self) -> None:
        """Open the hit under the cursor, unless a last syllable arrives behind Enter."""
        if self._hits and self._found == self._box.value:
            if self._opening is not None:
                self._opening.stop()
            self._opening = self.set_timer(_LATE_S, self._open)

    def _open(self) -> None:
        if self._list.highlighted is not None and self.is_current:
            self.dismiss(self._hits[self._list.highlighted])

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._hits[event.option_index])

    def action_leave(self) -> None:
        """Open nothing."""
        self.dismiss(None)
