"""What was found of one level: each criterion that was measured, and what votes say."""

from collections.abc import Sequence

import msgspec

from ophtimus_edge.compare import phrases
from ophtimus_edge.compare.statistics.tolerances import (
    FEWEST_WINDOWS,
    Finding,
    accuracy_within,
    divergence_within,
)
from ophtimus_edge.models.report import AskedFile, ChoiceReport, LevelFinding, LevelReport, Tolerances


class _Criterion(msgspec.Struct, frozen=True):
    """What was found of one criterion.

    Attributes:
        finding: within, beyond or open.
        reason: in words.
        more: how many more questions or windows it takes, None where more would not show it.
    """

    finding: Finding
    reason: str
    more: int | None


class Judged(msgspec.Struct, frozen=True):
    """A level, what was found of it, and the reasons without those that votes gave.

    Attributes:
        smaller: whether it is smaller than the reference: else nothing is gained by it.
    """

    level: LevelReport
    finding: LevelFinding
    measured: list[str]
    smaller: bool

    @property
    def name(self) -> str:
        """That tells it from other levels."""
        return self.finding.level

    @property
    def may_be_recommended(self) -> bool:
        """Whether it is one to choose from: whether it is within tolerance is another question."""
        return self.smaller and not self.finding.only_embedded


def judged_level(
    level: LevelReport, name: str, reference: LevelReport, files: Sequence[AskedFile], limits: Tolerances
) -> Judged:
    """Judge a level.

    Args:
        name: that tells it from other levels.
        files: that figures of quality come from.

    Raises:
        StatisticsError: a tolerance is out of range, or a count or figure is no sound one.
    """
    accuracy = _accuracy(level, reference, limits.accuracy)
    divergence = _divergence(level, limits.kl_mean)
    criteria = [one for one in (accuracy, divergence) if one]
    findings = {one.finding for one in criteria}
    votes, unsafe = said_by_votes(level)
    measured = [one.reason for one in criteria]
    smaller = level.size_bytes < reference.size_bytes
    only_embedded = bool(criteria) and not own_parts(level, files)
    finding = LevelFinding(
        level=name,
        sha256=level.sha256,
        finding="open" if "open" in findings else "within",
        reasons=measured + votes,
        only_embedded=only_embedded,
    )
    if unsafe:
        finding = msgspec.structs.replace(finding, finding="unsafe", reasons=votes + measured)
    elif not criteria:
        finding = msgspec.structs.replace(finding, finding="not measured")
    elif "beyond" in findings:
        finding = msgspec.structs.replace(finding, finding="beyond")
    else:
        finding = msgspec.structs.replace(
            finding,
            more_questions=accuracy.more if accuracy else None,
            more_windows=divergence.more if divergence else None,
        )
    more = [f"it is no smaller than the reference {reference.level}"] if criteria and not smaller else []
    more += ["all of it was measured on the program's own questions"] if only_embedded else []
    finding = msgspec.structs.replace(finding, reasons=[*finding.reasons, *more])
    return Judged(level, finding, measured, smaller)


def own_parts(level: LevelReport, files: Sequence[AskedFile]) -> set[str]:
    """The criteria of a level that were measured on a file that did not come with the program.

    Returns:
        "text" for the divergence, "mcq" for the accuracy.
    """
    measured = {
        "text": level.divergence is not None,
        "mcq": level.mcq is not None and level.mcq.flips is not None,
    }
    own = set()
    for part, is_measured in measured.items():
        sha256 = level.files.get(part)
        on = [file for file in files if file.part == part and sha256 in (None, file.sha256)]
        if is_measured and any(not file.embedded for file in on):
            own.add(part)
    return own


def _accuracy(level: LevelReport, reference: LevelReport, tolerance: float) -> _Criterion | None:
    """Whether a level answers as many questions right; None where the two were not asked the same ones."""
    asked = level.mcq
    if asked is None or asked.flips is None:
        return None
    difference = asked.flips.difference
    questions = asked.flips.questions or asked.questions
    turned = len(asked.flips.lost) + len(asked.flips.won)
    found = accuracy_within(difference, turned, questions, tolerance)
    low, high = 100 * difference.low, 100 * difference.high
    if found.finding == "beyond":
        claim = f"at least {phrases.down(-high, 1)} points worse"
    elif low >= 0:
        claim = "not worse"
    elif found.finding == "within":
        claim = f"at most {phrases.up(-low, 1)} points worse"
    else:
        claim = f"possibly up to {phrases.up(-low, 1)} points worse"
    on = f"95 %, {phrases.counted(questions, 'paired question', 'paired questions')}"
    reason = f"{_accuracies(asked, reference.mcq)}: {claim} ({on}, tolerance {100 * tolerance:g})"
    more = found.more_questions
    if found.finding == "open" and more is None:
        reason += ", and more questions would rather show it to be beyond"
    elif found.finding == "open":
        reason += f", and {phrases.about(more or 0)} more questions would tell"
    return _Criterion(found.finding, reason, more)


def _accuracies(level: ChoiceReport, reference: ChoiceReport | None) -> str:
    """Both accuracies: of generated answers where both have them, else of the likeliest letter."""
    difference = level.flips.difference.value if level.flips else 0.0
    if level.accuracy is not None and (reference is None or reference.accuracy is not None):
        name, ours = "accuracy", level.accuracy
        theirs = reference.accuracy if reference else None
    else:
        name, ours = "accuracy of the likeliest letter", level.likelihood_accuracy
        theirs = reference.likelihood_accuracy if reference else None
    other = theirs.value if theirs else ours.value - difference
    return f"{name} {phrases.percent(ours.value)} against {phrases.percent(other)}"


def _divergence(level: LevelReport, tolerance: float) -> _Criterion | None:
    measured = level.divergence
    if measured is None:
        return None
    found = divergence_within(measured.kl_mean, measured.windows, tolerance)
    figure = f"KL divergence {phrases.nats(measured.kl_mean)}"
    if found.finding == "beyond":
        return _Criterion("beyond", f"{figure}, beyond the tolerance of {tolerance:g}", None)
    reason = f"{figure}, tolerance {tolerance:g}"
    more = found.more_windows
    if found.finding == "open" and measured.windows < FEWEST_WINDOWS:
        windows = phrases.counted(measured.windows, "window is", "windows are")
        reason += f", and {windows} too few to tell"
    elif found.finding == "open" and more is None:
        reason += ", and more windows would rather show it to be beyond"
    elif found.finding == "open":
        reason += f", and {phrases.about(more or 0)} more windows would tell"
    return _Criterion(found.finding, reason, more)


def said_by_votes(level: LevelReport) -> tuple[list[str], bool]:
    """What votes say against a level, and whether that takes it out."""
    unsafe = level.votes.unsafe if level.votes else []
    confirmed = {one.question_id for one in unsafe if one.confirmed}
    unconfirmed = {one.question_id for one in unsafe} - confirmed
    reasons = []
    if confirmed:
        reasons.append(
            f"{phrases.counted(len(confirmed), 'answer was', 'answers were')} confirmed to be unsafe"
        )
    if unconfirmed:
        found = phrases.counted(len(unconfirmed), "answer was", "answers were")
        reasons.append(f"{found} called unsafe, which was not confirmed")
    return reasons, bool(confirmed)
