"""Where talks are kept: what the app asks of a history, and the one that forgets with the app."""

from typing import Protocol

from ophtimus_edge.history.talk import Question, Reply, Talk


class History(Protocol):
    """Talks of one person.

    Every method that takes something keeps it before it returns: a question is kept before it is sent to
    a model, an answer as it grows.
    """

    def talks(self) -> list[Talk]:
        """All talks, the newest first."""

    def begin(self, talk: Talk) -> None:
        """Keep a new talk, which may be empty."""

    def keep_question(self, talk: Talk, question: Question) -> None:
        """Keep a question, before it is sent, and which branch the talk shows."""

    def keep_reply(self, talk: Talk, question: Question, reply: Reply) -> None:
        """Keep an answer as far as it is written."""

    def keep_view(self, talk: Talk) -> None:
        """Keep which branches and answers a talk shows, its title and its marks."""


class Forgetting:
    """A history in memory: it ends with the app, and nothing of it is ever written down."""

    def __init__(self) -> None:
        self._talks: dict[str, Talk] = {}

    def talks(self) -> list[Talk]:
        """All talks, the newest first."""
        return sorted(self._talks.values(), key=lambda talk: talk.begun_at, reverse=True)

    def begin(self, talk: Talk) -> None:
        """Keep a new talk."""
        self._talks[talk.id] = talk

    def keep_question(self, talk: Talk, question: Question) -> None:
        """The talk holds it already."""

    def keep_reply(self, talk: Talk, question: Question, reply: Reply) -> None:
        """The talk holds it already."""

    def keep_view(self, talk: Talk) -> None:
        """The talk holds it already."""
