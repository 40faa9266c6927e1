"""Scales from values to places in a drawing, and the round numbers that stand at their ticks."""

import math
from collections.abc import Iterable
from typing import NamedTuple

_MOST_TICKS = 7


class Scale(NamedTuple):
    """From values to places; ``start`` may lie after ``end``, for an axis that goes up.

    Attributes:
        low, high: the values at its ends.
        start, end: their places.
        ticks: values that are named.
        decimals: that tell the ticks apart.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    decimals: int
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies; one beyond an end lies at the end."""
        low, high, value = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def name(self, tick: float) -> str:
        """A tick's number."""
        if self.logarithmic:
            return f"{tick:.10f}".rstrip("0").rstrip(".") if tick < 1 else f"{tick:,.0f}"
        text = f"{abs(tick):,.{self.decimals}f}"
        return f"−{text}" if tick < 0 and text.strip("0.") else text


def linear(values: Iterable[float], start: float, end: float, ticks: int = 5) -> Scale:
    """A scale that begins and ends at round numbers around some values."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if low == high:
        low, high = (low - abs(low) / 2, high + abs(high) / 2) if low else (0.0, 1.0)
    step = _step((high - low) / ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    named = tuple(round(place * step, 12) for place in range(first, last + 1))
    return Scale(named[0], named[-1], start, end, named, decimals)


def logarithmic(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale for values above zero that lie orders of magnitude apart: ticks at 1, 2 and 5, or at tens alone."""
    known = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    first, last = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    last = max(last, first + 1)
    within = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
    below = [tick for tick in within if tick <= min(known) * (1 + 1e-9)]
    above = [tick for tick in within if tick >= max(known) * (1 - 1e-9)]
    low, high = below[-1] if below else within[0], above[0]
    if low == high:
        low, high = low / 2, high * 2
    named = [tick for tick in within if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    if len(named) > _MOST_TICKS:
        named = [tick for tick in named if math.log10(tick) == round(math.log10(tick))]
    return Scale(low, high, start, end, tuple(named), 0, True)


def fitting(values: Iterable[float], start: float, end: float) -> Scale:
    """A logarithmic scale where values above zero lie more than a factor of eight apart, else a linear one."""
    known = [value for value in values if math.isfinite(value)]
    if known and min(known) > 0 and max(known) > 8 * min(known):
        return logarithmic(known, start, end)
    return linear([0.0, *known], start, end)


def _step(rough: float) -> float:
    """The round number at or above a rough step: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
