"""A talk: questions and answers as a tree, of which one path is shown.

A question may have several answers ("again"), and a talk may go on in another way behind each of them (an
earlier question edited). Nothing is taken out when another branch is shown: every question follows one
answer, or begins the talk, and the talk remembers which of the branches was shown last.
"""

import datetime
import uuid
from collections.abc import Sequence
from typing import Literal

import msgspec

from ophtimus_edge.conversation import Exchange
from ophtimus_edge.engine.messages import FinishReason
from ophtimus_edge.models import withdrawals

_TITLE_CHARACTERS = 60


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What wrote an answer, and how.

    Attributes:
        sha256: of the model's file; "" until it is known.
        role: such as "clinical".
        again: whether it was asked for another time, at another temperature.
        demonstration: whether the model's description says that its answers are never for clinical use; what
            was kept before there was this field is told by the model's name and file.
    """

    model: str
    version: str
    level: str
    sha256: str
    role: str
    temperature: float
    seed: int
    again: bool = False
    demonstration: bool = False


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says is amiss with an answer.

    Attributes:
        correction: what it should say, in the person's words; "" where nothing was written.
    """

    kind: Literal["wrong", "unsafe", "incomplete"]
    correction: str = ""
    at: datetime.datetime


class Reply(msgspec.Struct, kw_only=True):
    """One answer to a question.

    Attributes:
        text: sanitized, exactly as the model wrote it.
        ids: its tokens, for the next prompt; empty where the engine died.
        finish: ``writing`` while it grows.
        note: what must be known of it beside how it ended, such as why the engine died.
        failure: the name of the error's class whose words the note has, such as "EngineError".
        notices: what the app said above it, a line each.
        dropped: ids of the questions that no longer fitted when it was written.
        keep: never dropped where the talk grows too long.
        flag: None where nobody found anything amiss with it.
    """

    id: str
    provenance: Provenance
    begun_at: datetime.datetime
    text: str = ""
    ids: list[int] = []
    finish: FinishReason | Literal["writing"] = "writing"
    note: str = ""
    failure: str = ""
    notices: list[str] = []
    dropped: list[str] = []
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_per_s: float = 0.0
    keep: bool = False
    flag: Flag | None = None


class Question(msgspec.Struct, kw_only=True):
    """A question, and the answers that it got.

    Attributes:
        after: the id of the answer that it follows; "" where it begins the talk.
        shown: the place of the answer that is shown.
    """

    id: str
    after: str
    text: str
    asked_at: datetime.datetime
    replies: list[Reply] = []
    shown: int = 0

    @property
    def reply(self) -> Reply | None:
        """The answer that is shown."""
        return self.replies[self.shown] if self.replies else None


class Talk(msgspec.Struct, kw_only=True):
    """A conversation.

    Attributes:
        questions: of every branch, oldest first.
        chosen: for an answer with several questions behind it, which of them is shown; the key "" is the
            talk's beginning.
        pinned: shown before the others.
        held: never deleted because of its age.
    """

    id: str
    begun_at: datetime.datetime
    title: str = ""
    questions: list[Question] = []
    chosen: dict[str, str] = {}
    pinned: bool = False
    held: bool = False

    def path(self) -> list[Question]:
        """The questions that are shown, oldest first."""
        following: dict[str, list[Question]] = {}  # in one go: a talk may have thousands
        for question in self.questions:
            following.setdefault(question.after, []).append(question)
        shown: list[Question] = []
        after = ""
        while branches := following.get(after):
            chosen = self.chosen.get(after, branches[-1].id)
            question = next((branch for branch in branches if branch.id == chosen), branches[-1])
            shown.append(question)
            if question.reply is None:
                break
            after = question.reply.id
        return shown

    def branches(self, after: str) -> list[Question]:
        """The questions that follow an answer, oldest first; after "", those that begin the talk."""
        return [question for question in self.questions if question.after == after]

    def ask(self, text: str, instead_of: Question | None = None) -> Question:
        """Put a question at the end of the path, or in the place of an earlier one, on a branch of its own.

        Raises:
            ValueError: the last question of the path has no answer yet.
        """
        path = self.path()
        if instead_of is not None:
            after = instead_of.after
        elif path:
            last = path[-1].reply
            if last is None:
                raise ValueError("the last question has no answer to follow")
            after = last.id
        else:
            after = ""
        question = Question(id=_new_id(), after=after, text=text, asked_at=now())
        self.questions.append(question)
        self.chosen[after] = question.id
        self.title = self.title or _title(text)
        return question

    def begin_reply(self, question: Question, provenance: Provenance) -> Reply:
        """Another answer to a question, which is shown from now on."""
        reply = Reply(id=_new_id(), provenance=provenance, begun_at=now())
        question.replies.append(reply)
        question.shown = len(question.replies) - 1
        return reply

    def show_reply(self, question: Question, step: int) -> None:
        """Show the answer before or after the one that is shown, around the end."""
        if question.replies:
            question.shown = (question.shown + step) % len(question.replies)

    def show_branch(self, question: Question, step: int) -> Question:
        """Show the question before or after one that stands in the same place; returns it."""
        branches = self.branches(question.after)
        place = (branches.index(question) + step) % len(branches)
        self.chosen[question.after] = branches[place].id
        return branches[place]

    def show_message(self, message_id: str) -> Question | None:
        """Show the branches and the answer with which a message is on the path.

        Args:
            message_id: of a question or an answer of any branch.

        Returns:
            The question that it is, or that it answers; None where the talk does not have it.
        """
        of_reply = {reply.id: question for question in self.questions for reply in question.replies}
        by_id = {question.id: question for question in self.questions}
        found = of_reply.get(message_id) or by_id.get(message_id)
        seen: set[str] = set()
        question, reply_id = found, message_id
        while question is not None and question.id not in seen:
            seen.add(question.id)
            for place, reply in enumerate(question.replies):
                if reply.id == reply_id:
                    question.shown = place
            self.chosen[question.after] = question.id
            reply_id = question.after
            question = of_reply.get(reply_id)
        return found


def earlier(questions: Sequence[Question], model: str, version: str) -> list[Exchange]:
    """What was said before, for the next prompt: one exchange for each question of :func:`answered`.

    Args:
        model, version: what the prompt is for; the tokens of another model mean other words in it.
    """
    exchanges = []
    for question in answered(questions):
        if (reply := question.reply) is not None:
            own = (reply.provenance.model, reply.provenance.version) == (model, version)
            exchanges.append(Exchange(question.text, reply.text, reply.ids if own else [], reply.keep))
    return exchanges


def answered(questions: Sequence[Question]) -> list[Question]:
    """The questions whose shown answer has words: a model must not build on an error.

    So none that is flagged, nor of a model that was withdrawn.
    """
    return [
        question
        for question in questions
        if (reply := question.reply) is not None
        and reply.text.strip()
        and reply.flag is None
        and withdrawals.of(reply.provenance.sha256) is None
    ]


def new_talk() -> Talk:
    """A talk that begins now."""
    return Talk(id=_new_id(), begun_at=now())


def now() -> datetime.datetime:
    """The time, with this computer's offset from UTC."""
    return datetime.datetime.now().astimezone()


def _new_id() -> str:
    return uuid.uuid4().hex


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1] + "…"
