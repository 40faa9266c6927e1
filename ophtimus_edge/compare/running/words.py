"""A plan in words, for the terminal."""

from typing import TYPE_CHECKING

from ophtimus_edge.models.fit import gib

if TYPE_CHECKING:
    from ophtimus_edge.compare.running.plan import PartPlan, Plan

CUT_ORDER = (
    "essays are cut first, as they cost whole answers and no tolerance hangs on them; then rounds of speed, "
    "orders of the options and windows; choice questions last: two points of accuracy take about 1,500"
)
_UNITS = {"speed": "round", "divergence": "window", "mcq": "question", "essay": "question"}


def duration(seconds: float) -> str:
    """Seconds for people: no finer than they are known."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def plan_lines(plan: "Plan") -> list[str]:
    """A plan, a line each: parts, the sum, what a budget cut, and what does not fit."""
    lines = [_part(part) for part in plan.parts]
    ground = "measured" if plan.measured else "predicted"
    total = f"{'all':<12} about {duration(plan.seconds)} from {ground} speeds"
    if plan.peak_bytes:
        total += f"; at most {gib(plan.peak_bytes)} of memory"
        total += f", {gib(plan.free_bytes)} are free" if plan.free_bytes else ""
    lines.append(total)
    if plan.budget_s is not None:
        cut = [each for part in plan.parts if part.levels for each in _cut(part)]
        lines += [f"{'budget':<12} {duration(plan.budget_s)}: {each}" for each in cut or ["it all fits"]]
        lines += [f"{'':<12} {CUT_ORDER}."] if cut else []
    for shortage in plan.shortages:
        lines += [f"{'does not fit':<12} {shortage.message}", f"{'':<12} {shortage.hint}"]
    return lines


def _part(part: "PartPlan") -> str:
    if not part.count:
        return f"{part.part:<12} not measured"
    count = _counted(part.count, _UNITS[part.part])
    if part.permutations > 1:
        count += f" in {part.permutations} orders"
    levels = _counted(len(part.levels), "level")
    return f"{part.part:<12} {count} × {levels}: about {duration(part.seconds)}, {gib(part.memory_bytes)}"


def _cut(part: "PartPlan") -> list[str]:
    """What the budget left of a part, where it is not all."""
    unit = _UNITS[part.part]
    if not part.count:
        return [f"no {part.part}: its least would take {duration(part.least_seconds)}"]
    said = []
    if part.count < part.asked:
        said.append(f"{part.part} with {part.count:,} of {_counted(part.asked, unit)}")
    if part.permutations < part.permutations_asked:
        orders = _counted(part.permutations, "order")
        said.append(f"{part.part} in {orders} of the options, of {part.permutations_asked}")
    return said


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}" + ("" if count == 1 else "s")
