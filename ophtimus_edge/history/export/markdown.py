"""Talks as Markdown. What people and models wrote stands in fences, so that no renderer changes a character."""

import datetime
import re
from collections.abc import Iterator, Sequence

from ophtimus_edge.history.export.shown import (
    Shown,
    answer_title,
    dropped_line,
    flag_title,
    marks,
    moment,
    opening,
    origin,
    question_title,
    shown,
    talk_title,
    warnings,
)
from ophtimus_edge.history.talk import Reply, Talk
from ophtimus_edge.history.texts import Sentences
from ophtimus_edge.text import sanitize

_BACKTICKS = re.compile("`+")
_MARKS = re.compile(r"([\\`*_\[\]<>&~#|$])")


def render(talks: Sequence[Talk], language: str, at: datetime.datetime) -> bytes:
    """Talks as a Markdown document."""
    say = Sentences(language)
    over = opening(talks, say, at)
    parts = [f"# {over.title}", over.exported, f"**{over.warning}**", over.notes]
    for talk in talks:
        parts += _talk(talk, say)
    return (sanitize("\n\n".join(parts)) + "\n").encode()


def _talk(talk: Talk, say: Sentences) -> Iterator[str]:
    yield f"## {_line(talk_title(talk, say))}"
    yield _line(marks(talk, say))
    items = shown(talk)
    if not items:
        yield say("empty")
    for item in items:
        yield f"### {question_title(item, say)}"
        yield moment(item.question.asked_at)
        yield _fenced(item.question.text)
        if item.reply is None:
            yield say("no_answer")
        else:
            yield from _answer(item, item.reply, say)


def _answer(item: Shown, reply: Reply, say: Sentences) -> Iterator[str]:
    yield f"#### {answer_title(item, say)}"
    for warning in warnings(reply, say):
        yield f"**{_line(warning)}**"
    if reply.notices:
        yield "\n".join([f"{say('notice')}:", "", *(f"- {_line(notice)}" for notice in reply.notices)])
    if dropped := dropped_line(item, say):
        yield dropped
    words = _fenced(reply.text) if reply.text else say("no_words")
    if reply.flag:
        yield f"**{flag_title(reply.flag, say)}** {say('flagged_struck')}"
        yield f"<del>\n\n{words}\n\n</del>"
        if reply.flag.correction:
            yield f"{say('correction')}:\n\n{_fenced(reply.flag.correction)}"
        else:
            yield say("no_correction")
    else:
        yield words
    yield "\n".join(f"- {label}: {_line(value)}" for label, value in origin(reply, say))
    yield f"*{say('not_advice')}*"


def _fenced(text: str) -> str:
    """A text in a fence that is longer than any in it."""
    text = sanitize(text)  # first: without what is between them, two runs of backticks are one
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _line(text: str) -> str:
    """A text on one line, of which a renderer takes nothing for a mark."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
