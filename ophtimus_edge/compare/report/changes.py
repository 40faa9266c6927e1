"""What changed since an older report, a sentence each.

What makes figures incomparable comes first: another model, machine, reference, file or program. Then each level that
both reports have, by its name. A difference is said to be one only where the two intervals do not overlap; where they
do, nothing was shown, and that is what it says.
"""

from collections.abc import Callable
from typing import NamedTuple

from ophtimus_edge.compare import phrases
from ophtimus_edge.compare.naming import names_of
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import LevelReport, Report

_FINDINGS = {
    "within": "within tolerance",
    "beyond": "beyond tolerance",
    "open": "not shown to be within tolerance",
    "unsafe": "taken out for an unsafe answer",
    "not measured": "not measured",
}


class _Figure(NamedTuple):
    """A figure that both reports may have.

    Attributes:
        name: as a sentence says it.
        of: the figure of a level, None for not measured.
        said: it in words.
        rests_on: what must be the same for a difference to be the level's own: a part of the files, or the machine.
    """

    name: str
    of: Callable[[LevelReport], Statistic | None]
    said: Callable[[Statistic], str]
    rests_on: str


def _per_cent(measured: Statistic) -> str:
    hundredfold = Statistic(100 * measured.value, 100 * measured.low, 100 * measured.high)
    return f"{phrases.interval(hundredfold, 1)} %"


def _memory(measured: Statistic) -> str:
    return phrases.size(round(measured.value))


_FIGURES = (
    _Figure("accuracy", lambda one: one.mcq.accuracy if one.mcq else None, _per_cent, "mcq"),
    _Figure(
        "accuracy of the likeliest letter",
        lambda one: one.mcq.likelihood_accuracy if one.mcq else None,
        _per_cent,
        "mcq",
    ),
    _Figure(
        "KL divergence", lambda one: one.divergence.kl_mean if one.divergence else None, phrases.nats, "text"
    ),
    _Figure(
        "generated tokens/s",
        lambda one: one.speed.generated_tokens_per_s if one.speed else None,
        phrases.rate,
        "machine",
    ),
    _Figure(
        "prompt tokens/s",
        lambda one: one.speed.prompt_tokens_per_s if one.speed else None,
        phrases.rate,
        "machine",
    ),
    _Figure(
        "peak memory", lambda one: one.speed.peak_memory_bytes if one.speed else None, _memory, "machine"
    ),
)
_OTHER = {"mcq": "other questions", "text": "another text", "machine": "another machine"}


def changes(old: Report, new: Report) -> list[str]:
    """What changed between two reports, what makes them incomparable first.

    Args:
        old: the baseline.
        new: the report that is being made.
    """
    other = _other_ground(old, new)
    lines = [*_of_the_ground(old, new), *_of_files(old, new), *_of_verdicts(old, new)]
    before, after = (
        dict(zip(names_of(levels), levels, strict=True))
        for levels in ((old.reference, *old.levels), (new.reference, *new.levels))
    )
    for name, level in after.items():
        if name in before:
            lines += _of_level(name, before[name], level, other)
        else:
            lines.append(f"{name} is new.")
    lines += [f"{name} is not in this report any more." for name in before if name not in after]
    return lines


def _other_ground(old: Report, new: Report) -> set[str]:
    """What figures rest on and is not the same in both reports: parts of the files, and the machine."""
    other = {part for part in ("text", "mcq") if _asked(old, part) != _asked(new, part)}
    if old.reference.sha256 != new.reference.sha256:
        other.add("reference")
    return other | ({"machine"} if old.machine != new.machine else set())


def _of_the_ground(old: Report, new: Report) -> list[str]:
    lines = []
    if (old.model, old.version) != (new.model, new.version):
        was, now = (f"{one.model} {one.version}".strip() for one in (old, new))
        lines.append(f"Another model: {now}; it was {was}.")
    for name in dict.fromkeys([*old.machine, *new.machine]):
        was, now = old.machine.get(name, "not known"), new.machine.get(name, "not known")
        if was != now:
            lines.append(f"Another machine: its {name} is {now}; it was {was}.")
    if old.reference.level != new.reference.level:
        lines.append(f"Another reference: {new.reference.level}; it was {old.reference.level}.")
    elif old.reference.sha256 != new.reference.sha256:
        lines.append(f"Another reference: the file of {new.reference.level} is not the same one.")
    for name in dict.fromkeys([*old.tool_versions, *new.tool_versions]):
        was, now = old.tool_versions.get(name, "not known"), new.tool_versions.get(name, "not known")
        if was != now:
            lines.append(f"Another {name}: {now}; it was {was}.")
    return lines


def _asked(report: Report, part: str) -> list[tuple[str, int]]:
    return sorted((file.sha256, file.used) for file in report.files if file.part == part)


def _of_files(old: Report, new: Report) -> list[str]:
    """Which files the two were measured on, where they are not the same."""
    lines = []
    for part in dict.fromkeys(file.part for file in (*old.files, *new.files)):
        was, now = ([one for one in report.files if one.part == part] for report in (old, new))
        same = sorted(one.sha256 for one in was) == sorted(one.sha256 for one in now)
        if not same:
            names = [phrases.listed([one.name for one in files]) or "none" for files in (now, was)]
            lines.append(f"Other files ({part}): {names[0]}; it was {names[1]}.")
        elif _asked(old, part) != _asked(new, part):
            counts = [sum(one.used for one in files) for files in (now, was)]
            lines.append(f"Of the same files ({part}) {counts[0]:,} are used; it was {counts[1]:,}.")
    return lines


def _of_verdicts(old: Report, new: Report) -> list[str]:
    if old.verdict is None or new.verdict is None:
        return []
    lines = []
    if old.verdict.tolerances != new.verdict.tolerances:
        was, now = (
            f"{100 * one.accuracy:g} points, {one.kl_mean:g} nats, {one.generated_tokens_per_s:g} tokens/s"
            for one in (old.verdict.tolerances, new.verdict.tolerances)
        )
        lines.append(f"Other tolerances: {now}; it was {was}.")
    for title, was, now in (
        ("Smallest level within tolerance", old.verdict.level, new.verdict.level),
        (
            "Most faithful level at the stated speed",
            old.verdict.fastest_faithful,
            new.verdict.fastest_faithful,
        ),
    ):
        if was != now:
            lines.append(f"{title}: {now or 'none'}; it was {was or 'none'}.")
    before = {one.level: one.finding for one in old.verdict.findings}
    for one in new.verdict.findings:
        if one.level in before and before[one.level] != one.finding:
            lines.append(f"{one.level}: {_FINDINGS[one.finding]}; it was {_FINDINGS[before[one.level]]}.")
    return lines


def _of_level(name: str, old: LevelReport, new: LevelReport, other: set[str]) -> list[str]:
    """What changed of a level: its file, figures that differ, and those that do not."""
    lines, alike = [], []
    if old.size_bytes != new.size_bytes:
        lines.append(
            f"{name}: {phrases.size(new.size_bytes)} ({new.size_bytes - old.size_bytes:+,} bytes); "
            f"it was {phrases.size(old.size_bytes)}."
        )
    elif old.sha256 != new.sha256:
        lines.append(f"{name}: the file is another one of the same size.")
    for figure in _FIGURES:
        was, now = figure.of(old), figure.of(new)
        if was is None and now is None:
            continue
        if was is None or now is None:
            seen = "was not measured before" if now else "was measured before, and is not now"
            lines.append(f"{name}: {figure.name} {seen}.")
        elif now.low <= was.high and was.low <= now.high:
            alike.append(figure.name)
        else:
            verb = "rose" if now.value > was.value else "fell"
            ground = _ground(figure, other)
            lines.append(
                f"{name}: {figure.name} {verb} from {figure.said(was)} to {figure.said(now)}{ground}."
            )
    if alike:
        lines.append(f"{name}: no difference shown in {phrases.listed(alike)}.")
    return lines


def _ground(figure: _Figure, other: set[str]) -> str:
    """What else may be the reason of a difference."""
    reasons = [_OTHER[figure.rests_on]] if figure.rests_on in other else []
    if figure.rests_on == "text" and "reference" in other:
        reasons.append("another reference")
    return f" (with {phrases.listed(reasons)})" if reasons else ""
