"""The box in which a question is written."""

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea


class AskBox(TextArea):
    """A text box in which Enter sends and Ctrl+J begins a new line."""

    DEFAULT_CSS = """
    AskBox { height: 5; border: round $primary; }
    AskBox:focus { border: round $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", show=False, priority=True),
        Binding("ctrl+j", "new_line", show=False, priority=True),
    ]

    @dataclass
    class Sent(Message):
        """A question was sent; the box still holds it until it is cleared."""

        question: str

    def action_send(self) -> None:
        """Send what the box holds, unless it is blank."""
        if self.text.strip():
            self.post_message(self.Sent(self.text))

    def action_new_line(self) -> None:
        """Begin a new line at the cursor."""
        self.insert("\n")
