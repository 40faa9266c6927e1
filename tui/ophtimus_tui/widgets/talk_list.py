"""The list of talks: pinned ones first, then the newest first, under the days on which they began."""

import datetime
from collections.abc import Sequence
from typing import ClassVar, Protocol

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ophtimus_tui.model_rows import line
from ophtimus_tui.texts import Texts

_MOST = 300  # talks that are drawn at first; thousands would hold up every key
_MORE = "more"  # no talk's id, which is of hexadecimal digits


class Listed(Protocol):
    """What is shown of a talk: of a whole one, or of its head."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def begun_at(self) -> datetime.datetime:
        """When it began."""

    @property
    def pinned(self) -> bool:
        """Whether it is shown before the others."""

    @property
    def held(self) -> bool:
        """Whether the retention time spares it."""


class TalkList(OptionList):
    """Talks to go back to; a selected one posts OptionSelected with its id."""

    DEFAULT_CSS = """
    TalkList {
        border: round $panel; border-title-color: $text-muted; border-subtitle-color: $text-muted; padding: 0;
    }
    TalkList:focus { border: round $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("delete", "screen.delete_talk", show=False),
        Binding("insert", "screen.pin", show=False),
        Binding("ctrl+k", "screen.hold", show=False),
    ]

    def __init__(self, texts: Texts) -> None:
        super().__init__(markup=False)
        self._texts = texts
        self._most = _MOST
        self._shown: tuple[Sequence[Listed], Listed] | None = None

    @property
    def under_cursor(self) -> str | None:
        """The id of the talk under the cursor."""
        under = self.get_option_at_index(self.highlighted).id if self.highlighted is not None else None
        return under if under != _MORE else None

    @on(OptionList.OptionSelected)
    def _show_more(self, event: OptionList.OptionSelected) -> None:
        if event.option_id == _MORE and self._shown is not None:
            event.stop()
            self._most += _MOST
            self.show(*self._shown)

    def show(self, talks: Sequence[Listed], current: Listed) -> None:
        """Show talks, and which of them is open; the cursor stays on its talk, or else on its place."""
        self.border_title = self._texts("talks.title")
        self.border_subtitle = self._texts("talks.no_record")
        self._shown = talks, current
        at = self.highlighted
        chosen = self.get_option_at_index(at).id if at is not None else None
        self.clear_options()
        options: list[Option] = []
        heading = ""
        ordered = sorted(talks, key=lambda talk: not talk.pinned)  # stable: otherwise as they came
        for talk in ordered[: self._most]:
            above = self._texts("history.list_pinned") if talk.pinned else talk.begun_at.strftime("%Y-%m-%d")
            if above != heading:
                heading = above
                options.append(Option(Content(above), disabled=True))
            mark = "▸" if talk.id == current.id else " "
            words = [line(talk.title) or self._texts("history.untitled")]
            words += [self._texts("history.list_held")] if talk.held else []
            options.append(Option(Content(f"{mark} {' · '.join(words)}"), id=talk.id))
        if (hidden := len(ordered) - self._most) > 0:
            options.append(Option(Content(self._texts("talks.more", count=hidden)), id=_MORE))
        self.add_options(options or [Option(Content(self._texts("talks.none")), disabled=True)])
        if chosen is not None and at is not None and options:
            ids = [option.id for option in options]
            stays = chosen in ids and chosen != _MORE
            self.highlighted = ids.index(chosen) if stays else min(at, len(options) - 1)
