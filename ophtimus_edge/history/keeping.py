"""Where talks are kept: what the app asks of a history, and the one that forgets with the app."""

import datetime
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from ophtimus_edge.errors import TalkNotFoundError
from ophtimus_edge.history import search
from ophtimus_edge.history.talk import Question, Reply, Talk

MOST_HITS = 50


class Head(NamedTuple):
    """A talk in a list.

    Attributes:
        changed_at: when its last question was asked, or its last answer was begun.
        messages: questions and answers, of every branch.
    """

    id: str
    title: str
    begun_at: datetime.datetime
    changed_at: datetime.datetime
    pinned: bool
    held: bool
    messages: int


class Hit(NamedTuple):
    """A message that a search found.

    Attributes:
        snippet: a line of it, in pieces, and whether each is one of the words searched for; sanitized.
    """

    talk_id: str
    message_id: str
    kind: Literal["question", "answer"]
    at: datetime.datetime
    title: str
    snippet: list[tuple[str, bool]]


class History(Protocol):
    """Talks of one person.

    Every method that takes something keeps it before it returns: a question is kept before it is sent to
    a model, an answer as it grows.
    """

    @property
    def read_only(self) -> bool:
        """Whether nothing can be kept, as another program does; everything that keeps then raises."""

    def heads(self) -> list[Head]:
        """All talks without their messages, the last changed first."""

    def open(self, talk_id: str) -> Talk:
        """A talk, whole.

        Raises:
            TalkNotFoundError: there is none.
        """

    def talks(self) -> list[Talk]:
        """All talks, the newest first."""

    def begin(self, talk: Talk) -> None:
        """Keep a new talk with what it holds; it may be empty."""

    def keep_question(self, talk: Talk, question: Question) -> None:
        """Keep a question, before it is sent, and which branch the talk shows.

        Raises:
            TalkNotFoundError: the talk was deleted, or never begun.
        """

    def keep_reply(self, talk: Talk, question: Question, reply: Reply) -> None:
        """Keep an answer as far as it is written; nothing where its talk was deleted meanwhile."""

    def keep_view(self, talk: Talk) -> None:
        """Keep which branches and answers a talk shows, its title and its marks; nothing where it was deleted."""

    def delete(self, talk_ids: Sequence[str]) -> None:
        """Delete talks for good: nothing of their text is left."""

    def search(self, words: str, most: int = MOST_HITS) -> list[Hit]:
        """The messages that hold all words, the best first."""


class Forgetting:
    """A history in memory: it ends with the app, and nothing of it is ever written down."""

    read_only = False

    def __init__(self) -> None:
        self._talks: dict[str, Talk] = {}

    def heads(self) -> list[Head]:
        """All talks without their messages, the last changed first."""
        return newest_first(
            Head(
                talk.id, talk.title, talk.begun_at, changed_at(talk), talk.pinned, talk.held,
                len(talk.questions) + sum(len(question.replies) for question in talk.questions),
            )
            for talk in self._talks.values()
        )  # fmt: skip

    def open(self, talk_id: str) -> Talk:
        """A talk: the one that was begun, not a copy.

        Raises:
            TalkNotFoundError: there is none.
        """
        if talk_id not in self._talks:
            raise not_found()
        return self._talks[talk_id]

    def talks(self) -> list[Talk]:
        """All talks, the newest first."""
        return sorted(self._talks.values(), key=lambda talk: talk.begun_at, reverse=True)

    def begin(self, talk: Talk) -> None:
        """Keep a new talk."""
        self._talks[talk.id] = talk

    def keep_question(self, talk: Talk, question: Question) -> None:
        """The talk holds it already.

        Raises:
            TalkNotFoundError: the talk was deleted, or never begun.
        """
        self.open(talk.id)

    def keep_reply(self, talk: Talk, question: Question, reply: Reply) -> None:
        """The talk holds it already."""

    def keep_view(self, talk: Talk) -> None:
        """The talk holds it already."""

    def delete(self, talk_ids: Sequence[str]) -> None:
        """Forget talks."""
        for talk_id in talk_ids:
            self._talks.pop(talk_id, None)

    def search(self, words: str, most: int = MOST_HITS) -> list[Hit]:
        """The messages that hold all words, the newest first."""
        asked = search.phrases(words)
        found = [
            Hit(talk.id, id_, kind, at, talk.title, search.snippet(text, words))
            for talk in self._talks.values()
            for id_, kind, at, text in _messages(talk)
            if asked and search.holds(search.bigrams(text), asked)
        ]
        return sorted(found, key=lambda hit: hit.at.timestamp(), reverse=True)[:most]


def _messages(talk: Talk) -> Iterator[tuple[str, Literal["question", "answer"], datetime.datetime, str]]:
    for question in talk.questions:
        yield question.id, "question", question.asked_at, question.text
        for reply in question.replies:
            yield reply.id, "answer", reply.begun_at, reply.text


def changed_at(talk: Talk) -> datetime.datetime:
    """When a talk's last question was asked, or its last answer was begun; at the earliest, when it began."""
    times = [talk.begun_at, *(question.asked_at for question in talk.questions)]
    times += [reply.begun_at for question in talk.questions for reply in question.replies]
    return latest(*times)


def latest(*times: datetime.datetime) -> datetime.datetime:
    """The last of some times, whatever offset each was written with."""
    return max(times, key=lambda time: time.timestamp())


def newest_first(heads: Iterator[Head]) -> list[Head]:
    """Heads in the order of the list."""
    return sorted(
        heads,
        key=lambda head: (head.changed_at.timestamp(), head.begun_at.timestamp(), head.id),
        reverse=True,
    )


def not_found() -> TalkNotFoundError:
    """What is said of a talk that is not there."""
    return TalkNotFoundError("this talk is not in the history: it was deleted.", "Begin a new one.")
