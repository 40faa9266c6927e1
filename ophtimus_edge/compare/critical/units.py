"""Units, number words and names of intervals, in English and Korean, as what they are worth.

Each unit has a dimension and what one of it is worth in that dimension's own unit: mg for mass, mL for volume,
mm for length, hours and months for time. A month is no number of days, so weeks and months stay apart.
"""

from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """What a unit measures, and what one of it is worth in its dimension's own unit."""

    dimension: str
    worth: Fraction


def _table(*lines: tuple[str, str | int, str]) -> dict[str, Unit]:
    return {
        name: Unit(dimension, Fraction(worth))
        for dimension, worth, names in lines
        for name in names.split("|")
    }


EXACT = _table(
    ("dioptre", 1, "D|DS|DC"), ("gauge", 1, "G"), ("molar", 1, "M"), ("molar", "1/1000", "mM"),
    ("mass", 1000, "g"), ("length", 1000, "m"), ("day", 1, "d"),
)  # fmt: skip
"""Units that another case of the same letter would change."""

UNITS = _table(
    ("mass", 1_000_000, "kg|kilogram|킬로그램"),
    ("mass", 1000, "gram|그램"),
    ("mass", 1, "mg|milligram|밀리그램"),
    ("mass", "1/1000", "mcg|μg|ug|microgram|마이크로그램"),
    ("mass", "1/1000000", "ng|나노그램"),
    ("volume", 1000, "l|liter|litre|리터"),
    ("volume", 100, "dl"),
    ("volume", 1, "ml|cc|milliliter|millilitre|밀리리터|시시"),
    ("volume", "1/1000", "μl|ul|microliter|microlitre|마이크로리터"),
    ("volume", 5, "teaspoon|tsp"),
    ("length", 1_000_000, "km"),
    ("length", 1000, "meter|metre|미터"),
    ("length", 10, "cm|centimeter|centimetre|센티미터"),
    ("length", 1, "mm|millimeter|millimetre|밀리미터"),
    ("length", "1/1000", "μm|um|micron|micrometer|micrometre|마이크로미터|마이크론|미크론"),
    ("length", "1/1000000", "nm|나노미터"),
    ("pressure", 1, "mmhg|millimeters of mercury|millimetres of mercury|millimeter of mercury|수은주밀리미터"),
    ("time", "1/3600000", "ms|millisecond|밀리초"),
    ("time", "1/3600", "s|sec|second|초"),
    ("time", "1/60", "min|minute|분"),
    ("time", 1, "h|hr|hour|시간"),
    ("time", 24, "day|days|일|night|nights|하루|매일"),
    ("time", 168, "week|wk|w|주|주일|주간|일주일|한주|매주"),
    ("months", 1, "month|mo|개월|달|월|한달|매월"),
    ("months", 12, "year|yr|년|연|세|살"),
    ("months", 120, "decade"),
    ("%", 1, "%|percent|per cent|퍼센트|프로"),
    ("%", "1/10", "‰"),
    ("points", 1, "percentage point|퍼센트포인트"),
    ("dioptre", 1, "diopter|dioptre|디옵터|디옵트리"),
    ("prism", 1, "pd|δ|∆|prism diopter|prism dioptre|프리즘|프리즘디옵터"),
    ("degree", 1, "°|º|˚|degree|deg|도"),
    ("celsius", 1, "°c"),
    ("iu", 1, "iu|i.u.|international unit|unit|u|국제단위|단위|유닛"),
    ("drop", 1, "drop|gtt|방울"),
    ("tablet", 1, "tablet|tab|pill|정|알"),
    ("capsule", 1, "capsule|cap|캡슐"),
    ("vial", 1, "vial|바이알"),
    ("bottle", 1, "bottle|병"),
    ("dose", 1, "dose|single dose"),
    ("times", 1, "times|time|x|회|번|차례"),
    ("fold", 1, "fold|배"),
    ("decibel", 1, "db|decibel|데시벨"),
    ("letter", 1, "letter|글자"),
    ("gauge", 1, "gauge|게이지"),
    ("radiation", 1, "gy"), ("radiation", "1/100", "cgy"),
    ("energy", 1, "j|joule|줄"), ("energy", "1/1000", "mj"),
    ("power", 1, "w|watt|와트"), ("power", "1/1000", "mw"),
    ("", 1, "가지|군데|개|건|례|명|point|step|단계"),
)  # fmt: skip
"""Units by their name in small letters, the English ones in the singular."""

NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40,
    "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "once": 1, "twice": 2, "thrice": 3,
    "other": 2, "second": 2, "third": 3, "dozen": 12,
}  # fmt: skip
"""Numbers in English words."""

KOREAN_NUMBERS: dict[str, tuple[int, ...]] = {
    "한": (1,), "두": (2,), "세": (3,), "네": (4,), "다섯": (5,), "여섯": (6,), "일곱": (7,), "여덟": (8,),
    "아홉": (9,), "열": (10,), "열두": (12,), "한두": (1, 2), "두세": (2, 3), "두서너": (2, 4), "서너": (3, 4),
    "너댓": (4, 5), "네댓": (4, 5), "대여섯": (5, 6),
}  # fmt: skip
"""Korean number words before a counter, with both ends where they are a range."""

SPANS: dict[str, tuple[str, int]] = {
    "하루": ("time", 24), "이틀": ("time", 48), "사흘": ("time", 72), "나흘": ("time", 96), "닷새": ("time", 120),
    "엿새": ("time", 144), "열흘": ("time", 240), "보름": ("time", 360), "일주일": ("time", 168),
    "이주일": ("time", 336), "반년": ("months", 6), "한달": ("months", 1),
}  # fmt: skip
"""Lengths of time that Korean has a word for."""

MOMENTS = {
    "at bedtime": "bedtime", "at night": "bedtime", "before bed": "bedtime", "nightly": "bedtime",
    "every night": "bedtime", "once nightly": "bedtime", "each night": "bedtime", "qhs": "bedtime",
    "hs": "bedtime", "취침전": "bedtime", "자기전": "bedtime", "qpm": "evening", "every evening": "evening",
    "in the evening": "evening", "qam": "morning", "every morning": "morning", "each morning": "morning",
    "in the morning": "morning", "in the mornings": "morning", "as needed": "as needed", "prn": "as needed",
    "필요시": "as needed", "once a night": "bedtime",
}  # fmt: skip
"""When a drug is taken, where that is no number."""

RATES: dict[str, tuple[int, str]] = {
    "bid": (2, "day"), "bd": (2, "day"), "tid": (3, "day"), "tds": (3, "day"), "qid": (4, "day"),
    "qds": (4, "day"), "qd": (1, "day"), "od": (1, "day"), "qh": (1, "hour"), "daily": (1, "day"),
    "hourly": (1, "hour"), "weekly": (1, "week"), "monthly": (1, "month"), "yearly": (1, "year"),
    "annually": (1, "year"), "매일": (1, "day"), "날마다": (1, "day"), "매시간": (1, "hour"), "매시": (1, "hour"),
    "매주": (1, "week"), "매월": (1, "month"), "매달": (1, "month"), "매년": (1, "year"), "아침저녁": (2, "day"),
}  # fmt: skip
"""How often, in one word: so many times in a period."""

INTERVALS: dict[str, tuple[int, str]] = {
    "qod": (2, "day"), "격일": (2, "day"), "하루걸러": (2, "day"), "이틀마다": (2, "day"), "격주": (2, "week"),
    "이틀에한번": (2, "day"), "fortnightly": (2, "week"),
}  # fmt: skip
"""How often, in one word: once in so many periods."""
