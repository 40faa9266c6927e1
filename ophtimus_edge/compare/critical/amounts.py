"""Numbers with their units: digits, words, ranges, fractions, "1-2 mg/kg/day", in English and Korean.

A number that stands alone, without a unit, has the dimension "".
"""

import re
from fractions import Fraction
from math import gcd

from ophtimus_edge.compare.critical.units import EXACT, KOREAN_NUMBERS, NUMBERS, SPANS, UNITS, Unit

Read = list[tuple[str, Fraction | str]]
"""The dimension and the value of a figure; of a range, both ends; empty where it cannot be read."""

_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "백": 100, "천": 1000,
           "만": 10**4, "억": 10**8}  # fmt: skip
_SCALE = "|".join(_SCALES)
_PLAIN = rf"[-+]?\d[\d,]*(?:\.\d+)?(?: ?(?:{_SCALE}))*|[-+]?\.\d+"
_JOIN = r" ?[~-] ?| (?:to|or|and) | ?(?:에서|내지|부터|또는) ?"
_NUMBERS = re.compile(rf"[<>≤≥±~≈]* ?(?P<low>{_PLAIN})(?:(?:{_JOIN})(?P<high>{_PLAIN}))?(?P<unit>[^\d].*)?")
_RATIO = re.compile(
    r"[<>≤≥±~≈]* ?(?P<above>\d+(?:[.,]\d+)?) ?/ ?(?P<below>\d+(?:[.,]\d+)?)(?P<unit> ?[^\d/].*)?"
)
_SNELLEN_DISTANCES = {Fraction(20), Fraction(6)}  # feet and metres, above the line
_SNELLEN_CHARTS = {Fraction(60), Fraction(200), Fraction(400)}  # below it: "3/60", "5/200"
_LARGEST_PART = 10  # 9/10 is a fraction, 10/12 rather two figures
_PARTS = re.compile(r"(\d+)분의 ?(\d+)")
_WORDED = re.compile(
    r"(?P<number>(?:(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|and|to|or|"
    r"half|hundred|thousand|dozen|of)[ -])+)(?P<unit>.+)"
)
_COUNTS = "|".join(sorted(KOREAN_NUMBERS, key=len, reverse=True))
_COUNTED = re.compile(rf"(?P<number>{_COUNTS}|반) ?(?P<unit>[가-힣].*)")

_SIGNED = {"dioptre", "celsius", ""}  # elsewhere a hyphen is no minus
_PER = re.compile(r" ?[/∕] ?| per | (?:a|each|every) (?=(?:hour|day|night|week|month|year)s?$)")
_PER_NUMBER = re.compile(r"(\d+(?:\.\d+)?) ?(.+)")


def rate(count: Fraction, period: Unit) -> tuple[str, Fraction]:
    """So many times in a period: twice a day and every twelve hours are as often."""
    dimension = "times an hour" if period.dimension == "time" else "times a month"
    return dimension, count / period.worth


def length_of_time(small: str) -> Read:
    """A length of time that Korean has a word for, "이틀"."""
    span = SPANS.get(small.replace(" ", ""))
    return [(span[0], Fraction(span[1]))] if span else []


def amount(written: str) -> Read:
    """Digits with their unit, "1-2 mg/kg/day", "1/2 tablet", "120/80 mmHg"."""
    if match := _PARTS.fullmatch(written):
        return [("", round(Fraction(int(match[2]), int(match[1])), 4))] if int(match[1]) else []
    ratios = [_RATIO.fullmatch(end) for end in re.split(_JOIN, written, maxsplit=1)]
    if all(ratios):
        return [one for ratio in ratios if ratio for one in _ratio(ratio)]
    match = _NUMBERS.fullmatch(written)
    if not match:
        return []
    counts = [digits(text) for text in (match["low"], match["high"]) if text]
    return _measured(counts, match["unit"] or "")


def _ratio(match: re.Match[str]) -> Read:
    """An acuity (20/40, 6/12) and a fraction are what they are worth; a pair of figures (120/80) is both of them."""
    above, below, unit = digits(match["above"]), digits(match["below"]), (match["unit"] or "").strip()
    if not below:
        return []
    if not unit and (above in _SNELLEN_DISTANCES or (above < below and below in _SNELLEN_CHARTS)):
        return [("acuity", round(above / below, 4))]
    known = unit_named(unit)
    is_reduced = above.denominator == below.denominator == 1 and gcd(int(above), int(below)) == 1
    if is_reduced and above < below <= _LARGEST_PART and not (known and known.dimension == "pressure"):
        return _measured([round(above / below, 4)], unit)
    (first, *rest), (second, *_) = _measured([above], unit), _measured([below], unit)
    return [(first[0], f"{first[1]}/{second[1]}"), *rest]


def amount_in_words(small: str) -> Read:
    """A number in words with its unit, "one and a half tablets", "두 방울"; a part, "a third"."""
    if match := re.fullmatch(r"(?:(one|two|three|a|an) )?(third|quarter|fifth|tenth)s?", small):
        parts = {"third": 3, "quarter": 4, "fifth": 5, "tenth": 10}[match[2]]
        return [("", round(Fraction(NUMBERS[match[1] or "one"], parts), 4))]
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
        return _measured(numbers_in(match["number"]), match["unit"])
    return []


def _measured(counts: list[Fraction], unit: str) -> Read:
    """Numbers in their unit; what stands behind "per day" is how often."""
    unit = unit.strip().lstrip("-").strip()
    if "^" in unit or re.search(r"\d", _PER.split(unit)[0]):
        return []  # an exponent, or "-1.25 -0.75 x 180"
    first, *parts = _PER.split(unit)
    known = unit_named(first)
    name, worth = (known.dimension, known.worth) if known else (first.casefold(), Fraction(1))
    period = None
    found: Read = []
    for part in parts:
        amount, per = (_PER_NUMBER.fullmatch(part) or re.fullmatch("()(.*)", part)).groups()  # type: ignore[union-attr]
        below = unit_named(per)
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
        return [rate(value, period) for value in values]
    found = [*((name, value if name in _SIGNED else abs(value)) for value in values), *found]
    return [*found, rate(Fraction(1), period)] if period else found


def unit_named(name: str) -> Unit | None:
    """The unit of a name, as a text writes it; None for none that is known."""
    name = name.strip().replace("mm hg", "mmHg").replace("mm Hg", "mmHg")
    if name in EXACT:
        return Unit("time", Fraction(24)) if EXACT[name].dimension == "day" else EXACT[name]
    small = re.sub(r"^(?:an?|of a|of) |[ -]old$| of age$", "", name.casefold())
    for singular in (small, small.removesuffix("s"), small.removesuffix("es")):
        if singular in UNITS:
            return UNITS[singular]
    return None


def digits(text: str) -> Fraction:
    """The number that digits say, "1,000" or "10만".

    Raises:
        ValueError: they say none, as "1,5,5".
    """
    scale = 1
    for name in re.findall(_SCALE, text):
        scale *= _SCALES[name]
    number = re.sub(rf"\s|{_SCALE}", "", text)
    # A comma before three digits parts thousands, but not behind a lone 0; elsewhere it is a decimal sign.
    parts_thousands = re.fullmatch(r"[-+]?[1-9]\d*(?:,\d{3})+(?:\.\d+)?", number)
    return Fraction(number.replace(",", "" if parts_thousands else ".")) * scale


def numbers_in(text: str) -> list[Fraction]:
    """Numbers in words or digits, both ends of a range; none where it says "several"."""
    values: list[Fraction] = []
    for end in re.split(r" ?[~-] ?(?=\d)|[ -](?:to|or)[ -]", text.strip(" -")):
        if re.fullmatch(_PLAIN, end):
            values.append(digits(end))
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
