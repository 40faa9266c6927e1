"""A vote, made of what a person chose; and which vote on a pair counts."""

import datetime
import unicodedata
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Literal

from ophtimus_edge.compare.votes.answers import LevelAnswer
from ophtimus_edge.compare.votes.drawing import Pair, Side
from ophtimus_edge.models.formats import Vote
from ophtimus_edge.text import sanitize

Choice = Literal["a", "b", "equal", "both_bad"]
LONGEST_NAME = 80
_Answers = frozenset[tuple[str, str]]
Subject = tuple[str, str, _Answers]
"""What a vote is about: who voted, on which question, on which answers of which files, on whatever sides."""


def cast(
    pair: Pair,
    choice: Choice,
    *,
    seed: int,
    rater: str,
    unsafe: Sequence[Side] = (),
    confirmed: bool = False,
    note: str = "",
    at: datetime.datetime | None = None,
) -> Vote:
    """The vote on a pair.

    Args:
        seed: of the drawing that the pair is of.
        at: now, where it is not given.
    """
    moment = at or datetime.datetime.now().astimezone()
    return Vote(
        question_id=pair.question.id,
        question=pair.question.text,
        model=pair.a.model,
        level_a=pair.a.level,
        level_b=pair.b.level,
        sha256_a=pair.a.sha256,
        sha256_b=pair.b.sha256,
        answer_sha256_a=_hashed(pair.a),
        answer_sha256_b=_hashed(pair.b),
        seed=seed,
        rater=rater,
        rated_at=moment.isoformat(timespec="seconds"),
        choice=choice,
        unsafe=sorted(unsafe),
        confirmed=confirmed and bool(unsafe),
        note=note,
    )


def subject(vote: Vote) -> Subject:
    """What a vote is about; a later one about the same corrects it."""
    answers = frozenset(
        {(vote.sha256_a, vote.answer_sha256_a), (vote.sha256_b, vote.answer_sha256_b)}
    )  # fmt: skip
    return (vote.rater, vote.question_id, answers)


def subject_of(pair: Pair, rater: str) -> Subject:
    """What a vote of a person on a pair would be about."""
    answers = frozenset({(answer.sha256, _hashed(answer)) for answer in pair})
    return (rater, pair.question.id, answers)


def counting(votes: Iterable[Vote]) -> list[Vote]:
    """The votes without those that their rater corrected later; in the order of the first ones."""
    latest: dict[Subject, Vote] = {}
    for vote in votes:
        latest[subject(vote)] = vote
    return list(latest.values())


def turned(vote: Vote, pair: Pair) -> Vote:
    """A vote on this pair's answers, as if they had stood on the sides where they stand now."""
    if (vote.sha256_a, vote.answer_sha256_a) == (pair.a.sha256, _hashed(pair.a)):
        return vote
    other: dict[Side, Side] = {"a": "b", "b": "a"}
    choice: Choice = vote.choice
    if choice == "a" or choice == "b":
        choice = other[choice]
    return cast(
        pair,
        choice,
        seed=vote.seed,
        rater=vote.rater,
        unsafe=[other[side] for side in vote.unsafe],
        confirmed=vote.confirmed,
        note=vote.note,
        at=_moment(vote.rated_at),
    )


def clean_rater(name: str) -> str:
    """A person's name as it is kept: composed, without what would command a terminal, in one line."""
    return " ".join(sanitize(unicodedata.normalize("NFC", name)).split())[:LONGEST_NAME]


def when(vote: Vote) -> float:
    """When a vote was cast, in seconds; before all others where it does not say."""
    return when_said(vote.rated_at)


def when_said(rated_at: str) -> float:
    """A vote's time in seconds; before all others where it is none."""
    moment = _moment(rated_at)
    return moment.timestamp() if moment else 0.0


def _moment(rated_at: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(rated_at)
    except ValueError:
        return None


def _hashed(answer: LevelAnswer) -> str:
    return sha256(answer.text.encode()).hexdigest()
