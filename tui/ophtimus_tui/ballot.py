"""One person's votes in a blind test: what is cast, what is marked and noted before that, what is closed."""

import asyncio
from collections.abc import Sequence

from ophtimus_edge.compare.votes.drawing import SIDES, Drawing, Pair, Side
from ophtimus_edge.compare.votes.folder import BlindTestFolder, Draft, draft_of
from ophtimus_edge.compare.votes.voting import Choice, Subject, cast, subject, subject_of, turned
from ophtimus_edge.models.formats import Vote


class Ballot:
    """The pairs that a person votes on, and all that they have said of them.

    What was marked or noted of a pair without a vote is a draft; it counts with the vote, and is gone with it.

    Args:
        folder: where the votes are kept.
        rater: who votes.

    Attributes:
        pairs: in the order that was drawn; those that were voted on before come first, to be corrected.
        rater: who votes.
    """

    def __init__(self, folder: BlindTestFolder, drawing: Drawing, rater: str) -> None:
        self.rater = rater
        self._folder, self._seed = folder, drawing.seed
        self._votes = {subject(vote): vote for vote in folder.votes()}
        self._closed = folder.closed_to(rater)
        self._drafts = folder.drafts()
        self._drafts_kept = dict(self._drafts)
        self.pairs = sorted(drawing.pairs, key=lambda pair: self.vote_on(pair) is None)

    @property
    def votes(self) -> list[Vote]:
        """The votes that count, those of others too."""
        return list(self._votes.values())

    @property
    def done(self) -> int:
        """How many pairs are voted on."""
        return sum(self.vote_on(pair) is not None for pair in self.pairs)

    @property
    def next_open(self) -> int:
        """The place of the first pair without a vote; behind the last one where all have one."""
        open_places = (place for place, pair in enumerate(self.pairs) if self.vote_on(pair) is None)
        return next(open_places, len(self.pairs))

    def vote_on(self, pair: Pair) -> Vote | None:
        """The vote on a pair, as it was cast."""
        return self._votes.get(subject_of(pair, self.rater))

    def is_closed(self, pair: Pair) -> bool:
        """Whether the vote on a pair stays as it is, since its rater has seen which level wrote what."""
        return pair.question.id in self._closed and self.vote_on(pair) is not None

    async def cast(self, pair: Pair, choice: Choice, *, confirmed: bool) -> None:
        """Vote on a pair, with what is marked and noted of it; returns once the vote is on the disk.

        Args:
            confirmed: whether the person is sure that the marked answers are unsafe.

        Raises:
            FolderNotWritableError: it cannot be written; nothing has changed.
        """
        unsafe, note = self.marks(pair)
        vote = cast(
            pair, choice, seed=self._seed, rater=self.rater, unsafe=unsafe, confirmed=confirmed, note=note
        )
        await asyncio.to_thread(self._folder.keep_vote, vote)
        self._votes[subject(vote)] = vote
        self._drafts.pop(subject(vote), None)

    async def close(self) -> None:
        """Correct no vote on these pairs any more.

        Raises:
            FolderNotWritableError: it cannot be written; it holds until the app is left.
        """
        ids = [pair.question.id for pair in self.pairs]
        try:
            await asyncio.to_thread(self._folder.close_to, self.rater, ids)
        finally:
            self._closed = {*self._closed, *ids}

    # Marks and notes

    def is_begun(self, pair: Pair) -> bool:
        """Whether something is marked or noted of a pair that no vote has said."""
        return subject_of(pair, self.rater) in self._drafts

    def marks(self, pair: Pair) -> tuple[Sequence[Side], str]:
        """What is marked as unsafe, and the note: as begun, else as voted."""
        if draft := self._drafts.get(subject_of(pair, self.rater)):
            return draft.unsafe_on(pair), draft.note
        vote = self.vote_on(pair)
        return (turned(vote, pair).unsafe, vote.note) if vote else ((), "")

    def mark(self, pair: Pair, side: Side) -> None:
        """Mark an answer as unsafe, or no longer."""
        unsafe, note = self.marks(pair)
        self._begin(pair, [one for one in SIDES if (one in unsafe) != (one == side)], note)

    def note(self, pair: Pair, note: str) -> None:
        """Write a note on a pair."""
        self._begin(pair, self.marks(pair)[0], note)

    def _begin(self, pair: Pair, unsafe: Sequence[Side], note: str) -> None:
        place, vote = subject_of(pair, self.rater), self.vote_on(pair)
        as_voted = (list(turned(vote, pair).unsafe), vote.note) if vote else ([], "")
        if (list(unsafe), note) == as_voted:
            self._drafts.pop(place, None)
        else:
            self._drafts[place] = draft_of(pair, self.rater, unsafe, note)

    async def keep_drafts(self) -> None:
        """Keep what was begun, where it has changed.

        Raises:
            FolderNotWritableError: it cannot be written; it is not tried again before something changes.
        """
        if self._drafts != self._drafts_kept:
            await asyncio.to_thread(self._write, dict(self._drafts))

    def keep_drafts_at_the_end(self) -> None:
        """As :meth:`keep_drafts`, where nothing can be waited for any more."""
        if self._drafts != self._drafts_kept:
            self._write(dict(self._drafts))

    def _write(self, drafts: dict[Subject, Draft]) -> None:
        try:
            self._folder.keep_drafts(drafts)
        finally:
            self._drafts_kept = drafts
