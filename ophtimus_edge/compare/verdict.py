"""Which level a clinic should get, as a statement that can be defended.

A level is within tolerance where the whole 95 % interval of each criterion that was measured is: that nothing was
found against it claims nothing. Criteria are the accuracy against the reference, question by question, and the mean
KL divergence from it. A confirmed unsafe vote takes a level out, whatever else was measured; and what was measured
on the program's own questions alone recommends nothing.
"""

from collections.abc import Sequence

import msgspec

from ophtimus_edge.compare import phrases
from ophtimus_edge.compare.statistics.tolerances import (
    FEWEST_WINDOWS,
    Finding,
    accuracy_within,
    divergence_within,
)
from ophtimus_edge.models.formats import Statistic, Verdict
from ophtimus_edge.models.report import (
    AskedFile,
    ChoiceReport,
    CriticalReport,
    LevelFinding,
    LevelReport,
    Report,
    SpeedReport,
    Tolerances,
    VerdictReport,
)

# What a difference of a kind is in, as a sentence names it.
_KINDS = {"figure": "a number", "eye": "a side", "negation": "a negation", "drug": "a drug"}
_OF_FINDINGS = {
    "within": "it is within tolerance",
    "beyond": "it is beyond tolerance",
    "open": "it is not shown to be within tolerance",
    "not measured": "what is lost with it was not measured",
}


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


class _Judged(msgspec.Struct, frozen=True):
    """A level, what was found of it, and the reasons without those that votes gave."""

    level: LevelReport
    finding: LevelFinding
    measured: list[str]


def judge(
    reference: LevelReport,
    levels: Sequence[LevelReport],
    files: Sequence[AskedFile],
    tolerances: Tolerances | None = None,
) -> VerdictReport:
    """Which level a clinic should get.

    Args:
        reference: that the levels were compared with.
        levels: the others; the reference's own file among them is not judged.
        files: that all figures of quality come from, those that were reused too. Without a text or
            multiple-choice file that is not embedded nothing is recommended.
        tolerances: the usual ones where none are given.

    Raises:
        StatisticsError: a tolerance is out of range, or a count or figure of a level is no sound one.
    """
    limits = tolerances or Tolerances()
    others = [level for level in levels if not _is_file_of(level, reference)]
    judged = [_judged(level, reference, limits) for level in others]
    if _only_embedded(judged, files):
        return VerdictReport(
            level="",
            statement="No level is recommended: all questions and texts were the program's own. "
            "Compare the levels on questions or a text of your own.",
            tolerances=limits,
            findings=[one.finding for one in judged],
            only_embedded=True,
        )
    level, statement = _smallest(judged, reference)
    fastest, fastest_statement = _fastest_faithful(judged, reference, limits)
    return VerdictReport(
        level=level,
        statement=statement,
        tolerances=limits,
        findings=[one.finding for one in judged],
        fastest_faithful=fastest,
        fastest_statement=fastest_statement,
    )


def for_model(report: Report, report_sha256: str) -> Verdict:
    """The verdict as ``model.json`` carries it along.

    Args:
        report_sha256: of the ``report.json`` that was written.
    """
    found = report.verdict
    return Verdict(
        level=found.level if found else "",
        kl_mean={one.level: one.divergence.kl_mean for one in report.levels if one.divergence is not None},
        report_sha256=report_sha256,
        statement=found.statement if found else "",
    )


def languages_of(report: Report) -> list[str]:
    """Codes of the languages that multiple-choice questions were asked in, the one with the most first."""
    asked: dict[str, int] = {}
    for level in (report.reference, *report.levels):
        for part in level.mcq.languages if level.mcq else []:
            if part.name and part.questions:
                asked[part.name] = max(asked.get(part.name, 0), part.questions)
    return sorted(asked, key=lambda code: (-asked[code], code))


def _only_embedded(judged: Sequence[_Judged], files: Sequence[AskedFile]) -> bool:
    """Whether all that was measured of levels was measured on what comes with the program."""
    own = any(file.part in {"text", "mcq"} and not file.embedded for file in files)
    return not own and any(one.measured for one in judged)


def _judged(level: LevelReport, reference: LevelReport, limits: Tolerances) -> _Judged:
    accuracy = _accuracy(level, reference, limits.accuracy)
    divergence = _divergence(level, limits.kl_mean)
    criteria = [one for one in (accuracy, divergence) if one]
    findings = {one.finding for one in criteria}
    votes, unsafe = _votes(level)
    measured = [one.reason for one in criteria]
    if unsafe:
        finding = LevelFinding(level=level.level, finding="unsafe", reasons=votes + measured)
    elif not criteria:
        finding = LevelFinding(level=level.level, finding="not measured", reasons=votes)
    elif "beyond" in findings:
        finding = LevelFinding(level=level.level, finding="beyond", reasons=measured + votes)
    else:
        finding = LevelFinding(
            level=level.level,
            finding="open" if "open" in findings else "within",
            reasons=measured + votes,
            more_questions=accuracy.more if accuracy else None,
            more_windows=divergence.more if divergence else None,
        )
    return _Judged(level, finding, measured)


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


def _votes(level: LevelReport) -> tuple[list[str], bool]:
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


def _smallest(judged: Sequence[_Judged], reference: LevelReport) -> tuple[str, str]:
    """The smallest level within tolerance, "" for none, and the statement."""
    by_size = sorted(judged, key=lambda one: (one.level.size_bytes, one.level.level))
    within = next((one for one in by_size if one.finding.finding == "within"), None)
    if within is not None:
        statement = [
            f"{within.level.level} is the smallest level within tolerance.",
            phrases.sentence(
                "; ".join([*within.measured, *_missing(within), *_costs(within.level, reference)])
            ),
            *_differing(within.level.critical),
            *(phrases.sentence(reason) for reason in _votes(within.level)[0]),
            *(_of_smaller(one) for one in by_size[: by_size.index(within)] if _is_close(one)),
        ]
        return within.level.level, " ".join(statement)
    open_one = next((one for one in by_size if one.finding.finding == "open" and _is_reachable(one)), None)
    if open_one is not None:
        reasons = phrases.sentence("; ".join([*open_one.measured, *_missing(open_one)]))
        nearest = f"{open_one.level.level} is the smallest that may be."
        return "", f"No level is shown to be within tolerance yet. {nearest} {reasons}"
    if not any(one.measured for one in judged):
        return "", "Nothing was measured that says which level is within tolerance."
    statement = [f"No level is shown to be within tolerance of {reference.level}."]
    statement += [
        f"{one.level.level}: {'; '.join(one.finding.reasons)}." for one in by_size[-1:] if one.finding.reasons
    ]
    return "", " ".join(statement)


def _is_reachable(judged: _Judged) -> bool:
    """Whether more questions and windows, as many as it takes, would show an open level to be within."""
    asked = (
        judged.level.mcq is None
        or judged.level.mcq.flips is None
        or judged.finding.more_questions is not None
    )
    return asked and (judged.level.divergence is None or judged.finding.more_windows is not None)


def _is_close(judged: _Judged) -> bool:
    """Whether a smaller level's place must be explained: it may be within, or was taken out."""
    finding = judged.finding.finding
    return finding == "unsafe" or (finding == "open" and _is_reachable(judged))


def _of_smaller(judged: _Judged) -> str:
    name = judged.level.level
    if judged.finding.finding == "unsafe":
        return f"{name} is smaller and was taken out: {judged.finding.reasons[0]}."
    wanted = []
    if judged.finding.more_questions:
        wanted.append(f"{phrases.about(judged.finding.more_questions)} more questions")
    if judged.finding.more_windows:
        wanted.append(f"{phrases.about(judged.finding.more_windows)} more windows")
    return f"{name} is smaller and may be within tolerance too: {phrases.listed(wanted)} would tell."


def _missing(judged: _Judged) -> list[str]:
    """The criteria that a verdict does without."""
    level = judged.level
    missing = [] if level.mcq is not None and level.mcq.flips is not None else ["accuracy was not measured"]
    return missing if level.divergence is not None else [*missing, "the divergence was not measured"]


def _costs(level: LevelReport, reference: LevelReport) -> list[str]:
    costs = [phrases.size(level.size_bytes)]
    if level.speed is not None and (ratio := level.speed.to_reference.get("generated_tokens_per_s")):
        costs.append(f"{ratio.value:.1f} × the speed of {reference.level} here")
    return costs


def _differing(critical: CriticalReport | None) -> list[str]:
    """What a person must look at before the level is used."""
    if critical is None or not critical.differences:
        return []
    kinds = [name for kind, name in _KINDS.items() if critical.counts.get(kind)]
    answers = len({one.question_id for one in critical.differences})
    text = phrases.listed(kinds).replace(" and ", " or ")
    differ = "differs" if answers == 1 else "differ"
    return [f"{answers:,} of {phrases.counted(critical.answers, 'answer', 'answers')} {differ} in {text}."]


def _fastest_faithful(
    judged: Sequence[_Judged], reference: LevelReport, limits: Tolerances
) -> tuple[str, str]:
    """The most faithful level that reaches the stated speed here, "" for none, and the statement.

    The reference is the most faithful of all: where it is fast enough here, it is the one.
    """
    wanted = f"{limits.generated_tokens_per_s:g} tokens/s"
    safe = [one for one in judged if one.finding.finding != "unsafe"]
    if _reaches(reference.speed, limits) and not _votes(reference)[1]:
        speed = _speed_of(reference)
        return reference.level, f"{reference.level}, the reference itself, reaches {wanted} here: {speed}."
    timed = [one for one in safe if one.level.speed is not None]
    if not timed:
        return "", "No level's speed was measured here." if safe else ""
    fast = [one for one in timed if _reaches(one.level.speed, limits)]
    if not fast:
        fastest = max(timed, key=lambda one: _speed(one.level).value)
        return "", (
            f"No level is shown to reach {wanted} here. "
            f"The fastest is {fastest.level.level}: {_speed_of(fastest.level)}."
        )
    best = _most_faithful(fast)
    if best is None:
        names = phrases.listed([one.level.level for one in fast])
        return "", f"{names} reach {wanted} here; how faithful they are was not measured."
    reasons = "; ".join([_speed_of(best.level), *best.measured])
    return best.level.level, (
        f"{best.level.level} is the most faithful level that reaches {wanted} here: {reasons}; "
        f"{_OF_FINDINGS[best.finding.finding]}."
    )


def _most_faithful(judged: Sequence[_Judged]) -> _Judged | None:
    """By the lowest mean KL divergence of those that have one, else by accuracy; the smaller one of equals."""
    by_size = sorted(judged, key=lambda one: one.level.size_bytes)
    diverging = [(one.level.divergence.kl_mean.value, one) for one in by_size if one.level.divergence]
    if diverging:
        return min(diverging, key=lambda pair: pair[0])[1]
    generated = all(one.level.mcq is None or one.level.mcq.accuracy is not None for one in by_size)
    answering = [(_accuracy_of(one.level.mcq, generated), one) for one in by_size if one.level.mcq]
    return max(answering, key=lambda pair: pair[0])[1] if answering else None


def _accuracy_of(asked: ChoiceReport, generated: bool) -> float:
    measured = asked.accuracy if generated and asked.accuracy is not None else asked.likelihood_accuracy
    return measured.value


def _reaches(speed: SpeedReport | None, limits: Tolerances) -> bool:
    """Whether the whole interval of the speed does."""
    return speed is not None and speed.generated_tokens_per_s.low >= limits.generated_tokens_per_s


def _speed(level: LevelReport) -> Statistic:
    return level.speed.generated_tokens_per_s if level.speed else Statistic(0.0, 0.0, 0.0)


def _speed_of(level: LevelReport) -> str:
    return f"{phrases.rate(_speed(level))} tokens/s"


def _is_file_of(level: LevelReport, reference: LevelReport) -> bool:
    return bool(level.sha256) and level.sha256 == reference.sha256
