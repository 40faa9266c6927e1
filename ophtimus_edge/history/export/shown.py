"""What a talk shows, in the order of the page: what Markdown, CSV and HTML have in common."""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from ophtimus_edge import __version__, specialties
from ophtimus_edge.history.demonstration import is_demonstration
from ophtimus_edge.history.talk import Flag, Question, Reply, Talk
from ophtimus_edge.history.texts import Sentences
from ophtimus_edge.models import withdrawals


class Opening(NamedTuple):
    """The sentences over all talks, in their order.

    Attributes:
        exported: when, by which release, and how many talks.
        warning: that no answer is medical advice.
        notes: what the export is not, and what of the talks it has.
    """

    title: str
    exported: str
    warning: str
    notes: str


class Shown(NamedTuple):
    """A question of the path, and the answer that is open.

    Attributes:
        number: 1 for the first of the path.
        branch: its place among the questions that stand here, and how many there are.
        version: the answer's place among its versions, and how many there are.
        dropped: numbers of the questions that no longer fitted; "" for one that is not on this path.
    """

    number: int
    question: Question
    branch: tuple[int, int]
    reply: Reply | None
    version: tuple[int, int]
    dropped: list[str]


def opening(talks: Sequence[Talk], say: Sentences, at: datetime.datetime) -> Opening:
    """What is said before the first talk."""
    return Opening(
        say("title"),
        say("exported", at=moment(at), version=__version__, count=len(talks)),
        say("not_advice"),
        f"{say('not_record')} {say('identifying')} {say('shown_only')}",
    )


def shown(talk: Talk) -> list[Shown]:
    """The path that a talk shows, oldest question first."""
    path = talk.path()
    numbers = {question.id: str(number) for number, question in enumerate(path, start=1)}
    items = []
    for number, question in enumerate(path, start=1):
        branches = [branch.id for branch in talk.branches(question.after)]
        reply = question.reply
        items.append(
            Shown(
                number,
                question,
                (branches.index(question.id) + 1, len(branches)),
                reply,
                (question.shown + 1, len(question.replies)),
                [numbers.get(one, "") for one in reply.dropped] if reply else [],
            )
        )
    return items


def origin(reply: Reply, say: Sentences) -> list[tuple[str, str]]:
    """Where an answer is from, how it ended and when it was flagged: labels and values."""
    how = reply.provenance
    lines = [
        (say("label_model"), how.model),
        (say("label_version"), how.version),
        (say("label_level"), how.level),
        (say("label_sha256"), how.sha256 or say("unknown")),
        (say("label_role"), role_title(how.role, say.language)),
        (say("label_temperature"), f"{how.temperature:g}"),
        (say("label_seed"), str(how.seed)),
        (say("label_again"), say("yes" if how.again else "no")),
        (say("label_begun_at"), moment(reply.begun_at)),
        (say("label_finish"), say(f"finish_{reply.finish}")),
        (say("label_tokens"), str(reply.completion_tokens)),
    ]
    if reply.note:
        lines.append((say("label_note"), reply.note))
    if reply.keep:
        lines.append((say("label_keep"), say("yes")))
    if reply.flag:
        lines.append((say("label_flagged_at"), moment(reply.flag.at)))
    return lines


def warnings(reply: Reply, say: Sentences) -> list[str]:
    """What must be known of the model that wrote an answer: that it is a demonstration, or was withdrawn."""
    lines = [say("demonstration")] if is_demonstration(reply.provenance) else []
    if taken_back := withdrawals.of(reply.provenance.sha256):
        lines.append(say("withdrawn", reason=taken_back.why(say.language)))
    return lines


def dropped_line(item: Shown, say: Sentences) -> str:
    """What the model no longer had in mind when it answered; "" where it had everything."""
    if not item.dropped:
        return ""
    numbers = ", ".join(number or say("dropped_elsewhere") for number in item.dropped)
    return say("dropped", count=len(item.dropped), numbers=numbers)


def question_title(item: Shown, say: Sentences) -> str:
    """Such as "Question 2 · branch 1 of 2"."""
    place, count = item.branch
    return say("question_branch" if count > 1 else "question", number=item.number, place=place, count=count)


def answer_title(item: Shown, say: Sentences) -> str:
    """Such as "Answer · version 2 of 3"."""
    place, count = item.version
    return say("answer_version" if count > 1 else "answer", place=place, count=count)


def flag_title(flag: Flag, say: Sentences) -> str:
    """What a person said is amiss."""
    return say(f"flag_{flag.kind}")


def role_title(role: str, language: str) -> str:
    """A role's name on the screen; a role of another release as it is."""
    known = specialties.roles().get(role)
    return known.title[language] if known else role


def talk_title(talk: Talk, say: Sentences) -> str:
    """A talk's title; words in its place where it has none."""
    return talk.title or say("untitled")


def marks(talk: Talk, say: Sentences) -> str:
    """When a talk was begun, and whether it is pinned or held."""
    words = [say("talk_begun", at=moment(talk.begun_at))]
    words += [say("talk_pinned")] if talk.pinned else []
    words += [say("talk_held")] if talk.held else []
    return " · ".join(words)


def moment(at: datetime.datetime) -> str:
    """A time to the second, with its offset from UTC."""
    return at.isoformat(sep=" ", timespec="seconds")
