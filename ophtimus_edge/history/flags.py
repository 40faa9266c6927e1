"""Flagged answers as questions to compare models with: what one got wrong is asked of the others."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from ophtimus_edge.history.talk import Flag, Question, Reply, Talk
from ophtimus_edge.specialties.questions import EssayQuestion
from ophtimus_edge.text import sanitize

TOPIC = "flagged"

_SEPARATORS = "\u2028\u2029"
_HANGUL = re.compile("[ᄀ-ᇿ가-힣]")


def flagged(talks: Iterable[Talk]) -> list[EssayQuestion]:
    """Questions whose answer a person flagged, of every branch and version, in the order of the talks.

    The answer is the person's correction; "" where none was written, and such a row has nothing that a score
    can be made with. The source says what was flagged as what, and whether the question followed others, which
    this one row does not tell. No such row is ever trained on (``split`` is ``heldout``), and none was reviewed.
    """
    rows: dict[tuple[str, str, str], EssayQuestion] = {}
    for talk in talks:
        for question in talk.questions:
            for reply in question.replies:
                if reply.flag:
                    row = _row(question, reply, reply.flag)
                    rows.setdefault((row.question, row.answer, row.source), row)
    return list(rows.values())


def lines(talks: Iterable[Talk]) -> bytes:
    """:func:`flagged` as JSONL, which :func:`ophtimus_edge.specialties.questions.read_questions` reads."""
    text = "".join(msgspec.json.encode(row).decode() + "\n" for row in flagged(talks))
    for separator in _SEPARATORS:  # some readers end a line at these too
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text.encode()


def _row(question: Question, reply: Reply, flag: Flag) -> EssayQuestion:
    text, how = sanitize(question.text), reply.provenance
    language: Literal["en", "ko"] = "ko" if _HANGUL.search(text) else "en"
    source = f"an answer of {how.model} {how.version} {how.level} that a user flagged as {flag.kind}"
    if question.after:
        source += "; the question followed others"
    return EssayQuestion(
        id=f"flagged-{reply.id}-{language}",
        language=language,
        topic=TOPIC,
        question=text,
        answer=sanitize(flag.correction).strip(),
        source=source,
        reviewed_by="",
        split="heldout",
        phrasings=[],
    )
