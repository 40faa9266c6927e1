"""The list of talks, the newest first, under the days on which they began."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ophtimus_edge.history.keeping import Head
from ophtimus_edge.history.talk import Talk
from ophtimus_tui.texts import Texts


class TalkList(OptionList):
    """Talks to go back to; a selected one posts OptionSelected with its id."""

    DEFAULT_CSS = """
    TalkList {
        border: round $panel; border-title-color: $text-muted; border-subtitle-color: $text-muted; padding: 0;
    }
    TalkList:focus { border: round $accent; }
    """

    def __init__(self, texts: Texts) -> None:
        super().__init__(markup=False)
        self._texts = texts

    def show(self, talks: Sequence[Head], current: Talk) -> None:
        """Show talks, and which of them is open."""
        self.border_title = self._texts("talks.title")
        self.border_subtitle = self._texts("talks.no_record")
        at = self.highlighted
        chosen = self.get_option_at_index(at).id if at is not None else None
        self.clear_options()
        options: list[Option] = []
        day = ""
        for talk in talks:
            begun = talk.begun_at.strftime("%Y-%m-%d")
            if begun != day:
                day = begun
                options.append(Option(Content(day), disabled=True))
            mark = "▸" if talk.id == current.id else " "
            options.append(Option(Content(f"{mark} {talk.title}"), id=talk.id))
        self.add_options(options or [Option(Content(self._texts("talks.none")), disabled=True)])
        if chosen is not None and any(option.id == chosen for option in options):
            self.highlighted = self.get_option_index(chosen)
