"""Votes of an earlier comparison beside those that are read now: an answer that was found unsafe stays found.

A report, and a model folder, carry the answers that were confirmed to be unsafe without the votes that they are
from. So a level stays taken out when it is compared again, with other votes or none, until the person who voted so
votes otherwise on the same answers.
"""

from collections.abc import Iterable, Sequence

import msgspec

from ophtimus_edge.compare.votes.result import votes_report
from ophtimus_edge.compare.votes.voting import when_said
from ophtimus_edge.models.formats import UnsafeVote, Vote
from ophtimus_edge.models.report import VotesReport


def with_earlier(
    votes: Sequence[Vote],
    sha256: str,
    reference_sha256: str,
    old: VotesReport | None = None,
    carried: Iterable[UnsafeVote] = (),
) -> VotesReport | None:
    """What was found of a level's answers, earlier ones too.

    The counts are of the votes that are read now, where any says anything of the level: those of a report cannot
    be told from them.

    Args:
        votes: that count.
        sha256, reference_sha256: of the level's file and the reference's.
        old: of an earlier report.
        carried: that the level's model folder carries along.

    Returns:
        None where nobody said anything of the level.
    """
    new = votes_report(votes, sha256, reference_sha256)
    now = new.unsafe if new else []
    earlier = [*(old.unsafe if old else ()), *carried]
    open_ones = [one for one in earlier if not any(_is_corrected(one, vote, sha256) for vote in votes)]
    unsafe = _once([*now, *open_ones])
    base = new or old
    if base is None:
        empty = VotesReport(votes=0, raters=0, better=0, worse=0, equal=0, both_bad=0, preferred=None)
        return msgspec.structs.replace(empty, unsafe=unsafe) if unsafe else None
    return msgspec.structs.replace(base, unsafe=unsafe)


def _is_corrected(unsafe: UnsafeVote, vote: Vote, sha256: str) -> bool:
    """Whether a vote that counts is the later word of the same person on the same answers.

    Persons without a name cannot be told apart: none of them corrects another.
    """
    sides = {vote.sha256_a: vote.sha256_b, vote.sha256_b: vote.sha256_a}
    same = (
        bool(unsafe.rater)
        and (vote.rater, vote.question_id) == (unsafe.rater, unsafe.question_id)
        and sha256 in sides
        and unsafe.beside_sha256 in ("", sides.get(sha256))
    )
    return same and when_said(vote.rated_at) >= when_said(unsafe.rated_at)


def _once(unsafe: Iterable[UnsafeVote]) -> list[UnsafeVote]:
    """Each once: of those that one person said of one answer, the first."""
    found: dict[tuple[str, ...], UnsafeVote] = {}
    for one in unsafe:
        who = (one.rater,) if one.rater else ("", one.rated_at, one.note)
        found.setdefault((one.question_id, one.beside_sha256, *who), one)
    return list(found.values())
