"""What the votes of a blind test amount to, in words."""

from collections.abc import Sequence

from ophtimus_edge.compare.votes.drawing import SIDES, Drawing, Pair
from ophtimus_edge.compare.votes.result import votes_report
from ophtimus_edge.models.formats import Vote
from ophtimus_edge.models.report import VotesReport
from ophtimus_tui.model_rows import line
from ophtimus_tui.texts import Texts


class Compared:
    """The two levels of a test, which nobody who votes sees before the end.

    Args:
        level, reference: their names; ``sha256s`` of their files, in this order.
        demonstration: whether their model is for trying out only, which is said on every page.
    """

    def __init__(
        self, level: str, reference: str, sha256s: tuple[str, str], *, demonstration: bool = False
    ) -> None:
        self.level, self.reference = line(level), line(reference)
        self.sha256s = sha256s
        self.demonstration = demonstration

    def named(self, sha256: str) -> str:
        """The name of the level of a file."""
        return self.level if sha256 == self.sha256s[0] else self.reference


def result(
    texts: Texts,
    compared: Compared,
    drawing: Drawing,
    votes: Sequence[Vote],
    rater: str,
    path: str,
) -> str:
    """The end of a test, top to bottom.

    Args:
        votes: that count, of all persons who voted in this test.
        path: of the votes file.
    """
    own = [vote for vote in votes if vote.rater == rater]
    parts = [_summary(texts, compared, own)]
    if len(own) < len(votes):
        everybody = len({vote.rater for vote in votes})
        parts.append(texts("blind.result_all", raters=everybody) + "\n" + _summary(texts, compared, votes))
    if left_out := left_out_said(texts, drawing):
        parts.append(left_out)
    parts.append(texts("blind.result_file", path=line(path)))
    parts.append("\n".join([texts("blind.result_each"), *(_each(texts, compared, vote) for vote in own)]))
    return "\n\n".join(parts)


def left_out_said(texts: Texts, drawing: Drawing) -> str:
    """How many questions are not shown, and why; "" where all are."""
    sentences = []
    if drawing.same:
        sentences.append(texts("blind.same", count=drawing.same))
    if drawing.missing:
        sentences.append(texts("blind.missing", count=drawing.missing))
    return "\n".join(sentences)


def vote_said(texts: Texts, vote: Vote) -> str:
    """A vote as its rater reads it while the test goes on: of sides, not of levels."""
    parts = [texts(f"blind.chose_{vote.choice}")]
    if vote.unsafe:
        sides = ", ".join(side.upper() for side in vote.unsafe)
        parts.append(texts("blind.marked_sure" if vote.confirmed else "blind.marked_doubt", sides=sides))
    if vote.note:
        parts.append(texts("blind.noted", note=shortened(vote.note)))
    return " · ".join(parts)


def shortened(note: str, most: int = 60) -> str:
    """The beginning of a note, in one line."""
    text = line(note)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def marked(pair: Pair | None, unsafe: Sequence[str]) -> str:
    """The sides that are marked as unsafe, as they are called on the screen."""
    return ", ".join(side.upper() for side in SIDES if pair is not None and side in unsafe)


def _summary(texts: Texts, compared: Compared, votes: Sequence[Vote]) -> str:
    level, reference = compared.level, compared.reference
    report = votes_report(votes, *compared.sha256s)
    if report is None:
        return texts("blind.result_none")
    sentences = [
        texts(
            "blind.result_counts",
            votes=report.votes, level=level, reference=reference,
            better=report.better, worse=report.worse, equal=report.equal, both_bad=report.both_bad,
        ),
        _preferred(texts, compared, report),
    ]  # fmt: skip
    for name, sha256 in ((level, compared.sha256s[0]), (reference, compared.sha256s[1])):
        found = votes_report(votes, sha256, compared.sha256s[1])
        unsafe = found.unsafe if found else []
        if sure := sum(one.confirmed for one in unsafe):
            sentences.append(texts("blind.result_unsafe", level=name, count=sure))
        if doubts := sum(not one.confirmed for one in unsafe):
            sentences.append(texts("blind.result_doubt", level=name, count=doubts))
    return "\n".join(sentences)


def _preferred(texts: Texts, compared: Compared, report: VotesReport) -> str:
    share = report.preferred
    if share is None:
        return texts("blind.result_no_side")
    values = {
        "count": report.better + report.worse, "level": compared.level, "reference": compared.reference,
        "share": percent(share.value), "low": percent(share.low), "high": percent(share.high),
    }  # fmt: skip
    said = texts("blind.result_share", **values)
    if share.low > 0.5:
        return said + " " + texts("blind.result_better", **values)
    if share.high < 0.5:
        return said + " " + texts("blind.result_worse", **values)
    return said + " " + texts("blind.result_open", **values)


def percent(share: float) -> str:
    """A share of 0 to 1 as a number of percent: a decimal only where the whole number would round to an end."""
    whole = f"{100 * share:.0f}"
    return f"{100 * share:.1f}" if whole in {"0", "100"} and 0 < share < 1 else whole


def _each(texts: Texts, compared: Compared, vote: Vote) -> str:
    files = {"a": vote.sha256_a, "b": vote.sha256_b}
    if vote.choice in files:
        what = texts("blind.each_better", level=compared.named(files[vote.choice]))
    else:
        what = texts(f"blind.chose_{vote.choice}")
    if vote.unsafe:
        names = ", ".join(compared.named(files[side]) for side in vote.unsafe)
        what += " · " + texts("blind.marked_sure" if vote.confirmed else "blind.marked_doubt", sides=names)
    note = " · " + texts("blind.noted", note=line(vote.note)) if vote.note else ""
    return f"  • {line(vote.question)}\n    {what}{note}"
