"""The box in which a question is written."""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea


class AskBox(TextArea):
    """A text box in which Enter sends and Ctrl+J begins a new line."""

    DEFAULT_CSS = """
    AskBox { height: 5; border: round $primary; }
    AskBox:focus { border: round $accent; }
    """

    @dataclass
    class Sent(Message):
        """A question was sent, and the box is empty."""

        question: str

    async def _on_key(self, event: events.Key) -> None:
        """Take Enter and Ctrl+J in the order of the keys; a binding would overtake letters that wait.

        The base class, which is called after this, writes all other keys down.
        """
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._send()
        elif event.key == "ctrl+j":
            event.stop()
            event.prevent_default()
            self.insert("\n")

    def _send(self) -> None:
        """Send what the box holds, unless it is blank; what is typed from now on is the next question."""
        if self.text.strip():
            self.post_message(self.Sent(self.text))
            self.clear()
