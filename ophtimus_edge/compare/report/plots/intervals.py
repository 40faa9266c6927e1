"""A plot of one line a level: its value as a mark, its 95 % interval as a bar, both in figures beside it."""

from collections.abc import Sequence
from typing import NamedTuple

from ophtimus_edge.compare.report.cells import NOT_MEASURED, Cell
from ophtimus_edge.compare.report.elements import Element
from ophtimus_edge.compare.report.plots.axes import Scale, linear
from ophtimus_edge.compare.report.plots.drawing import line, mark, picture, short, width_of, words
from ophtimus_edge.models.formats import Statistic

_WIDTH = 720.0
_ROW = 30.0


class Measured(NamedTuple):
    """A level's line: its place in the report, its name, what was measured, and that in figures."""

    place: int
    name: str
    value: Statistic | None
    figures: Cell


class Limit(NamedTuple):
    """A value that the others are seen against, and its name."""

    value: float
    name: str


def draw(
    name: str,
    title: str,
    axis: str,
    rows: Sequence[Measured],
    limits: Sequence[Limit] = (),
    from_zero: bool = False,
) -> Element | None:
    """The plot; None where nothing was measured.

    Args:
        name: for the ids of its parts.
        axis: what the axis is of, with its unit.
        limits: dashed lines across all rows.
        from_zero: whether the axis begins at zero.
    """
    known = [row.value for row in rows if row.value is not None]
    if not known:
        return None
    left = max(width_of(short(row.name)) for row in rows) + 30
    right = max(width_of(row.figures.whole) for row in rows) + 14
    top = 26.0 if limits else 10.0
    bottom = top + _ROW * len(rows)
    spread = [end for value in known for end in (value.low, value.value, value.high)]
    spread += [limit.value for limit in limits] + ([0.0] if from_zero else [])
    scale = linear(spread, left, _WIDTH - right - 6)
    parts = [*_axis(scale, axis, top, bottom), *_limits(scale, limits, top, bottom)]
    for number, row in enumerate(rows):
        parts += _row(scale, row, top + _ROW * (number + 0.5))
    said = "; ".join(f"{row.name}: {row.figures.whole}" for row in rows)
    lines = "".join(f"; {limit.name}: {limit.value:g}" for limit in limits)
    return picture(name, _WIDTH, bottom + 50, title, f"{axis}, with 95 % intervals. {said}{lines}.", *parts)


def _axis(scale: Scale, axis: str, top: float, bottom: float) -> list[Element]:
    parts = []
    for tick in scale.ticks:
        x = scale.place(tick)
        parts.append(line(x, top, x, bottom, "grid"))
        parts.append(words(x, bottom + 18, scale.name(tick), "middle", "tick"))
    parts.append(line(scale.start, bottom, scale.end, bottom, "axis"))
    parts.append(words((scale.start + scale.end) / 2, bottom + 40, axis, "middle", "axis-name"))
    return parts


def _limits(scale: Scale, limits: Sequence[Limit], top: float, bottom: float) -> list[Element]:
    """Dashed lines with their names above; names that would meet lean away from each other."""
    parts = []
    ordered = sorted(limits)
    taken = 0.0
    for number, limit in enumerate(ordered):
        x = scale.place(limit.value)
        parts.append(line(x, top - 4, x, bottom, "limit"))
        width = width_of(limit.name)
        following = scale.place(ordered[number + 1].value) if number + 1 < len(ordered) else _WIDTH
        start = min(max(x - width / 2, taken), _WIDTH - width)
        if start + width > following - 8 and number + 1 < len(ordered):
            start = max(min(start, following - 8 - width), taken)
        parts.append(words(start, top - 10, limit.name, class_="limit-name"))
        taken = start + width + 10
    return parts


def _row(scale: Scale, row: Measured, y: float) -> list[Element]:
    parts = [words(scale.start - 16, y + 4.5, short(row.name), "end", "level-name")]
    if row.value is None:
        return [*parts, words(scale.start + 8, y + 4.5, NOT_MEASURED, class_="absent")]
    low, high = scale.place(row.value.low), scale.place(row.value.high)
    if high > low:
        parts.append(line(low, y, high, y, "interval"))
        parts += [line(end, y - 5, end, y + 5, "interval") for end in (low, high)]
    parts.append(mark(row.place, scale.place(row.value.value), y))
    parts.append(words(_WIDTH - 4, y + 4.5, row.figures.whole, "end", "figures"))
    return parts
