"""The box in which a question is written."""

import math
import re
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from textual import events, on
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea

from ophtimus_tui.widgets.key_line import clickable

# A syllable that an input method still composes arrives behind the Enter that ended it.
_LATE_S = 0.06
_MOST_ROWS = 6  # of text
_LATE_CHARACTERS = 2  # more of them in that time were pasted, not typed
_LINE_END = re.compile("\r\n?")


class AskBox(TextArea):
    """A text box in which Enter sends and Ctrl+J begins a new line.

    What arrives within 60 ms after Enter still belongs to the question: the last syllable of a word in
    Hangul may. Where whole lines arrive in that time, a terminal without bracketed paste is pasting
    several lines: they become one question of several lines, and nothing is sent before its end.
    """

    DEFAULT_CSS = """
    AskBox { height: 3; min-height: 3; max-height: 8; border: round $primary; border-title-color: $text-muted; }
    AskBox:focus { border: round $accent; }
    """

    @dataclass
    class Sent(Message):
        """A question was sent, and the box is empty."""

        question: str

    @dataclass
    class Left(Message):
        """The cursor went up beyond the first line."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text, show_line_numbers=False, soft_wrap=True)
        self.typed_at = -math.inf  # of the monotonic clock
        self._sending: Timer | None = None
        self._late = ""  # what came after Enter

    async def _on_key(self, event: events.Key) -> None:
        """Take Enter and Ctrl+J in the order of the keys; a binding would overtake letters that wait.

        The base class, which is called after this, writes all other keys down.
        """
        self.typed_at = time.monotonic()
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._enter()
        elif event.key == "ctrl+j":
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key == "up" and self.navigator.is_first_wrapped_line(self.cursor_location):
            event.stop()
            event.prevent_default()
            self.post_message(self.Left())
        elif event.is_printable and event.character and self._sending is not None:
            event.stop()
            event.prevent_default()
            self._late += event.character

    @on(TextArea.Changed)
    def _grow(self) -> None:
        """Be as high as what is written, so far as the style allows, and show the row that is written.

        Not by a height of ``auto``, with which every letter lays the whole screen out anew.
        """
        written = max(1, self.wrapped_document.height)
        rows = min(_MOST_ROWS, written) + self.gutter.height
        grown = self.styles.height is None or self.styles.height.value != rows
        if grown:
            self.styles.height = rows
        if grown or written > _MOST_ROWS:
            # The base class scrolls before it knows the new height: the first letter of a row stayed below the box.
            self.call_after_refresh(self.scroll_cursor_visible)

    def on_resize(self) -> None:
        """Another width wraps the text elsewhere."""
        self.call_after_refresh(self._grow)

    async def _on_paste(self, event: events.Paste) -> None:
        """Take pasted text with the line ends of this box, in composed syllables."""
        event.stop()
        event.prevent_default()
        if not self.read_only:
            self.insert(unicodedata.normalize("NFC", _LINE_END.sub("\n", event.text)))

    def entitle(self, parts: Sequence[tuple[str, str]]) -> None:
        """Say over the box what it is for and what its keys do.

        Args:
            parts: words, and the action that a click on them runs; "" for none.
        """
        self.border_title = Content(" · ").join([clickable(text, action) for text, action in parts])

    def write(self, text: str) -> None:
        """Put a text into the box in the place of what it holds, with the cursor behind it."""
        self.text = text
        self.move_cursor(self.document.end)

    def put_back(self, text: str) -> None:
        """Put a text before what the box holds."""
        if text:
            self.write("\n".join(part for part in (text, self.text) if part))

    def send(self) -> None:
        """Send what the box holds, as Enter does."""
        self._enter()

    def flush(self) -> None:
        """Send at once what waits for a late syllable."""
        if self._sending is not None:
            self._sending.stop()
            self._send()

    def _enter(self) -> None:
        if self._sending is not None:
            self._sending.stop()
            if self._late:  # lines are being pasted: the Enter before was the end of one
                self.insert(f"\n{self._late}")
                self._late = ""
        self._sending = self.set_timer(_LATE_S, self._send)

    def _send(self) -> None:
        """Send what the box holds, unless it is blank; what is typed from now on is the next question."""
        self._sending = None
        late, self._late = self._late, ""
        if len(late) > _LATE_CHARACTERS:  # the last line of a paste, and no Enter behind it
            self.insert(f"\n{late}")
            return
        self.insert(late)
        question = unicodedata.normalize("NFC", self.text)
        if question.strip():
            self.clear()
            self.post_message(self.Sent(question))
