"""One of two answers that a person votes on: all of it, in a frame of its own that scrolls."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from ophtimus_tui.widgets.answer import Answer


class VoteSide(VerticalScroll, can_focus=True):
    """The answer on one side. Which level wrote it is not known here."""

    DEFAULT_CSS = """
    VoteSide { width: 1fr; height: 1fr; border: round $border-blurred; padding: 0 1; }
    VoteSide:focus { border: round $accent; }
    VoteSide.unsafe { border: round $error; border-title-color: $error; }
    VoteSide.unsafe:focus { border: heavy $error; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 (Textual's own name for it)
        super().__init__(id=id)
        self._answer = Answer()

    def compose(self) -> ComposeResult:
        """The answer."""
        yield self._answer

    def show(self, text: str) -> None:
        """Show an answer from its beginning."""
        self._answer.replace(text)
        self._answer.finish()
        self.scroll_home(animate=False, immediate=True)

    def name_it(self, title: str, *, unsafe: bool) -> None:
        """Write the frame's title; the frame of an answer that was marked as unsafe has another colour."""
        self.border_title = Content(title).markup
        self.set_class(unsafe, "unsafe")

    @property
    def raw(self) -> bool:
        """Whether the answer stands as the model wrote it."""
        return self._answer.raw

    @raw.setter
    def raw(self, raw: bool) -> None:
        self._answer.raw = raw
