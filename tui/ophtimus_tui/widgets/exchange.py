"""A question and its answer as they stand on the screen."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from ophtimus_tui.texts import Texts

_UPDATE_S = 0.1  # the eye needs no more, and each update lays the text out again


class Exchange(Vertical):
    """One question, what must be said before its answer, the answer as it grows, and how it ended.

    What a person or a model wrote is shown as it is: no markup is read in it.
    """

    DEFAULT_CSS = """
    Exchange { height: auto; margin: 0 1 1 1; }
    Exchange .who { color: $text-muted; text-style: bold; }
    Exchange .question { padding: 0 2; }
    Exchange .notice { padding: 0 2; color: $warning; display: none; }
    Exchange .notice.shown { display: block; }
    Exchange .answer { padding: 0 2; }
    Exchange .ending { padding: 0 2; color: $text-muted; }
    Exchange .ending.error { color: $error; }
    """

    def __init__(self, texts: Texts, question: str) -> None:
        super().__init__()
        self._texts = texts
        self.question = question
        self.answer = ""
        self._shown = ""
        self._answer = Static("", classes="answer", markup=False)
        self._notice = Static("", classes="notice", markup=False)
        self._ending = Static(texts("chat.waiting"), classes="ending", markup=False)

    def compose(self) -> ComposeResult:
        """The parts, top to bottom."""
        yield Static(self._texts("chat.you"), classes="who", markup=False)
        yield Static(self.question, classes="question", markup=False)
        yield self._notice
        yield Static(self._texts("chat.model"), classes="who", markup=False)
        yield self._answer
        yield self._ending

    def on_mount(self) -> None:
        """Begin to show what arrives."""
        self.set_interval(_UPDATE_S, self._show)

    def notice(self, lines: Sequence[str]) -> None:
        """Say something above the answer."""
        self._notice.update("\n".join(lines))
        self._notice.add_class("shown")

    def add(self, text: str) -> None:
        """The answer goes on."""
        self.answer += text

    def status(self, text: str, *, error: bool = False) -> None:
        """Say under the answer how it stands, or how it ended."""
        self._ending.update(text)
        self._ending.set_class(error, "error")

    def finish(self, text: str, *, error: bool = False) -> None:
        """Show all of the answer and how it ended."""
        self._show()
        self.status(text, error=error)

    def _show(self) -> None:
        if self.answer != self._shown:
            self._shown = self.answer
            self._answer.update(self.answer)
