"""The votes of a blind test: two answers to one question side by side, and nothing that tells their levels."""

import contextlib
import time
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from ophtimus_edge.compare.votes.drawing import Drawing, Pair, Side
from ophtimus_edge.compare.votes.folder import BlindTestFolder
from ophtimus_edge.compare.votes.voting import Choice, turned
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.text import sanitize
from ophtimus_tui.ballot import Ballot
from ophtimus_tui.blind_words import Compared, left_out_said, marked, result, shortened, vote_said
from ophtimus_tui.error_texts import said
from ophtimus_tui.keys import BLIND_TEST
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.note import NoteScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.vote_side import VoteSide

_NARROW = 90  # cells, below which the answers stand one over the other
_LOW = 18  # rows, below which a narrow screen shows one of them at a time
_SETTLES_S = 0.4  # a key that is held down or bounces does not vote on the next pair, which nobody has read
_KEEPS_S = 1.0  # between two looks whether a note has changed
_OVER_WIDGETS = {"left", "right", "escape", "f6", "ctrl+r", "tab", "shift+tab"}
State = Literal["voting", "voted", "result"]


class VoteScreen(Screen[None]):
    """Pairs to vote on, in the order that was drawn; those that were voted on before come first, to be corrected.

    A vote is on the disk before the next pair is shown. What was marked or noted without a vote is kept too, so
    that leaving at any moment loses nothing.

    Args:
        folder: where the votes are kept; held by whoever opened this screen.
        rater: who votes.
        compared: which levels they are, for the end.
    """

    DEFAULT_CSS = """
    VoteScreen { background: $background; color: $text; }
    VoteScreen > .line { height: auto; padding: 0 1; }
    VoteScreen > #heading { background: $panel; text-style: bold; }
    VoteScreen > #question { height: auto; max-height: 25%; padding: 0 1; }
    VoteScreen > #question:focus { background: $boost; }
    VoteScreen #asked { height: auto; text-style: bold; }
    VoteScreen > #sides { layout: horizontal; height: 1fr; }
    VoteScreen.narrow > #sides { layout: vertical; }
    VoteScreen.narrow VoteSide.front { height: 2fr; }
    VoteScreen.low VoteSide { display: none; }
    VoteScreen.low VoteSide.front { display: block; }
    VoteScreen > #end { height: 1fr; padding: 1 1; }
    VoteScreen #words { height: auto; max-width: 100; }
    VoteScreen > #error { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, show=False, priority=key.keys in _OVER_WIDGETS)
        for key in BLIND_TEST
        if key.action
    ]

    def __init__(
        self, texts: Texts, folder: BlindTestFolder, drawing: Drawing, rater: str, compared: Compared
    ) -> None:
        super().__init__()
        self._texts, self._drawing, self._compared = texts, drawing, compared
        self._votes_path = folder.votes_path
        self._ballot = Ballot(folder, drawing, rater)
        self._at = self._ballot.next_open
        self._state: State = "voting" if self._at < len(self._ballot.pairs) else "voted"
        self._error: OphtimusError | None = None
        self._saving = False
        self._not_before = 0.0
        self._heading = Static("", id="heading", classes="line", markup=False)
        self._asked = Static("", id="asked", markup=False)
        self._question = VerticalScroll(self._asked, id="question")
        self._a, self._b = VoteSide(id="a"), VoteSide(id="b")
        self._sides = Container(self._a, self._b, id="sides")
        self._words = Static("", id="words", markup=False)
        self._end = VerticalScroll(self._words, id="end")
        self._status = Static("", id="status", classes="line", markup=False)
        self._said = Static("", id="error", classes="line", markup=False)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """Where one is, the question, the answers, what was chosen, the keys."""
        yield from (self._heading, self._question, self._sides, self._end)
        yield from (self._status, self._said, self._keys)

    def on_mount(self) -> None:
        """Show the first pair that is not voted on."""
        self._turn_to(self._a)
        self._fold(self.app.size.width, self.app.size.height)
        self._show()
        self.set_interval(_KEEPS_S, self._keep_drafts)

    def on_resize(self, event: events.Resize) -> None:
        """One over the other where the screen is narrow, one of them where it is low too."""
        self._fold(event.size.width, event.size.height)
        self.relabel()

    def on_unmount(self) -> None:
        """Keep what was begun, also where the screen was put away by a lock."""
        with contextlib.suppress(OphtimusError):  # the screen that would say so is gone
            self._ballot.keep_drafts_at_the_end()

    def _fold(self, width: int, height: int) -> None:
        self.set_class(width < _NARROW, "narrow")
        self.set_class(width < _NARROW and height < _LOW, "low")
        self.call_after_refresh(self._let_question_scroll)

    def _let_question_scroll(self) -> None:
        self._question.can_focus = self._question.max_scroll_y > 0

    # --- what is shown ----------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether a key would vote."""
        return self._state == "voting" and not self._saving and time.monotonic() >= self._not_before

    @property
    def _pair(self) -> Pair | None:
        return self._ballot.pairs[self._at] if self._at < len(self._ballot.pairs) else None

    def _show(self) -> None:
        """Show the pair, or the page behind the last one, from its beginning."""
        self._not_before = time.monotonic() + _SETTLES_S
        pair = self._pair
        voting = self._state == "voting" and pair is not None
        for part in (self._question, self._sides, self._status):
            part.display = voting
        self._end.display = not voting
        if voting and pair is not None:
            self._asked.update(sanitize(pair.question.text))
            self._question.scroll_home(animate=False, immediate=True)
            for side, answer in ((self._a, pair.a), (self._b, pair.b)):
                side.show(answer.text or self._texts("blind.empty"))
            self._turn_to(self._a)
            self.call_after_refresh(self._let_question_scroll)
        else:
            self._end.focus()
        self.relabel()

    def relabel(self) -> None:
        """Write everything that is the app's own in the language that is chosen now."""
        texts, pair = self._texts, self._pair
        heading = texts("blind.title")
        if self._state == "voting" and pair is not None:
            number = texts("blind.number", number=self._at + 1, total=len(self._ballot.pairs))
            alike = [] if self.has_class("narrow") else [texts("blind.both_sides")]
            heading = " · ".join((heading, number, *alike))
            unsafe = self._ballot.marks(pair)[0]
            for letter, side in (("a", self._a), ("b", self._b)):
                title = letter.upper()
                if letter in unsafe:
                    title += " · ▲ " + texts("blind.unsafe")
                side.name_it(title, unsafe=letter in unsafe)
            self._status.update(self._status_of(pair))
        elif self._state == "voted":
            left_out = left_out_said(texts, self._drawing)
            self._words.update(
                "\n\n".join(
                    [
                        texts("blind.all_voted", count=self._ballot.done),
                        *([left_out] if left_out else []),
                        texts("blind.then"),
                    ]
                )
            )
        else:
            heading += " · " + texts("blind.result")
            self._words.update(
                result(texts, self._compared, self._drawing, self._ballot.votes, self._ballot.rater,
                       str(self._votes_path))
            )  # fmt: skip
        if self._compared.demonstration:
            heading += "\n" + texts("comparison.demonstration")
        self._heading.update(heading)
        self._said.update(said(self._error, texts) if self._error else "")
        self._said.display = self._error is not None
        self._keys.show(self._key_words())

    def _key_words(self) -> list[tuple[str, str]]:
        texts = self._texts
        leave = (texts("blind.key_leave"), "screen.leave")
        if self._state == "result":
            return [(texts("blind.key_scroll"), ""), leave]
        before = (texts("blind.key_before"), "screen.move(-1)")
        if self._state == "voted":
            return [(texts("blind.key_result"), "screen.result"), before, leave]
        return [
            (texts("blind.key_a"), "screen.vote('a')"), (texts("blind.key_b"), "screen.vote('b')"),
            (texts("blind.key_equal"), "screen.vote('equal')"),
            (texts("blind.key_both_bad"), "screen.vote('both_bad')"),
            (texts("blind.key_unsafe_a"), "screen.unsafe('a')"),
            (texts("blind.key_unsafe_b"), "screen.unsafe('b')"),
            (texts("blind.key_note"), "screen.note"), *([before] if self._at else []),
            (texts("blind.key_turn"), "screen.turn(1)"), (texts("blind.key_raw"), "screen.raw"), leave,
        ]  # fmt: skip

    def _status_of(self, pair: Pair) -> str:
        texts, vote = self._texts, self._ballot.vote_on(pair)
        closed, begun = self._ballot.is_closed(pair), self._ballot.is_begun(pair)
        if vote is not None and (closed or not begun):
            chosen = texts("blind.your_vote", vote=vote_said(texts, turned(vote, pair)))
            return chosen + " " + texts("blind.closed" if closed else "blind.correct")
        if not begun:
            return texts("blind.choose")
        unsafe, note = self._ballot.marks(pair)
        parts = [texts("blind.marked", sides=marked(pair, unsafe))] if unsafe else []
        parts += [texts("blind.noted", note=shortened(note))] if note else []
        return " · ".join([*parts, texts("blind.choose_then")])

    # --- marks and notes --------------------------------------------------------------------------

    def _may_vote(self, pair: Pair | None) -> bool:
        return self._state == "voting" and pair is not None and not self._ballot.is_closed(pair)

    def action_unsafe(self, side: Side) -> None:
        """Mark an answer as unsafe, or no longer; it counts with the vote."""
        pair = self._pair
        if pair is None or not self._may_vote(pair):
            return
        self._ballot.mark(pair, side)
        self.relabel()

    def action_note(self) -> None:
        """Write a note on this pair."""
        pair = self._pair
        if pair is None or not self._may_vote(pair):
            return
        changed = partial(self._ballot.note, pair)
        before = self._ballot.marks(pair)[1]
        self.app.push_screen(NoteScreen(self._texts, before, changed), lambda _: self.relabel())

    async def _keep_drafts(self) -> None:
        if self._saving:
            return
        try:
            await self._ballot.keep_drafts()
        except OphtimusError as error:
            self._error = error

    # --- votes ------------------------------------------------------------------------------------

    @work
    async def action_vote(self, choice: Choice) -> None:
        """Vote, and go on to the next pair once the vote is on the disk."""
        pair = self._pair
        if pair is None or not self._may_vote(pair) or self._saving:
            return
        if time.monotonic() < self._not_before:
            self._not_before = time.monotonic() + _SETTLES_S  # as long as a key is held down
            return
        self._saving = True
        try:
            confirmed = False
            if unsafe := self._ballot.marks(pair)[0]:
                meant = await self._ask_whether(pair, unsafe)
                if meant is None:
                    return
                confirmed = meant == "sure"
            await self._ballot.cast(pair, choice, confirmed=confirmed)
        except OphtimusError as error:
            self._error = error
            self.relabel()
            return
        finally:
            self._saving = False
        self._error = None
        self._at = self._ballot.next_open
        self._state = "voting" if self._at < len(self._ballot.pairs) else "voted"
        self._show()

    async def _ask_whether(self, pair: Pair, unsafe: Sequence[Side]) -> str | None:
        texts = self._texts
        return await self.app.push_screen_wait(
            ChooseScreen(
                lambda: texts("blind.unsafe_question", sides=marked(pair, unsafe)),
                {
                    "sure": lambda: texts("blind.unsafe_sure"),
                    "doubt": lambda: texts("blind.unsafe_doubt"),
                },
                "doubt",
            )
        )

    # --- going to and fro -------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Go to the pair before, to correct its vote; or on, up to the first that has none."""
        to = self._at + by
        if self._state == "result" or self._saving or not 0 <= to <= self._ballot.next_open:
            return
        self._at = to
        self._state = "voting" if to < len(self._ballot.pairs) else "voted"
        self._show()

    def action_turn(self, by: int) -> None:
        """Give the arrows to the other side."""
        if self._state != "voting":
            return
        places = [*([self._question] if self._question.can_focus else []), self._a, self._b]
        at = next((place for place, part in enumerate(places) if part.has_focus), 0)
        target = places[(at + by) % len(places)]
        if isinstance(target, VoteSide):
            self._turn_to(target)
        else:
            target.focus()

    def _turn_to(self, side: VoteSide) -> None:
        for one in (self._a, self._b):
            one.set_class(one is side, "front")
        side.focus()

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, VoteSide):
            for one in (self._a, self._b):
                one.set_class(one is event.widget, "front")

    def action_raw(self) -> None:
        """Show both answers as the models wrote them, or formatted again."""
        raw = not self._a.raw
        self._a.raw = self._b.raw = raw

    @work
    async def action_result(self) -> None:
        """Show which level wrote what; from now on these votes stay as they are."""
        if self._state != "voted":
            return
        try:
            await self._ballot.close()
        except OphtimusError as error:
            self._error = error
        self._state = "result"
        self._show()

    def action_leave(self) -> None:
        """Leave; everything is kept."""
        if not self._saving:
            self.dismiss(None)
