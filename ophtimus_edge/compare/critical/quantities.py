"""Figures as quantities, so that two texts are compared by what a figure means and not by how it is written.

"two times daily", "b.i.d." and "하루 2회" are one quantity, and so are 0.5 mg and 500 µg, or 20/40 and 6/12. A
range is its two ends. What cannot be read as a number with a unit is compared as it is written, without its
blanks. The ages of people and the types of a disease count here, although they are no figures to check beside
an answer.
"""

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from ophtimus_edge.compare.critical.amounts import Read, amount, amount_in_words, length_of_time
from ophtimus_edge.compare.critical.differences import Passage
from ophtimus_edge.compare.critical.frequencies import how_often
from ophtimus_edge.safety.figures import placed_figures

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POWER = re.compile(r"(?<=\d)[⁰¹²³⁴-⁹⁻]+")
_VULGAR = re.compile("[½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞]")
_A_PERIOD = re.compile(r"an? (?:hour|day|week|month|year)", re.IGNORECASE)  # "500 mg a day", but "in a day"
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

_TYPE = re.compile(
    r"(?<![A-Za-z])type[ -]?(?P<latin>\d{1,2}|I{1,3}|IV|V)(?![A-Za-z]|[.,]?\d)"
    r"|(?<!\d)(?:제 ?)?(?P<korean>\d{1,2}) ?형(?![식태광상성])",
    re.IGNORECASE,
)
_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}
# "C/D 0.5" is no acuity of 0.5.
_OF_THE_CUP = re.compile(
    r"(?:(?<![A-Za-z])(?:C ?[/:] ?D|CDR|cup[- ](?:to[- ])?dis[ck])|함몰비)"
    r"(?: ratio| 비)?(?: of| is| was|[은는이가])?[ :=]*$",
    re.IGNORECASE,
)
_LONGEST_LIST = 6  # of strengths that share one unit
_NUMBER_ALONE = re.compile(r"\d+(?:[.,]\d+)?")

_UP = re.compile(
    r"(?:>|≥|(?<!no )(?<!not )(?:more|greater|higher|longer|larger|older) than|no(?:t)? less than|at least|"
    r"minimum(?: of)?|above|over|exceed(?:s|ing)?|최소(?:한)?|적어도)\W*$",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"(?:<|≤|(?<!no )(?<!not )(?:less|lower|fewer|shorter|smaller|younger) than|"
    r"no(?:t)? (?:more|greater|higher|longer) than|at most|up to|maximum(?: of)?|"
    r"(?:not|never) (?:to )?exceed(?:s|ing)?|below|under|within|최대|많아야)\W*$",
    re.IGNORECASE,
)
_UP_AFTER = re.compile(r"\s?(?:이상|초과|넘|or (?:more|above|higher|over))", re.IGNORECASE)
_DOWN_AFTER = re.compile(r"\s?(?:이하|미만|이내|넘지|or (?:less|below|lower|under))", re.IGNORECASE)
_CONTEXT = 32
_LONGEST = 60  # of a figure that is read: a longer one is no dose


class Quantity(NamedTuple):
    """What a figure says, or one end of a range.

    Attributes:
        dimension: ``mass``, ``times an hour``, ``acuity``, ``type``, … and "" for a number without a unit.
        value: in the dimension's own unit, or the figure as it is written; a pair such as 120/80 is text.
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
    placed = dict(placed_figures(text, ages=True))
    for passage in once_daily(text):
        placed.setdefault(passage.start, passage.text)
    yield from sorted(
        [*_measured(text, sorted(placed.items())), *_types(text)], key=lambda one: one.passage.start
    )


def _types(text: str) -> Iterator[Quantity]:
    """The types of a disease: "type 2 diabetes", "type II", "제2형"."""
    for match in _TYPE.finditer(text):
        number = match["latin"] or match["korean"]
        value = Fraction(_ROMAN.get(number.upper()) or number)
        yield Quantity("type", value, "", Passage(match.start(), match.end(), match.group()))


def _measured(text: str, placed: list[tuple[int, str]]) -> Iterator[Quantity]:
    behind = 0
    for place, (start, figure) in enumerate(placed):
        if tail := _TAIL.match(text, start + len(figure)):
            figure += tail.group()
        direction, first, end = _limit(text, start, start + len(figure))
        passage = Passage(first, end, text[first:end])
        is_rate = behind and text[behind:start] == " " and _A_PERIOD.fullmatch(figure)
        behind = start + len(figure)
        of_the_cup = _OF_THE_CUP.search(text, max(0, start - _CONTEXT), start)
        said = (
            f"once {figure}"
            if is_rate
            else figure + _unit_of_the_list(text, placed[place : place + _LONGEST_LIST])
        )
        for dimension, value in _read(said):
            yield Quantity("cup" if of_the_cup and not dimension else dimension, value, direction, passage)


def _unit_of_the_list(text: str, placed: list[tuple[int, str]]) -> str:
    """The unit that stands once, behind the last of several numbers: "0.5, 1 and 2 %"."""
    (start, figure), *rest = placed
    for place, next_figure in rest:
        if not _NUMBER_ALONE.fullmatch(figure) or text[start + len(figure) : place] != ", ":
            return ""
        if last := re.fullmatch(
            rf"{_NUMBER_ALONE.pattern} (?:and|or) {_NUMBER_ALONE.pattern}( ?\D+)", next_figure
        ):
            return last[1]
        start, figure = place, next_figure
    return ""


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


def _read(figure: str) -> Read:
    """The dimension and the value of a figure; of a range, both ends."""
    written = _made_alike(figure)
    small = written.casefold()
    read: Read = []
    if len(written) <= _LONGEST:
        try:
            read = how_often(small) or length_of_time(small) or amount(written) or amount_in_words(small)
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
