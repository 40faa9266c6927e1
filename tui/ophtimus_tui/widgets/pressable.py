"""A line that can be clicked in the place of a key."""

from textual import events
from textual.message import Message

from ophtimus_tui.widgets.line import Line


class Pressable(Line):
    """A sentence that names a key and does under the mouse what the key does."""

    DEFAULT_CSS = """
    Pressable { width: auto; height: 1; padding: 0 1; margin: 0 1 0 0; background: $panel; color: $text; }
    Pressable:hover { background: $block-cursor-background; color: $block-cursor-foreground; }
    """

    class Pressed(Message):
        """It was clicked."""

        def __init__(self, pressable: "Pressable") -> None:
            super().__init__()
            self.pressable = pressable

        @property
        def control(self) -> "Pressable":
            """What was clicked, for ``@on`` with a selector."""
            return self.pressable

    def __init__(self, sentence: str, id: str) -> None:  # noqa: A002 - Textual's own name
        super().__init__(sentence, id=id)

    def on_click(self, event: events.Click) -> None:
        """Say so."""
        event.stop()
        self.post_message(self.Pressed(self))
