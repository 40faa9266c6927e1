"""Figures as quantities, so that two texts are compared by what a figure means and not by how it is written.

"two times daily", "b.i.d." and "하루 2회" are one quantity, and so are 0.5 mg and 500 µg, or 20/40 and 6/12. A
range is its two ends. What cannot be read as a number with a unit is compared as it is written, without its
blanks.
"""

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from ophtimus_edge.compare.critical.differences import Passage
from ophtimus_edge.compare.critical.units import (
    EXACT,
    INTERVALS,
    KOREAN_NUMBERS,
    MOMENTS,
    NUMBERS,
    RATES,
    SPANS,
    UNITS,
    Unit,
)
from ophtimus_edge.safety.figures import placed_figures

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POWER = re.compile(r"(?<=\d)[⁰¹²³⁴-⁹⁻]+")
_VULGAR = re.compile("[½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞]")
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "백": 100, "천": 1000,
           "만": 10**4, "억": 10**8}  # fmt: skip
_SCALE = "|".join(_SCALES)
_PLAIN = rf"[-+]?\d[\d,]*(?:\.\d+)?(?: ?(?:{_SCALE}))*|[-+]?\.\d+"
_JOIN = r" ?[~-] ?| (?:to|or|and) | ?(?:에서|내지|부터|또는) ?"
_NUMBERS = re.compile(rf"[<>≤≥±~≈]* ?(?P<low>{_PLAIN})(?:(?:{_JOIN})(?P<high>{_PLAIN}))?(?P<unit>[^\d].*)?")
_RATIO = re.compile(r"[<>≤≥±~≈]* ?(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)(?P<unit> ?[^\d/].*)?")
_PARTS = re.compile(r"(\d+)분의 ?(\d+)")
_WORDED = re.compile(
    r"(?P<number>(?:(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|and|to|or|"
    r"half|hundred|thousand|dozen|of)[ -])+)(?P<unit>.+)"
)
_COUNTS = "|".join(sorted(KOREAN_NUMBERS, key=len, reverse=True))
_COUNTED = re.compile(rf"(?P<number>{_COUNTS}|반) ?(?P<unit>[가-힣].*)")

_ABBREVIATED = re.compile(r"(?<![a-z])(?:[a-z]\.){2,3}$|(?<![a-z])[a-z]\.[a-z]\.?[a-z]?$")
_Q = re.compile(r"q\.? ?(\d+)(?: ?[-~] ?(\d+))?\.? ?([a-z]+)")
_EVERY = re.compile(r"(?:every|each) (?:(?P<number>.+?)(?: |(?<=\d)))?(?P<period>[a-z]+?)s?")
_IN_A = re.compile(
    r"(?P<number>once|twice|thrice|.+?(?= times| ?x(?![a-z])| ?×))(?: times| ?[x×])?"
    r" ?(?:(?:a|per|each|every|in a) |/ ?)?(?P<period>day|daily|d|hour|hourly|night|nightly|morning|evening|week|"
    r"weekly|wk|month|monthly|year|yearly)"
)
_A_PERIOD = re.compile(r"an? (?:hour|day|week|month|year)", re.IGNORECASE)  # "500 mg a day", but "in a day"
_N_LY = re.compile(r"(half|two|three|four|six)-(hourly|daily|weekly|monthly|yearly)")
_KOREAN_IN_A = re.compile(
    r"(?P<period>하루|매일|일주일|이틀|사흘|일|주|월|연|한 ?달|한 ?주|매주|매월|\d+ ?(?:일|주일|주|개월|달|년|시간))"
    r"(?:에|마다|당)? ?(?:최대|총|약)? ?(?P<amount>.+?)(?:씩)?"
)
_KOREAN_EVERY = re.compile(r"(?P<length>.+?) ?(?:마다|간격|에 ?한 ?번)")
_LY = {"daily": "day", "hourly": "hour", "nightly": "night", "weekly": "week", "monthly": "month",
       "yearly": "year", "d": "day", "morning": "day", "evening": "day"}  # fmt: skip
_SIGNED = {"dioptre", "celsius", ""}  # elsewhere a hyphen is no minus
_PER = re.compile(r" ?[/∕] ?| per | (?:a|each|every) (?=(?:hour|day|night|week|month|year)s?$)")
_PER_NUMBER = re.compile(r"(\d+(?:\.\d+)?) ?(.+)")

# "하루 15 mg/kg": what the figure leaves behind.
_TAIL = re.compile(r"(?: ?[/∕] ?(?:kg|㎏|m[2²]|mL|ml|일|day)(?![A-Za-z]))+")

_OD = re.compile(
    r"(?<=mg )(?:OD|O\.D\.)(?![A-Za-z])|(?<=(?:mcg|let|ule) )(?:OD|O\.D\.)(?![A-Za-z])"
    r"|(?<=(?:lets|ules) )(?:OD|O\.D\.)(?![A-Za-z])|(?<![A-Za-z.])od(?![A-Za-z])"
)
_INTO_AN_EYE = re.compile(
    r"intravitreal|inject|implant|tenon|subconj|유리체|주사|intracameral|전방 ?내", re.IGNORECASE
)
_SENTENCE = 100  # how far back the way a drug is given may be named

_UP = re.compile(
    r"(?:>|≥|(?<!no )(?<!not )(?:more|greater|higher|longer|larger) than|no(?:t)? less than|at least|minimum(?: of)?|"
    r"above|over|exceed(?:s|ing)?|최소(?:한)?|적어도)\W*$",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"(?:<|≤|(?<!no )(?<!not )(?:less|lower|fewer|shorter|smaller) than|no(?:t)? (?:more|greater|higher|longer) than|"
    r"at most|up to|maximum(?: of)?|(?:not|never) (?:to )?exceed(?:s|ing)?|below|under|within|최대|많아야)\W*$",
    re.IGNORECASE,
)
_UP_AFTER = re.compile(r"\s?(?:이상|초과|넘|or (?:more|above|higher|over))", re.IGNORECASE)
_DOWN_AFTER = re.compile(r"\s?(?:이하|미만|이내|넘지|or (?:less|below|lower|under))", re.IGNORECASE)
_CONTEXT = 32
_LONGEST = 60  # of a figure that is read: a longer one is no dose


class Quantity(NamedTuple):
    """What a figure says, or one end of a range.

    Attributes:
        dimension: ``mass``, ``times an hour``, … and "" for a number without a unit.
        value: in the dimension's own unit, or the figure as it is written.
        direction: ``up`` for "at least", ``down`` for "at most", else "".
        passage: the whole figure, with the words for its direction.
    """

    dimension: str
    value: Fraction | str
    direction: str
    passage: Passage


def once_daily(text: str) -> Iterator[Passage]:
    """Where "OD" is once a day and not the right eye: behind a dose by mouth, and always in small letters."""
    for match in _OD.finditer(text):
        before = text[max(0, match.start() - _SENTENCE) : match.start()].rpartition(". ")[2]
        if match.group().islower() or not _INTO_AN_EYE.search(before):
            yield Passage(match.start(), match.end(), match.group())


def quantities(text: str) -> Iterator[Quantity]:
    """The quantities of a text, in order, each time that it names one."""
    placed = dict(placed_figures(text))
    for passage in once_daily(text):
        placed.setdefault(passage.start, passage.text)
    behind = 0
    for start, figure in sorted(placed.items()):
        if tail := _TAIL.match(text, start + len(figure)):
            figure += tail.group()
        direction, first, end = _limit(text, start, start + len(figure))
        passage = Passage(first, end, text[first:end])
        is_rate = behind and text[behind:start] == " " and _A_PERIOD.fullmatch(figure)
        behind = start + len(figure)
        for dimension, value in _read(f"once {figure}" if is_rate else figure):
            yield Quantity(dimension, value, direction, passage)


def _limit(text: str, start: int, end: int) -> tuple[str, int, int]:
    """Whether a figure is a least or a most, and where it begins and ends with the words that say so."""
    sign = 1 if text[start] in "<>≤≥" else 0
    first = max(0, start - _CONTEXT)
    before, after = text[first : start + sign], text[end : end + _CONTEXT]
    # What forbids to go beyond ("not exceeding", "넘지 않게") holds the other word too.
    for direction, ahead, behind in (("down", _DOWN, _DOWN_AFTER), ("up", _UP, _UP_AFTER)):
        if words := ahead.search(before):
            return direction, first + words.start(), end
        if words := behind.match(after):
            return direction, start, end + words.end()
    return "", start, end


_Read = list[tuple[str, Fraction | str]]


def _read(figure: str) -> _Read:
    """The dimension and the value of a figure; of a range, both ends."""
    written = _made_alike(figure)
    small = written.casefold()
    read: _Read = []
    if len(written) <= _LONGEST:
        try:
            read = _how_often(small) or _span(small) or _number(written) or _in_words(small)
        except (ValueError, ZeroDivisionError):
            read = []  # "1,5,5" and "every 0 hours" are no quantities
    return read or [("", re.sub(r"\s", "", small).replace("×", "x"))]


def _made_alike(figure: str) -> str:
    text = _POWER.sub(lambda power: "^" + power.group().translate(_SUPERSCRIPT), figure)
    text = _VULGAR.sub(lambda sign: f"{unicodedata.numeric(sign.group()):.4f}"[1:], text)
    text = unicodedata.normalize("NFKC", text)
    text = re.sub("[−–—‑]", "-", text)
    text = re.sub("[∼～〜]", "~", text).replace("·", ".")
    return re.sub(r"\s+", " ", text).strip()


def _how_often(small: str) -> _Read:
    bare = re.sub(r"[. ]", "", small)
    moment = MOMENTS.get(small) or MOMENTS.get(bare)
    if moment:
        return [("moment", moment)]
    key = bare if _ABBREVIATED.search(small) or bare in RATES or bare in INTERVALS else small
    if key in RATES:
        return [_rate(Fraction(RATES[key][0]), UNITS[RATES[key][1]])]
    if key in INTERVALS:
        return [_rate(1 / Fraction(INTERVALS[key][0]), UNITS[INTERVALS[key][1]])]
    if match := _Q.fullmatch(small):
        unit = _unit(match[3])
        return [_rate(1 / Fraction(count), unit) for count in match.groups()[:2] if unit and count]
    if match := _N_LY.fullmatch(small):
        count = Fraction(1, 2) if match[1] == "half" else Fraction(NUMBERS[match[1]])
        return [_rate(1 / count, UNITS[_LY[match[2]]])]
    if small in {"once", "twice", "thrice"}:
        return [("times", Fraction(NUMBERS[small]))]
    for pattern, every in ((_EVERY, True), (_IN_A, False)):
        match = pattern.fullmatch(small)
        unit = _unit(_LY.get(match["period"], match["period"])) if match else None
        if match and unit:
            counts = _values(match["number"] or "one")
            return [_rate(1 / count if every else count, unit) for count in counts if count]
    return _how_often_in_korean(small)


def _how_often_in_korean(small: str) -> _Read:
    if match := _KOREAN_EVERY.fullmatch(small):
        lengths = _span(match["length"]) or _number(match["length"]) or _in_words(match["length"])
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
    found: _Read = []
    for dimension, value in _number(match["amount"]) or _in_words(match["amount"]):
        if isinstance(value, str):
            return []
        # "하루 2정": how much, and how often.
        found.append(_rate(value, unit) if dimension in {"times", ""} else (dimension, value))
    if found and not any(dimension.startswith("times a") for dimension, _ in found):
        found.append(_rate(Fraction(1), unit))
    return found


def _rate(count: Fraction, period: Unit) -> tuple[str, Fraction]:
    """So many times in a period: twice a day and every twelve hours are as often."""
    dimension = "times an hour" if period.dimension == "time" else "times a month"
    return dimension, count / period.worth


def _span(small: str) -> _Read:
    span = SPANS.get(small.replace(" ", ""))
    return [(span[0], Fraction(span[1]))] if span else []


def _number(written: str) -> _Read:
    """Digits with their unit, "1-2 mg/kg/day"; a fraction without a unit is its value."""
    if match := _PARTS.fullmatch(written):
        return [("", Fraction(int(match[2]), int(match[1])))] if int(match[1]) else []
    if match := _RATIO.fullmatch(written):
        below = Fraction(match[2])
        share = [round(Fraction(match[1]) / below, 4)] if below else []
        return _measured(share, match["unit"] or "")
    match = _NUMBERS.fullmatch(written)
    if not match:
        return []
    counts = [_digits(text) for text in (match["low"], match["high"]) if text]
    return _measured(counts, match["unit"] or "")


def _in_words(small: str) -> _Read:
    if match := re.fullmatch(r"(?:(one|two|three|a|an) )?(third|quarter|fifth|tenth)s?", small):
        parts = {"third": 3, "quarter": 4, "fifth": 5, "tenth": 10}[match[2]]
        return [("", Fraction(NUMBERS[match[1] or "one"], parts))]
    if match := _COUNTED.fullmatch(small):
        half = [Fraction(1, 2)]
        counts = (
            [Fraction(count) for count in KOREAN_NUMBERS[match["number"]]]
            if match["number"] != "반"
            else half
        )
        return _measured(counts, match["unit"])
    if match := re.fullmatch(r"([일이삼사오육칠팔구십백천만]+) ?([가-힣]+)", small):
        return _measured([_sino(match[1])], match[2])
    if match := _WORDED.fullmatch(small):
        return _measured(_values(match["number"]), match["unit"])
    return []


def _measured(counts: list[Fraction], unit: str) -> _Read:
    """Numbers in their unit; what stands behind "per day" is how often."""
    unit = unit.strip().lstrip("-").strip()
    if "^" in unit or re.search(r"\d", _PER.split(unit)[0]):
        return []  # an exponent, or "-1.25 -0.75 x 180"
    first, *parts = _PER.split(unit)
    known = _unit(first)
    name, worth = (known.dimension, known.worth) if known else (first.casefold(), Fraction(1))
    period = None
    found: _Read = []
    for part in parts:
        amount, per = (_PER_NUMBER.fullmatch(part) or re.fullmatch("()(.*)", part)).groups()  # type: ignore[union-attr]
        below = _unit(per)
        if below and below.dimension in {"time", "months"}:
            period = Unit(below.dimension, below.worth * Fraction(amount or 1))
            continue
        if amount and below:
            found.append((below.dimension, below.worth * Fraction(amount)))  # "1 mg/0.1 mL": both, apart
            continue
        worth /= below.worth if below else 1
        name += "/" + (below.dimension if below else per.casefold())
    if name == "mass/volume":
        name, worth = "%", worth / 10  # weight in volume, as drops are labelled: 5 mg/mL is 0.5 %
    values: list[Fraction] = [count * worth for count in counts]
    if period and name in {"times", ""}:
        return [_rate(value, period) for value in values]
    found = [*((name, value if name in _SIGNED else abs(value)) for value in values), *found]
    return [*found, _rate(Fraction(1), period)] if period else found


def _unit(name: str) -> Unit | None:
    name = name.strip().replace("mm hg", "mmHg").replace("mm Hg", "mmHg")
    if name in EXACT:
        return Unit("time", Fraction(24)) if EXACT[name].dimension == "day" else EXACT[name]
    small = re.sub(r"^(?:an?|of a|of) ", "", name.casefold())
    for singular in (small, small.removesuffix("s"), small.removesuffix("es")):
        if singular in UNITS:
            return UNITS[singular]
    return None


def _digits(text: str) -> Fraction:
    scale = 1
    for name in re.findall(_SCALE, text):
        scale *= _SCALES[name]
    number = re.sub(rf"\s|{_SCALE}", "", text)
    # A comma before three digits parts thousands; before others it is a decimal sign.
    number = re.sub(r",(?=\d{3}(?!\d))", "", number).replace(",", ".")
    return Fraction(number) * scale


def _values(text: str) -> list[Fraction]:
    """Numbers in words or digits, both ends of a range; none where it says "several"."""
    values: list[Fraction] = []
    for end in re.split(r" ?[~-] ?(?=\d)|[ -](?:to|or)[ -]", text.strip(" -")):
        if re.fullmatch(_PLAIN, end):
            values.append(_digits(end))
            continue
        total, read = Fraction(0), False
        for word in re.split(r"[ -]", end):
            if word in {"and", "of", ""} or (word in {"a", "an"} and read):
                continue
            read = True
            if word == "half":
                total += Fraction(1, 2)
            elif word in {"hundred", "thousand", "dozen"}:
                total = (total or Fraction(1)) * {"hundred": 100, "thousand": 1000, "dozen": 12}[word]
            elif word in NUMBERS:
                total += 0 if word in {"a", "an"} and " " in end else NUMBERS[word]
            else:
                return []
        values.append(total)
    return [value for value in values if value]


def _sino(text: str) -> Fraction:
    total = part = 0
    for sign in text:
        if sign in "일이삼사오육칠팔구":
            part = "일이삼사오육칠팔구".index(sign) + 1
        else:
            worth = {"십": 10, "백": 100, "천": 1000, "만": 10_000}[sign]
            total, part = ((total + part) * worth, 0) if worth == 10_000 else (total + (part or 1) * worth, 0)
    return Fraction(total + part)
