"""The time that a person has: what they write, and how much of each part it buys.

Every part first gets its least, the cheapest part first, so that a short time tells a little of much. What is
left goes up one ladder, step by step, and stops at the first step that it does not pay in full. The ladder
does not depend on the budget: more time never buys less of anything. Read backwards, it is the order in which
things are cut:

1. essay questions: each costs a whole answer of every level, and no tolerance of the verdict hangs on them;
2. rounds of speed behind the third: the ratio within a round is steady;
3. further orders of the options: they tell of the bias for a letter only;
4. windows of divergence behind the 64th: the interval of the mean narrows slowly from there on;
5. choice questions: to tell two points of accuracy apart takes about 1,500 of them;
6. the third round, and windows behind the 20th: with fewer the verdict cannot tell.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.statistics.tolerances import FEWEST_WINDOWS
from ophtimus_edge.errors import UsageError

_FORM = re.compile(
    r"(?:(?P<hours>\d+(?:\.\d+)?)\s*(?:h|hours?)\s*)?"
    r"(?:(?P<minutes>\d+(?:\.\d+)?)\s*(?:m|min|minutes?)\s*)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)\s*(?:s|sec|seconds?)\s*)?",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_S = 366 * 86_400.0  # beyond it, somebody has mistyped


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How much of each part.

    Attributes:
        rounds: of speed; ``windows`` of divergence; ``choices`` and ``essays`` are questions.
        permutations: orders of the options in which every choice question is asked.
    """

    rounds: int = 0
    windows: int = 0
    choices: int = 0
    permutations: int = 0
    essays: int = 0


LEAST = Counts(rounds=2, windows=FEWEST_WINDOWS, choices=40, permutations=1, essays=10)


class _Step(NamedTuple):
    """A rung of the ladder: a count goes up to here; ``whole`` where less than that is nothing."""

    field: str
    up_to: int
    whole: bool = False


def parse_budget(text: str) -> float:
    """Seconds, from what a person writes: 90m, 45min, 2h, 1h30m, 1.5h, 90s; spaces and capitals are allowed.

    A number alone is refused: it could be minutes or hours, and the one for the other costs a night.

    Raises:
        UsageError: it is none of these, or not above zero, or longer than a year.
    """
    found = _FORM.fullmatch(text.strip())
    parts = found.groupdict() if found else {}
    seconds = sum(
        float(parts.get(name) or 0) * size
        for name, size in (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
    )
    if not 0 < seconds <= _LONGEST_S:
        bare = re.fullmatch(r"\d+(\.\d+)?", text.strip(), re.ASCII)
        raise UsageError(
            f"--budget {text!a} names no unit of time." if bare else f"--budget {text!a} is no time.",
            f"Write {text.strip()}m for minutes or {text.strip()}h for hours."
            if bare
            else "Write it as 45min, 2h or 1h30m.",
        )
    return seconds


def choose_counts(asked: Counts, budget_s: float, cost: Callable[[Counts], float]) -> Counts:
    """The most that a budget buys, in the order that this module states.

    Args:
        asked: at the most.
        cost: seconds for counts; more of anything never costs less, and nothing costs nothing.

    Returns:
        Counts that cost the budget at the most, 0 for a part that does not fit; all of them 0 where the
        budget is too small for anything.
    """
    asked = _with(asked, "choices", asked.choices)
    if cost(asked) <= budget_s:
        return asked
    counts = Counts()
    for step in _ladder(asked, cost):
        now = getattr(counts, step.field)
        reached = _reach(counts, step, budget_s, cost)
        counts = _with(counts, step.field, max(reached, now))
        if reached < step.up_to:
            break
    return counts


def least(asked: Counts, cost: Callable[[Counts], float]) -> list[tuple[str, float]]:
    """The least of every part that is asked for, by its field, with the seconds it costs; the cheapest first."""
    found = []
    for field in ("rounds", "windows", "choices", "essays"):
        if getattr(asked, field):
            alone = _with(Counts(), field, min(getattr(asked, field), getattr(LEAST, field)))
            found.append((field, cost(alone)))
    return sorted(found, key=lambda each: each[1])


def _ladder(asked: Counts, cost: Callable[[Counts], float]) -> list[_Step]:
    steps = [_Step(field, getattr(LEAST, field), whole=True) for field, _ in least(asked, cost)]
    steps += [
        _Step("windows", 64), _Step("rounds", 3),
        _Step("choices", asked.choices), _Step("windows", asked.windows),
        _Step("permutations", asked.permutations), _Step("rounds", asked.rounds), _Step("essays", asked.essays),
    ]  # fmt: skip
    return [step._replace(up_to=min(step.up_to, getattr(asked, step.field))) for step in steps]


def _reach(counts: Counts, step: _Step, budget_s: float, cost: Callable[[Counts], float]) -> int:
    """How far up a step the budget goes; to where it stands already, or below, where it does not pay it."""
    low, high = int(getattr(counts, step.field)), step.up_to
    if high <= low or cost(_with(counts, step.field, high)) <= budget_s:
        return high
    if step.whole:
        return low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(_with(counts, step.field, middle)) <= budget_s else (low, middle)
    return low


def _with(counts: Counts, field: str, value: int) -> Counts:
    """The counts with another one; a choice question is asked in one order at the least."""
    changed = msgspec.structs.replace(counts, **{field: value})
    if changed.choices and not changed.permutations:
        return msgspec.structs.replace(changed, permutations=1)
    return changed
