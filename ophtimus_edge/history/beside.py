"""A history, and beside it in memory what it cannot take just now: a full disk ends no answer, and loses nothing.

A talk whose question could not be kept lives in memory until the history takes it; then it is kept whole.
"""

from collections.abc import Sequence

from ophtimus_edge.errors import HistoryError, TalkNotFoundError
from ophtimus_edge.history.keeping import MOST_HITS, Forgetting, Head, History, Hit, newest_first
from ophtimus_edge.history.talk import Question, Reply, Talk


class Beside:
    """The talks of a history and those in memory, as one list.

    May be called from several threads, as far as the history may.

    Args:
        history: what keeps; where it is read-only, everything new stays in memory.

    Attributes:
        unkept: why the last thing was not kept; None where it was.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._memory = Forgetting()
        self.unkept: HistoryError | None = None

    @property
    def read_only(self) -> bool:
        """Whether nothing can be kept at all."""
        return self._history.read_only

    @property
    def holds(self) -> bool:
        """Whether there is something that is in memory only."""
        return self.held > 0

    @property
    def held(self) -> int:
        """How many talks are in memory only."""
        return len(self._memory.heads())

    def heads(self) -> list[Head]:
        """All talks without their messages, the last changed first."""
        here = self._memory.heads()
        known = {head.id for head in here}
        return newest_first(iter([*here, *(head for head in self._history.heads() if head.id not in known)]))

    def open(self, talk_id: str) -> Talk:
        """A talk, whole.

        Raises:
            TalkNotFoundError: there is none.
        """
        return self._memory.open(talk_id) if self._in_memory(talk_id) else self._history.open(talk_id)

    def talks(self) -> list[Talk]:
        """All talks, the newest first."""
        here = self._memory.talks()
        known = {talk.id for talk in here}
        others = [talk for talk in self._history.talks() if talk.id not in known]
        return sorted([*here, *others], key=lambda talk: talk.begun_at.timestamp(), reverse=True)

    def begin(self, talk: Talk) -> None:
        """Keep a new talk with what it holds; in memory where the history is read-only.

        Raises:
            HistoryError: it cannot be kept; see :meth:`accept`.
        """
        if self.read_only:
            self.accept(talk)
        else:
            self._history.begin(talk)
            self.unkept = None

    def keep_question(self, talk: Talk, question: Question) -> None:
        """Keep a question, before it is sent; in memory where its talk is there already, or nothing is kept.

        Raises:
            HistoryError: it cannot be kept; see :meth:`accept`.
        """
        if self.read_only or self._in_memory(talk.id):
            self.accept(talk)
        else:
            self._history.keep_question(talk, question)
            self.unkept = None

    def accept(self, talk: Talk) -> None:
        """Go on with a talk that may not be kept: it stays in memory until the history takes it whole."""
        self._memory.begin(talk)
        self._try_whole(talk)

    def keep_reply(self, talk: Talk, question: Question, reply: Reply) -> None:
        """Keep an answer as far as it is written; what cannot be kept now is kept by a later call."""
        if self._in_memory(talk.id):
            self._try_whole(talk)
            return
        try:
            self._history.keep_reply(talk, question, reply)
            self.unkept = None
        except HistoryError as error:
            self._fail(talk, error)

    def keep_view(self, talk: Talk) -> None:
        """Keep what a talk shows, its title and its marks; what cannot be kept now is kept by a later call."""
        if self._in_memory(talk.id):
            self._try_whole(talk)
            return
        try:
            self._history.keep_view(talk)
        except HistoryError as error:
            self._fail(talk, error)

    def delete(self, talk_ids: Sequence[str]) -> None:
        """Delete talks for good.

        Raises:
            HistoryError: the history cannot be changed.
        """
        stored = {head.id for head in self._history.heads()}
        self._memory.delete(talk_ids)
        if kept := [talk_id for talk_id in talk_ids if talk_id in stored]:
            self._history.delete(kept)

    def search(self, words: str, most: int = MOST_HITS) -> list[Hit]:
        """The messages that hold all words: those in memory, then the best of the history."""
        here = self._memory.search(words, most)
        known = {hit.message_id for hit in here}
        others = [hit for hit in self._history.search(words, most) if hit.message_id not in known]
        return [*here, *others][:most]

    def try_again(self) -> None:
        """Keep what is in memory only, where that is possible by now."""
        for talk in [] if self.read_only else self._memory.talks():
            self._try_whole(talk)

    def close(self) -> None:
        """Let go of the history and of what is in memory, once more tried to be kept."""
        self.try_again()
        self._memory = Forgetting()
        if close := getattr(self._history, "close", None):
            close()

    def _in_memory(self, talk_id: str) -> bool:
        try:
            self._memory.open(talk_id)
        except TalkNotFoundError:
            return False
        return True

    def _try_whole(self, talk: Talk) -> None:
        try:
            self._history.begin(talk)
        except HistoryError as error:
            self.unkept = error
        else:
            self._memory.delete([talk.id])
            self.unkept = None

    def _fail(self, talk: Talk, error: HistoryError) -> None:
        self.unkept = error
        self._memory.begin(talk)  # what was kept of it stands behind what it is now
