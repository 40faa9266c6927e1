"""How long each part of a comparison takes on this machine, how much memory it needs, and what a budget buys."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.running.budget import Counts, choose_counts, least
from ophtimus_edge.compare.running.order import PARTS, PartName
from ophtimus_edge.compare.running.pace import ROWS, WINDOW, Pace
from ophtimus_edge.compare.running.words import duration
from ophtimus_edge.compare.speed.measuring import GENERATED_TOKENS, PROMPT_TOKENS
from ophtimus_edge.errors import UsageError
from ophtimus_edge.models.fit import gib
from ophtimus_edge.models.hardware import Machine

_FIELDS = {"speed": "rounds", "divergence": "windows", "mcq": "choices", "essay": "essays"}
UNITS = {"speed": "rounds", "divergence": "windows", "mcq": "questions", "essay": "questions"}

_QUESTION_TOKENS = 25  # of the speed part's own question, with the template's end
_ROLE_TOKENS = 45  # evaluated before it
# The figures of two rows of logits, for each token of the vocabulary; measured on two cores.
_COMPARE_S = 20e-9
# Both models' vocabularies are read and compared, and the text cut into tokens by both; for each token they know.
_SETTING_UP_S = 16e-6
_TOKEN_BYTES = 4  # of text
_OWN_BYTES = 250 << 20  # of the process that compares: Python, numpy, and copies of blocks of rows


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured, and how long its texts are.

    Attributes:
        counts: 0 for a part that is left out.
        choice_tokens: of a choice question's prompt, on average, behind what all have in common.
        choice_answer_tokens: that are expected of its generated answer; 0 where none is generated.
        essay_tokens, essay_answer_tokens: likewise.
        parallel: answers that are written side by side.
    """

    counts: Counts
    choice_tokens: float = 150.0
    choice_answer_tokens: float = 120.0
    essay_tokens: float = 40.0
    essay_answer_tokens: float = 200.0
    parallel: int = 16


class PartPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One part.

    Attributes:
        levels: that it is measured of, the reference among them where it is.
        asked, count: rounds, windows or questions that were asked for, and that are planned.
        permutations_asked, permutations: of the options; 0 where there are none.
        seconds: that it takes; ``memory_bytes`` of all its processes at once, at the peak.
        least_seconds: that the least of it would take.
        steps: the seconds of each level, by the name that its progress has; letters and answers apart.
    """

    part: PartName
    levels: list[str]
    asked: int
    count: int
    permutations_asked: int = 0
    permutations: int = 0
    seconds: float = 0.0
    memory_bytes: int = 0
    least_seconds: float = 0.0
    steps: dict[str, float] = {}


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """A level that a part cannot be measured of here, and what can be done.

    Speed is measured of the levels that fit, and without the others; any other part is not measured at all.

    Attributes:
        key: of the level's pace; ``is_reference`` whether it is the reference.
        need_bytes, free_bytes: of memory.
    """

    part: PartName
    level: str
    key: str
    need_bytes: int
    free_bytes: int
    message: str
    hint: str
    is_reference: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison will take.

    Attributes:
        counts: how much of each part is measured; what was asked for where everything fits.
        memory_bytes: of the machine, ``free_bytes`` of them free now; 0 where the system does not say.
        measured: whether it stands on measured speeds; else on predicted ones.
    """

    parts: list[PartPlan]
    counts: Counts
    shortages: list[Shortage]
    budget_s: float | None
    memory_bytes: int
    free_bytes: int
    measured: bool

    @property
    def seconds(self) -> float:
        """That all parts take together."""
        return sum(part.seconds for part in self.parts)

    @property
    def steps(self) -> dict[str, float]:
        """The seconds of every step that a progress tells of, by its name."""
        return {name: seconds for part in self.parts for name, seconds in part.steps.items()}

    @property
    def peak_bytes(self) -> int:
        """Of memory, of the part that needs most: they are measured one after the other."""
        return max((part.memory_bytes for part in self.parts), default=0)

    @property
    def whole(self) -> bool:
        """Whether all that was asked for is measured."""
        return not self.shortages and all(
            part.count == part.asked and part.permutations == part.permutations_asked for part in self.parts
        )


class _Costs(NamedTuple):
    """Of a part: seconds once, for each unit, and for each unit and order of the options."""

    once: float = 0.0
    unit: float = 0.0
    order: float = 0.0


def mean_tokens(texts: Iterable[str]) -> float:
    """About how many tokens texts have on average: four bytes each, in English and in Korean; 0 for none."""
    sizes = [len(text.encode("utf-8", "replace")) / _TOKEN_BYTES for text in texts]
    return sum(sizes) / len(sizes) if sizes else 0.0


def make_plan(
    levels: Sequence[Pace],
    reference: Pace | None,
    asked: Asked,
    machine: Machine,
    *,
    of: Mapping[PartName, Collection[str]] | None = None,
    from_report: bool = False,
    budget_s: float | None = None,
) -> Plan:
    """Plan a comparison.

    Args:
        levels: the reference among them or not.
        reference: None where its file is not here: then nothing is measured that takes it.
        of: the keys of the levels that each part is measured of; None for all of them.
        from_report: whether figures come from an earlier report already.
        budget_s: seconds; None for as long as it takes.

    Raises:
        UsageError: the budget is too small for the least of any part.
    """
    first = [reference] if reference else []
    every = [*first, *(level for level in levels if not reference or level.key != reference.key)]
    wished = {
        part: [pace for pace in every if pace.key in of[part]]
        if of is not None
        else every[len(first) if part == "divergence" else 0 :]
        for part in PARTS
    }
    shortages = [
        _shortage(part, pace, reference, machine, from_report)
        for part in PARTS
        for pace in wished[part]
        if not _fits(part, pace, reference, machine)
    ]
    takers = {
        part: [pace for pace in wished[part] if _fits(part, pace, reference, machine)] for part in PARTS
    }
    costs = {part: _costs(part, takers[part], reference, asked) for part in PARTS}
    wanted = asked.counts
    for part in PARTS:
        if not takers[part] or not getattr(wanted, _FIELDS[part]):
            wanted = msgspec.structs.replace(wanted, **{_FIELDS[part]: 0})
    orders = max(wanted.permutations, 1) if wanted.choices else 0
    wanted = msgspec.structs.replace(wanted, permutations=orders)

    def cost(counts: Counts) -> float:
        return sum(_seconds(part, costs[part], counts) for part in PARTS)

    counts = wanted if budget_s is None else choose_counts(wanted, budget_s, cost)
    smallest = least(wanted, cost)
    if counts == Counts() and smallest and budget_s is not None:
        _refuse(budget_s, *smallest[0])
    leasts = dict(smallest)
    return Plan(
        parts=[
            PartPlan(
                part=part,
                levels=[pace.level for pace in takers[part]],
                asked=getattr(asked.counts, _FIELDS[part]),
                count=getattr(counts, _FIELDS[part]),
                permutations_asked=max(asked.counts.permutations, 1) if part == "mcq" else 0,
                permutations=counts.permutations if part == "mcq" else 0,
                seconds=_seconds(part, costs[part], counts),
                memory_bytes=max((_memory(part, pace, reference) for pace in takers[part]), default=0)
                if getattr(counts, _FIELDS[part])
                else 0,
                least_seconds=leasts.get(_FIELDS[part], 0.0),
                steps=_steps(part, takers[part], reference, asked, counts),
            )
            for part in PARTS
            if getattr(asked.counts, _FIELDS[part])
            and (takers[part] or any(each.part == part for each in shortages))
        ],
        counts=counts,
        shortages=[each for each in shortages if getattr(asked.counts, _FIELDS[each.part])],
        budget_s=budget_s,
        memory_bytes=machine.memory_bytes,
        free_bytes=machine.available_bytes,
        measured=all(pace.measured for part in PARTS for pace in takers[part]),
    )


def _fits(part: PartName, pace: Pace, reference: Pace | None, machine: Machine) -> bool:
    """Whether the memory that is free holds what a part needs; where the system does not say, it does."""
    free = machine.available_bytes
    return not free or _memory(part, pace, reference) <= free


def _memory(part: PartName, pace: Pace, reference: Pace | None) -> int:
    """Bytes that a part needs for a level: divergence holds it and the reference at once."""
    if part == "divergence":
        beside = reference.window_memory_bytes if reference else 0
        return pace.window_memory_bytes + beside + _OWN_BYTES
    return pace.memory_bytes + _OWN_BYTES


def _costs(part: PartName, takers: list[Pace], reference: Pace | None, asked: Asked) -> _Costs:
    """What a part costs of all its levels together."""
    loads = sum(pace.load_s for pace in takers)
    if part == "speed":
        return _Costs(unit=sum(map(_round_s, takers)))
    if part == "divergence":
        if reference is None:
            return _Costs()
        return _Costs(
            once=loads + sum(reference.load_s + _SETTING_UP_S * pace.row_bytes / 4 for pace in takers),
            unit=sum(_window_s(pace) + _window_s(reference) + _compare_s(pace) for pace in takers),
        )
    if part == "mcq":
        prompts = sum(asked.choice_tokens / pace.prompt_tokens_per_s for pace in takers)
        answers = _answers_s(takers, asked.choice_tokens, asked.choice_answer_tokens, asked.parallel)
        return _Costs(once=loads, unit=answers, order=prompts)
    return _Costs(
        once=loads, unit=_answers_s(takers, asked.essay_tokens, asked.essay_answer_tokens, asked.parallel)
    )


def _round_s(pace: Pace) -> float:
    """A level in one round of speed, its warming up and its question among it."""
    read = 2 * PROMPT_TOKENS + _ROLE_TOKENS + _QUESTION_TOKENS
    written = GENERATED_TOKENS + 1
    return pace.load_s + read / pace.prompt_tokens_per_s + written / pace.generated_tokens_per_s


def _window_s(pace: Pace) -> float:
    return WINDOW / pace.prompt_tokens_per_s + ROWS * pace.row_s


def _compare_s(pace: Pace) -> float:
    return _COMPARE_S * ROWS * pace.row_bytes / 4


def _answers_s(takers: list[Pace], tokens: float, answer_tokens: float, parallel: int) -> float:
    """A question that every level answers, many side by side; nothing where no answer is expected."""
    if not answer_tokens:
        return 0.0
    return sum(
        tokens / pace.prompt_tokens_per_s + answer_tokens / pace.many_tokens_per_s(parallel)
        for pace in takers
    )


def _seconds(part: PartName, costs: _Costs, counts: Counts) -> float:
    count = getattr(counts, _FIELDS[part])
    if not count:
        return 0.0
    orders = counts.permutations if part == "mcq" else 0
    return float(costs.once + count * (costs.unit + orders * costs.order))


def _steps(
    part: PartName, takers: list[Pace], reference: Pace | None, asked: Asked, counts: Counts
) -> dict[str, float]:
    """Seconds by step: of all levels together for speed, whose rounds alternate; of letters and of answers."""
    if not getattr(counts, _FIELDS[part]):
        return {}
    if part == "speed":
        return {part: _seconds(part, _costs(part, takers, reference, asked), counts)}
    steps: dict[str, float] = {}
    for pace in takers:
        costs = _costs(part, [pace], reference, asked)
        if part == "mcq":
            steps[f"letters {pace.level}"] = costs.once + counts.choices * counts.permutations * costs.order
            steps[f"answers {pace.level}"] = counts.choices * costs.unit
        else:
            steps[f"{part} {pace.level}"] = _seconds(part, costs, counts)
    return steps


def _shortage(
    part: PartName, pace: Pace, reference: Pace | None, machine: Machine, from_report: bool
) -> Shortage:
    """A level and a part that do not go together here, in words."""
    need, free, has = _memory(part, pace, reference), machine.available_bytes, machine.memory_bytes
    what = f"the {part} of {pace.level}"
    if part == "divergence" and reference is not None:
        what += f" holds it and the reference {reference.level} at once, which"
    never = bool(has) and need > has
    place = f"this machine has {gib(has)}" if never else f"{gib(free)} of {gib(has)} are free"
    hint = _what_to_do(part, pace is reference, from_report)
    if not never:
        hint = f"Close other programs. Or else: {hint[0].lower()}{hint[1:]}"
    return Shortage(
        part=part,
        level=pace.level,
        key=pace.key,
        need_bytes=need,
        free_bytes=free,
        message=f"{what} needs {gib(need)} of memory; {place}.",
        hint=hint,
        is_reference=pace is reference,
    )


def _what_to_do(part: PartName, is_reference: bool, from_report: bool) -> str:
    smaller = "name a smaller reference: Q8_0 is allowed, and the report names it."
    if part == "speed":
        left = "Its speed is left out"
        return f"{left}; for ratios to a reference, {smaller}" if is_reference else f"{left}."
    if from_report:
        return (
            f"Leave {part} out, so that what the report of --quality-from has is taken over; or measure it where "
            "it fits, and name that report."
        )
    if part == "divergence" or is_reference:
        return (
            "Measure the quality once on a machine that holds both, and name its report here with "
            f"--quality-from; or {smaller}"
        )
    return "Leave this level out; a clinic with such a machine cannot use it."


def _refuse(budget_s: float, field: str, seconds: float) -> None:
    """Refuse a budget that buys nothing.

    Raises:
        UsageError: always.
    """
    part = next(part for part in PARTS if _FIELDS[part] == field)
    minutes = int(seconds // 60) + 1
    raise UsageError(
        f"--budget {duration(budget_s)} is too small for any part: the smallest, {part}, takes {duration(seconds)}.",
        f"Give --budget {minutes}m or more, or name fewer levels.",
    )
