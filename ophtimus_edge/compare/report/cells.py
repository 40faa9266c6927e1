"""Figures as a report prints them: a value with its unit, and its 95 % interval with as many decimals.

What was not measured is said to be so; it is never a 0 or a blank. An interval's ends are rounded outwards, as
in the sentences of the verdict, so that none seems to lie within a tolerance that it is beyond.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from ophtimus_edge.compare import phrases
from ophtimus_edge.models.formats import Statistic

NOT_MEASURED = "not measured"

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30


class Cell(NamedTuple):
    """What stands in one place of a table.

    Attributes:
        text: the value with its unit.
        interval: "[low, high]" in the same unit, "" for none.
        target: the id of the place in the HTML page that tells more, "" for none.
    """

    text: str
    interval: str = ""
    target: str = ""

    @property
    def whole(self) -> str:
        """Value and interval on one line."""
        return f"{self.text} {self.interval}" if self.interval else self.text


ABSENT = Cell(NOT_MEASURED)


def percent(measured: Statistic | None) -> Cell:
    """A share, as per cent."""
    return _cell(measured, 100.0, lambda _: 1, " %")


def points(measured: Statistic | None, significant: int = 0) -> Cell:
    """A difference of two shares, in points of a hundred, with its sign; one decimal, or so many digits."""
    return _cell(
        measured,
        100.0,
        lambda size: max(_decimals(size, significant), 1) if significant else 1,
        " points",
        signed=True,
    )


def plain(measured: Statistic | None, significant: int = 3, least: int = 0) -> Cell:
    """A number without a unit, with so many significant digits and at least so many decimals."""
    return _cell(measured, 1.0, lambda size: max(_decimals(size, significant), least))


def nats(measured: Statistic | None) -> Cell:
    """A divergence: small ones keep two digits, none has fewer than three decimals."""
    return plain(measured, significant=2, least=3)


def ratio(measured: Statistic | None) -> Cell:
    """A measure of a level divided by the reference's."""
    return _cell(measured, 1.0, lambda _: 2, " ×")


def rate(measured: Statistic | None) -> Cell:
    """Tokens per second."""
    return _cell(measured, 1.0, lambda size: max(_decimals(size, 2), 0), " tok/s")


def seconds(measured: Statistic | None) -> Cell:
    """A time; below a tenth of a second in milliseconds."""
    if measured is not None and 0 < abs(measured.value) < 0.1:
        return _cell(measured, 1000.0, lambda size: _decimals(size, 2), " ms")
    return _cell(measured, 1.0, lambda size: max(_decimals(size, 3), 1), " s")


def size(measured: Statistic | None) -> Cell:
    """A number of bytes in GiB or MiB."""
    if measured is None:
        return ABSENT
    unit, name, decimals = size_unit(measured.value)
    return _cell(measured, 1 / unit, lambda _: decimals, f" {name}")


def bytes_text(count: int) -> str:
    """A number of bytes in words: "4.58 GiB", "763 MiB", "11.0 MiB", "812 KiB"."""
    unit, name, decimals = size_unit(count)
    return f"{count / unit:.{decimals}f} {name}"


def size_unit(count: float) -> tuple[int, str, int]:
    """The unit that a number of bytes is said in: its bytes, its name, and decimals."""
    if count >= _GIB:
        return _GIB, "GiB", 2
    if count >= _MIB:
        return _MIB, "MiB", 1 if count < 100 * _MIB else 0
    return _KIB, "KiB", 0


def probability(value: float) -> str:
    """A p-value."""
    return "< 0.001" if value < 0.001 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def number(value: float, decimals: int, signed: bool = False) -> str:
    """A number with thousands marked, a minus sign that is one, and no sign at a zero."""
    text = f"{abs(value):,.{decimals}f}"
    if not any(digit in "123456789" for digit in text):
        return text
    return f"−{text}" if value < 0 else f"+{text}" if signed else text


def _cell(
    measured: Statistic | None,
    factor: float,
    decimals: Callable[[float], int],
    unit: str = "",
    signed: bool = False,
) -> Cell:
    if measured is None:
        return ABSENT
    value, low, high = (one * factor for one in (measured.value, measured.low, measured.high))
    places = decimals(value)
    text = f"{number(value, places, signed)}{unit}"
    if low == value == high:
        return Cell(text)
    ends = (_end(phrases.down(low, places), signed), _end(phrases.up(high, places), signed))
    return Cell(text, f"[{ends[0]}, {ends[1]}]")


def _end(text: str, signed: bool) -> str:
    return f"+{text}" if signed and text[0] != "−" and text.strip("0.,") else text


def _decimals(value: float, significant: int) -> int:
    """The decimals that give a number so many significant digits; six at the most."""
    if not value:
        return significant - 1
    return min(max(significant - 1 - math.floor(math.log10(abs(value))), 0), 6)
