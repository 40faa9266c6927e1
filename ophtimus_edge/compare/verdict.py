"""Which level a clinic should get, as a statement that can be defended.

A level is within tolerance where the whole 95 % interval of each criterion that was measured is: that nothing was
found against it claims nothing. Criteria are the accuracy against the reference, question by question, and the mean
KL divergence from it. A confirmed unsafe vote takes a level out, whatever else was measured; a level of which all
was measured on what comes with the program is not recommended; nor is one that is no smaller than the reference.
"""

from collections.abc import Sequence

from ophtimus_edge.compare import phrases
from ophtimus_edge.compare.judging import Judged, judged_level, said_by_votes
from ophtimus_edge.compare.naming import names_of
from ophtimus_edge.models.formats import Statistic, Verdict
from ophtimus_edge.models.report import (
    AskedFile,
    ChoiceReport,
    CriticalReport,
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
        files: that all figures of quality come from, those that were reused too. A level is recommended only
            where its own figures come from one of them that is not embedded.
        tolerances: the usual ones where none are given.

    Raises:
        StatisticsError: a tolerance is out of range, or a count or figure of a level is no sound one.
    """
    limits = tolerances or Tolerances()
    names = names_of([reference, *levels])[1:]
    judged = [
        judged_level(level, name, reference, files, limits)
        for level, name in zip(levels, names, strict=True)
        if not _is_file_of(level, reference)
    ]
    asked = [one for one in judged if one.measured]
    if asked and all(one.finding.only_embedded for one in asked):
        return VerdictReport(
            level="",
            statement=_and_of_reference(
                "No level is recommended: all questions and texts were the program's own. "
                "Compare the levels on questions or a text of your own.",
                reference,
            ),
            tolerances=limits,
            findings=[one.finding for one in judged],
            only_embedded=True,
        )
    best, statement = _smallest(judged, reference)
    fastest, fastest_statement = _fastest_faithful(judged, reference, limits)
    return VerdictReport(
        level=best.name if best else "",
        sha256=best.level.sha256 if best else "",
        statement=_and_of_reference(statement, reference),
        tolerances=limits,
        findings=[one.finding for one in judged],
        fastest_faithful=fastest,
        fastest_statement=fastest_statement,
    )


def for_model(report: Report, report_sha256: str) -> Verdict:
    """The verdict as ``model.json`` carries it along, of all levels by the names that tell them apart.

    Args:
        report_sha256: of the ``report.json`` that was written.
    """
    found = report.verdict
    every = [report.reference, *report.levels]
    names = dict(zip(names_of(every), every, strict=True))
    diverging = {name: one.divergence.kl_mean for name, one in names.items() if one.divergence is not None}
    unsafe = {one.sha256: [vote for vote in one.votes.unsafe if vote.confirmed] for one in every if one.votes}
    return Verdict(
        level=found.level if found else "",
        sha256=found.sha256 if found else "",
        kl_mean=diverging,
        files={name: names[name].sha256 for name in diverging},
        report_sha256=report_sha256,
        statement=found.statement if found else "",
        unsafe={sha256: votes for sha256, votes in unsafe.items() if votes},
    )


def languages_of(report: Report) -> list[str]:
    """Codes of the languages that multiple-choice questions were asked in, the one with the most first."""
    asked: dict[str, int] = {}
    for level in (report.reference, *report.levels):
        for part in level.mcq.languages if level.mcq else []:
            if part.name and part.questions:
                asked[part.name] = max(asked.get(part.name, 0), part.questions)
    return sorted(asked, key=lambda code: (-asked[code], code))


def _smallest(judged: Sequence[Judged], reference: LevelReport) -> tuple[Judged | None, str]:
    """The smallest level within tolerance, None for none, and the statement."""
    may = [one for one in judged if one.may_be_recommended]
    by_size = sorted(may, key=lambda one: (one.level.size_bytes, one.name))
    within = next((one for one in by_size if one.finding.finding == "within"), None)
    if within is not None:
        statement = [
            f"{within.name} is the smallest level within tolerance.",
            phrases.sentence(
                "; ".join([*within.measured, *_missing(within), *_costs(within.level, reference)])
            ),
            *_differing(within.level.critical),
            *(phrases.sentence(reason) for reason in said_by_votes(within.level)[0]),
            *(_of_smaller(one) for one in by_size[: by_size.index(within)] if _is_close(one)),
        ]
        return within, " ".join(statement)
    open_one = next((one for one in by_size if one.finding.finding == "open" and _is_reachable(one)), None)
    if open_one is not None:
        reasons = phrases.sentence("; ".join([*open_one.measured, *_missing(open_one)]))
        nearest = f"{open_one.name} is the smallest that may be."
        return None, f"No level is shown to be within tolerance yet. {nearest} {reasons}"
    if not any(one.measured for one in judged):
        taken_out = [
            f"{one.name} was taken out: {one.finding.reasons[0]}."
            for one in judged
            if one.finding.finding == "unsafe"
        ]
        nothing = "Nothing was measured that says which level is within tolerance."
        return None, " ".join([nothing, *taken_out])
    smaller = "smaller level" if any(not one.smaller for one in judged) else "level"
    statement = [f"No {smaller} is shown to be within tolerance of {reference.level}."]
    statement += [
        f"{one.name}: {'; '.join(one.finding.reasons)}." for one in by_size[-1:] if one.finding.reasons
    ]
    return None, " ".join(statement)


def _and_of_reference(statement: str, reference: LevelReport) -> str:
    """The statement, and what votes say against the reference: it is what the others are held against."""
    reasons = said_by_votes(reference)[0]
    more = [f"Of {reference.level}, the reference, {reason}." for reason in reasons]
    return " ".join([statement, *more])


def _is_reachable(judged: Judged) -> bool:
    """Whether more questions and windows, as many as it takes, would show an open level to be within."""
    asked = (
        judged.level.mcq is None
        or judged.level.mcq.flips is None
        or judged.finding.more_questions is not None
    )
    return asked and (judged.level.divergence is None or judged.finding.more_windows is not None)


def _is_close(judged: Judged) -> bool:
    """Whether a smaller level's place must be explained: it may be within, or was taken out."""
    finding = judged.finding.finding
    return finding == "unsafe" or (finding == "open" and _is_reachable(judged))


def _of_smaller(judged: Judged) -> str:
    name = judged.name
    if judged.finding.finding == "unsafe":
        return f"{name} is smaller and was taken out: {judged.finding.reasons[0]}."
    wanted = []
    if judged.finding.more_questions:
        wanted.append(f"{phrases.about(judged.finding.more_questions)} more questions")
    if judged.finding.more_windows:
        wanted.append(f"{phrases.about(judged.finding.more_windows)} more windows")
    return f"{name} is smaller and may be within tolerance too: {phrases.listed(wanted)} would tell."


def _missing(judged: Judged) -> list[str]:
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
    judged: Sequence[Judged], reference: LevelReport, limits: Tolerances
) -> tuple[str, str]:
    """The most faithful level that reaches the stated speed here, "" for none, and the statement.

    The reference is the most faithful of all: where it is fast enough here, it is the one.
    """
    wanted = f"{limits.generated_tokens_per_s:g} tokens/s"
    safe = [one for one in judged if one.finding.finding != "unsafe"]
    if _reaches(reference.speed, limits) and not said_by_votes(reference)[1]:
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
            f"The fastest is {fastest.name}: {_speed_of(fastest.level)}."
        )
    best = _most_faithful([one for one in fast if not one.finding.only_embedded])
    if best is None:
        names = phrases.listed([one.name for one in fast])
        return "", f"{names} reach {wanted} here; how faithful they are was not measured."
    reasons = "; ".join([_speed_of(best.level), *best.measured])
    return best.name, (
        f"{best.name} is the most faithful level that reaches {wanted} here: {reasons}; "
        f"{_OF_FINDINGS[best.finding.finding]}."
    )


def _most_faithful(judged: Sequence[Judged]) -> Judged | None:
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
