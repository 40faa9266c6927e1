"""How often, as so many times in a period: "b.i.d.", "every 4 hours", "three times a week", "하루 2회"."""

import re
from fractions import Fraction

from ophtimus_edge.compare.critical.amounts import (
    Read,
    amount,
    amount_in_words,
    length_of_time,
    numbers_in,
    rate,
    unit_named,
)
from ophtimus_edge.compare.critical.units import INTERVALS, MOMENTS, NUMBERS, RATES, SPANS, UNITS, Unit

_ABBREVIATED = re.compile(r"(?<![a-z])(?:[a-z]\.){2,3}$|(?<![a-z])[a-z]\.[a-z]\.?[a-z]?$")
_Q = re.compile(r"q\.? ?(\d+)(?: ?[-~] ?(\d+))?\.? ?([a-z]+)")
_EVERY = re.compile(r"(?:every|each) (?:(?P<number>.+?)(?: |(?<=\d)))?(?P<period>[a-z]+?)s?")
_IN_A = re.compile(
    r"(?P<number>once|twice|thrice|.+?(?= times| ?x(?![a-z])| ?×))(?: times| ?[x×])?"
    r" ?(?:(?:a|per|each|every|in a) |/ ?)?(?P<period>day|daily|d|hour|hourly|night|nightly|morning|evening|week|"
    r"weekly|wk|month|monthly|year|yearly)"
)
_N_LY = re.compile(r"(half|two|three|four|six)-(hourly|daily|weekly|monthly|yearly)")
_KOREAN_IN_A = re.compile(
    r"(?P<period>하루|매일|일주일|이틀|사흘|일|주|월|연|한 ?달|한 ?주|매주|매월|\d+ ?(?:일|주일|주|개월|달|년|시간))"
    r"(?:에|마다|당)? ?(?:최대|총|약)? ?(?P<amount>.+?)(?:씩)?"
)
_KOREAN_EVERY = re.compile(r"(?P<length>.+?) ?(?:마다|간격|에 ?한 ?번)")
_LY = {"daily": "day", "hourly": "hour", "nightly": "night", "weekly": "week", "monthly": "month",
       "yearly": "year", "d": "day", "morning": "day", "evening": "day"}  # fmt: skip


def how_often(small: str) -> Read:
    """How often a figure in small letters says, or at which moment, "at bedtime"; empty where it says neither."""
    bare = re.sub(r"[. ]", "", small)
    moment = MOMENTS.get(small) or MOMENTS.get(bare)
    if moment:
        return [("moment", moment)]
    key = bare if _ABBREVIATED.search(small) or bare in RATES or bare in INTERVALS else small
    if key in RATES:
        return [rate(Fraction(RATES[key][0]), UNITS[RATES[key][1]])]
    if key in INTERVALS:
        return [rate(1 / Fraction(INTERVALS[key][0]), UNITS[INTERVALS[key][1]])]
    if match := _Q.fullmatch(small):
        unit = unit_named(match[3])
        return [rate(1 / Fraction(count), unit) for count in match.groups()[:2] if unit and count]
    if match := _N_LY.fullmatch(small):
        count = Fraction(1, 2) if match[1] == "half" else Fraction(NUMBERS[match[1]])
        return [rate(1 / count, UNITS[_LY[match[2]]])]
    if small in {"once", "twice", "thrice"}:
        return [("times", Fraction(NUMBERS[small]))]
    for pattern, every in ((_EVERY, True), (_IN_A, False)):
        match = pattern.fullmatch(small)
        unit = unit_named(_LY.get(match["period"], match["period"])) if match else None
        if match and unit:
            counts = numbers_in(match["number"] or "one")
            return [rate(1 / count if every else count, unit) for count in counts if count]
    return _how_often_in_korean(small)


def _how_often_in_korean(small: str) -> Read:
    if match := _KOREAN_EVERY.fullmatch(small):
        lengths = (
            length_of_time(match["length"]) or amount(match["length"]) or amount_in_words(match["length"])
        )
        return [
            ("times an hour" if dimension == "time" else "times a month", 1 / value)
            for dimension, value in lengths
            if isinstance(value, Fraction) and value and dimension in {"time", "months"}
        ]
    match = _KOREAN_IN_A.fullmatch(small)
    if not match:
        return []
    period = match["period"].replace(" ", "")
    number, name = re.fullmatch(r"(\d*) ?(.+)", period).groups()  # type: ignore[union-attr]
    span = Unit(SPANS[name][0], Fraction(SPANS[name][1])) if name in SPANS else UNITS[name]
    unit = Unit(span.dimension, span.worth * Fraction(number or 1))
    found: Read = []
    for dimension, value in amount(match["amount"]) or amount_in_words(match["amount"]):
        if isinstance(value, str):
            return []
        # "하루 2정": how much, and how often.
        found.append(rate(value, unit) if dimension in {"times", ""} else (dimension, value))
    if found and not any(dimension.startswith("times a") for dimension, _ in found):
        found.append(rate(Fraction(1), unit))
    return found
