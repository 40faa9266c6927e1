"""Size against divergence: what a smaller file costs."""

from collections.abc import Sequence
from typing import NamedTuple

from ophtimus_edge.compare.report import cells
from ophtimus_edge.compare.report.elements import Element
from ophtimus_edge.compare.report.plots.axes import Scale, fitting, linear
from ophtimus_edge.compare.report.plots.drawing import (
    FONT,
    line,
    mark,
    picture,
    short,
    upright,
    width_of,
    words,
)
from ophtimus_edge.models.formats import Statistic

_WIDTH, _HEIGHT = 720.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 704.0, 16.0, 342.0
_REACH = 12.0  # from a mark's middle to its name


class Point(NamedTuple):
    """A level: its place in the report, its name, its size in bytes, its mean divergence in nats."""

    place: int
    name: str
    size_bytes: int
    divergence: Statistic


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def draw(name: str, points: Sequence[Point], tolerance: float | None) -> Element | None:
    """The plot; None without points.

    Args:
        name: for the ids of its parts.
        tolerance: of the mean divergence, in nats; None without a verdict.
    """
    if not points:
        return None
    unit, unit_name, _ = cells.size_unit(max(point.size_bytes for point in points))
    across = linear(_spread([point.size_bytes / unit for point in points]), _LEFT, _RIGHT)
    limit = [] if tolerance is None else [tolerance]
    ends = [end for point in points for end in _ends(point.divergence)]
    up = fitting([*ends, *limit], _BOTTOM, _TOP)
    parts = _axes(across, up, unit_name)
    names = _Names()
    for point in points:
        x = across.place(point.size_bytes / unit)
        low, high = up.place(point.divergence.low), up.place(point.divergence.high)
        names.keep(_Box(x - 9, high - 1, x + 9, low + 1))
        names.keep(
            _Box(x - 9, up.place(point.divergence.value) - 9, x + 9, up.place(point.divergence.value) + 9)
        )
    if tolerance is not None:
        y = up.place(tolerance)
        text = f"tolerance {tolerance:g}"
        parts.append(line(_LEFT, y, _RIGHT, y, "limit"))
        names.keep(_Box(_LEFT, y - 1, _RIGHT, y + 1))
        parts.append(names.beside(_RIGHT - width_of(text) / 2, y, text, "limit-name"))
    for point in points:
        x, y = across.place(point.size_bytes / unit), up.place(point.divergence.value)
        low, high = up.place(point.divergence.low), up.place(point.divergence.high)
        if low > high:
            parts.append(line(x, low, x, high, "interval"))
            parts += [line(x - 4, end, x + 4, end, "interval") for end in (low, high)]
        parts.append(mark(point.place, x, y))
        parts.append(names.beside(x, y, short(point.name), "level-name"))
    said = "; ".join(
        f"{point.name}: {cells.bytes_text(point.size_bytes)}, {cells.nats(point.divergence).whole} nats"
        for point in points
    )
    beyond = f" Tolerance: {tolerance:g} nats." if tolerance is not None else ""
    title = "Size against divergence from the reference"
    return picture(name, _WIDTH, _HEIGHT, title, f"Mean KL divergence by file size. {said}.{beyond}", *parts)


def _ends(divergence: Statistic) -> list[float]:
    """What the axis must reach; an interval that touches zero is cut where a logarithm ends."""
    return [
        end for end in (divergence.low, divergence.value, divergence.high) if end > 0 or divergence.value <= 0
    ]


def _spread(sizes: list[float]) -> list[float]:
    """The sizes with some room at both ends, so that no mark lies on an axis."""
    room = (max(sizes) - min(sizes)) * 0.08 or max(sizes) * 0.25
    return [max(min(sizes) - room, 0.0), max(sizes) + room]


def _axes(across: Scale, up: Scale, unit: str) -> list[Element]:
    parts = []
    for tick in across.ticks:
        x = across.place(tick)
        parts.append(line(x, _TOP, x, _BOTTOM, "grid"))
        parts.append(words(x, _BOTTOM + 19, across.name(tick), "middle", "tick"))
    for tick in up.ticks:
        y = up.place(tick)
        parts.append(line(_LEFT, y, _RIGHT, y, "grid"))
        parts.append(words(_LEFT - 8, y + 4.5, up.name(tick), "end", "tick"))
    parts.append(line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"))
    parts.append(line(_LEFT, _TOP, _LEFT, _BOTTOM, "axis"))
    parts.append(words((_LEFT + _RIGHT) / 2, _BOTTOM + 44, f"file size ({unit})", "middle", "axis-name"))
    kind = ", logarithmic" if up.logarithmic else ""
    parts.append(upright(18, (_TOP + _BOTTOM) / 2, f"mean KL divergence (nats{kind})"))
    return parts


class _Names:
    """Finds a free place for each name beside its mark."""

    def __init__(self) -> None:
        self._taken: list[_Box] = []

    def keep(self, box: _Box) -> None:
        """Have no name written there."""
        self._taken.append(box)

    def beside(self, x: float, y: float, text: str, class_: str) -> Element:
        """A name near a place: right of it, left, above, below, or the first of these that meets the least."""
        width, half = width_of(text), FONT * 0.55
        middles = [
            (x + _REACH + width / 2, y), (x - _REACH - width / 2, y),
            (x, y - _REACH - half), (x, y + _REACH + half),
            (x + _REACH + width / 2, y - half * 2), (x + _REACH + width / 2, y + half * 2),
            (x - _REACH - width / 2, y - half * 2), (x - _REACH - width / 2, y + half * 2),
            (x, y - _REACH - half * 3), (x, y + _REACH + half * 3),
        ]  # fmt: skip
        boxes = [_Box(one - width / 2, two - half, one + width / 2, two + half) for one, two in middles]
        inside = [
            box for box in boxes
            if box.left >= _LEFT + 2 and box.right <= _RIGHT + 8 and box.top >= _TOP - 8 and box.bottom <= _BOTTOM - 2
        ] or boxes[:1]  # fmt: skip
        best = min(inside, key=lambda box: sum(box.meets(other) for other in self._taken))
        self._taken.append(best)
        return words(
            (best.left + best.right) / 2, (best.top + best.bottom) / 2 + FONT * 0.35, text, "middle", class_
        )
