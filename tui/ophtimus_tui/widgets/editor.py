"""A box for a text of several lines, in which a person corrects something."""

import re
import unicodedata

from textual import events
from textual.widgets import TextArea

_LINE_END = re.compile("\r\n?")


class Editor(TextArea):
    """Enter begins a new line, Tab goes on to the next box."""

    DEFAULT_CSS = """
    Editor { height: 1fr; min-height: 3; border: round $panel; border-title-color: $text-muted; }
    Editor:focus { border: round $accent; }
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text, show_line_numbers=False, soft_wrap=True, tab_behavior="focus")

    async def _on_paste(self, event: events.Paste) -> None:
        """Take pasted text with the line ends of this box, in composed syllables."""
        event.stop()
        event.prevent_default()
        self.insert(unicodedata.normalize("NFC", _LINE_END.sub("\n", event.text)))

    @property
    def written(self) -> str:
        """What stands in it, in composed syllables."""
        return unicodedata.normalize("NFC", self.text)
