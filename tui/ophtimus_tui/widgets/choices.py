"""Some answers to one question, of which one is marked."""

from dataclasses import dataclass

from textual import events
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static


class Choice(Static):
    """One answer; a click takes it."""

    @dataclass
    class Clicked(Message):
        """It was clicked."""

        index: int

    def __init__(self, index: int) -> None:
        super().__init__("", markup=False)
        self._index = index

    def show(self, sentence: str, marked: bool) -> None:
        """Write it with its digit, and with a sign where it is marked: colour alone does not say so."""
        self.update(f"{'▸' if marked else ' '} {self._index + 1}  {sentence}")
        self.set_class(marked, "marked")

    def on_click(self, event: events.Click) -> None:
        """Take it."""
        event.stop()
        self.post_message(self.Clicked(self._index))


class Choices(Vertical):
    """The answers, top to bottom; its screen moves the mark."""

    DEFAULT_CSS = """
    Choices { height: auto; margin: 1 0; }
    Choices > Choice { height: auto; padding: 0 1; }
    Choices > Choice.marked {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold;
    }
    """

    @dataclass
    class Marked(Message):
        """Another answer is marked."""

        index: int

    def __init__(self) -> None:
        super().__init__()
        self._sentences: list[str] = []
        self._choices: list[Choice] = []
        self.marked = 0

    async def offer(self, sentences: list[str], marked: int) -> None:
        """Put other answers in the place of these."""
        self._sentences, self.marked = sentences, marked
        self._choices = [Choice(index) for index in range(len(sentences))]
        await self.remove_children()
        await self.mount_all(self._choices)
        self._show()

    def relabel(self, sentences: list[str]) -> None:
        """Write the same answers in other words."""
        self._sentences = sentences
        self._show()

    def mark(self, index: int) -> None:
        """Mark an answer, where there is such a one."""
        if 0 <= index < len(self._sentences) and index != self.marked:
            self.marked = index
            self._show()
            self.post_message(self.Marked(index))

    def on_choice_clicked(self, event: Choice.Clicked) -> None:
        """Mark what was clicked."""
        event.stop()
        self.mark(event.index)

    def _show(self) -> None:
        for choice, sentence in zip(self._choices, self._sentences, strict=True):
            choice.show(sentence, choice is self._choices[self.marked])
