"""Figures as sentences carry them: a claim is rounded away from what it claims, so that rounding proves nothing.

The lower end of an interval is rounded down and the upper end up: "[0.029, 0.051]" never seems to lie within a
tolerance of 0.05 that the measured end is beyond.
"""

import math

from ophtimus_edge.models.formats import Statistic

_MIB, _GIB = 1 << 20, 1 << 30
_NOISE = 6  # decimals beyond the wanted ones: 2.0000000000000004 is not above 2


def down(value: float, decimals: int) -> str:
    """The number, rounded towards minus infinity."""
    return _written(math.floor(round(value * 10**decimals, _NOISE)) / 10**decimals, decimals)


def up(value: float, decimals: int) -> str:
    """The number, rounded towards plus infinity."""
    return _written(math.ceil(round(value * 10**decimals, _NOISE)) / 10**decimals, decimals)


def interval(measured: Statistic, decimals: int) -> str:
    """A value and the interval around it: "5.6 [5.4, 5.8]"."""
    ends = f"[{down(measured.low, decimals)}, {up(measured.high, decimals)}]"
    return f"{_written(measured.value, decimals)} {ends}"


def nats(measured: Statistic) -> str:
    """A divergence with its interval, to three decimals, or as many as two significant digits take."""
    small = 0 < abs(measured.value) < 0.01
    return interval(measured, min(1 - math.floor(math.log10(abs(measured.value))), 8) if small else 3)


def rate(measured: Statistic) -> str:
    """Tokens per second with their interval."""
    return interval(measured, 1 if measured.value < 100 else 0)


def percent(share: float) -> str:
    """A share: "60.1 %"."""
    return f"{100 * share:.1f} %"


def size(count: int) -> str:
    """A file's size: "4.58 GiB", "763 MiB", "11.0 MiB"."""
    if count >= _GIB:
        return f"{count / _GIB:.2f} GiB"
    return f"{count / _MIB:.{1 if count < 100 * _MIB else 0}f} MiB"


def about(count: int) -> str:
    """A count that is not exact, up to two significant digits: "about 1,600"."""
    step = 10 ** max(len(str(count)) - 2, 0)
    rounded = -(-count // step) * step
    return f"about {rounded:,}"


def counted(count: int, one: str, many: str) -> str:
    """A count with its noun: "1 answer", "1,200 answers"."""
    return f"{count:,} {one if count == 1 else many}"


def listed(items: list[str]) -> str:
    """Items as a sentence lists them: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _written(value: float, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    return f"−{text}" if value < 0 and text.strip("0.,") else text
