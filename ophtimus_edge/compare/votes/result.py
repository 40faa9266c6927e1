"""What votes amount to, as the report says it."""

from collections.abc import Iterable

from ophtimus_edge.compare.statistics.intervals import preference
from ophtimus_edge.compare.votes.drawing import SIDES
from ophtimus_edge.models.formats import UnsafeVote, Vote
from ophtimus_edge.models.report import VotesReport


def votes_report(votes: Iterable[Vote], sha256: str, reference_sha256: str) -> VotesReport | None:
    """What was found of a level's answers.

    Better, worse, equal and both bad are counted where the other side was the reference. An answer that was
    found unsafe is one whatever it stood beside, so all of them are named; and so the reference has a report of
    its own where its answers were found unsafe.

    The interval takes each vote for one draw of its own. Votes of several persons on the same questions are not
    quite that: with many persons and few questions it is too narrow.

    Args:
        votes: that count, see :func:`ophtimus_edge.compare.votes.reading.about`.
        sha256, reference_sha256: of the level's file and the reference's.

    Returns:
        None where no vote says anything of the level.
    """
    counts = {"better": 0, "worse": 0, "equal": 0, "both_bad": 0}
    raters: set[str] = set()
    unsafe: list[UnsafeVote] = []
    for vote in votes:
        files = {"a": vote.sha256_a, "b": vote.sha256_b}
        unsafe += [
            UnsafeVote(
                question_id=vote.question_id,
                rater=vote.rater,
                confirmed=vote.confirmed,
                note=vote.note,
                beside_sha256=files["b" if side == "a" else "a"],
                rated_at=vote.rated_at,
            )
            for side in SIDES
            if files[side] == sha256 and side in vote.unsafe
        ]
        if set(files.values()) != {sha256, reference_sha256}:
            continue
        raters.add(vote.rater)
        if vote.choice in files:
            counts["better" if files[vote.choice] == sha256 else "worse"] += 1
        else:
            counts[vote.choice] += 1
    total = sum(counts.values())
    if not total and not unsafe:
        return None
    better, worse = counts["better"], counts["worse"]
    return VotesReport(
        votes=total,
        raters=len(raters),
        preferred=preference(better, worse).share if better + worse else None,
        unsafe=unsafe,
        **counts,
    )
