"""What in a typed question names a patient: numbers and addresses that are pointed out before sending.

Found are Korean resident and foreigner registration numbers, telephone numbers, chart numbers that are
called so, and e-mail addresses. **Names are not found**, nor birth dates, addresses or workplaces: a
Korean name is two to four syllables that are also words, so that no rule tells the one from the other.
That nothing was found does not mean that a text names nobody, and the app must not say so.

Measurements must not be taken for them: a number without a label counts only where its form leaves
no doubt.
"""

import calendar
import re
from typing import Literal

import msgspec

Kind = Literal["resident_number", "phone", "chart_number", "email"]


class Identifier(msgspec.Struct, frozen=True):
    """A place in a text that names a patient.

    Attributes:
        kind: what it is.
        start: where it begins, in characters.
        end: where it ends; ``text[start:end]`` is the number or address, without its label.
    """

    kind: Kind
    start: int
    end: int


# Full-width forms, which Korean keyboards write, and the dashes that stand for a hyphen. Each is one
# character for one, so that places in the text stay as they are.
_FORMS = {ord("０") + digit: str(digit) for digit in range(10)}
_FORMS |= dict.fromkeys(map(ord, "‐‑‒–—−－ー"), "-")
_FORMS |= {ord("＠"): "@", ord("．"): ".", ord("："): ":", ord("（"): "(", ord("）"): ")", ord("＋"): "+"}
_FORMS |= dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000"), " ")

# 6 digits of the date of birth, a digit for century and sex (5 to 8 for foreigners), 6 more. The last
# one was a checksum; numbers that were given out since October 2020 have six digits drawn at random
# instead, so no sum is asked for. Charts often mask the last six.
_RESIDENT = re.compile(r"(?<![0-9])([0-9]{6})(?: ?- ?| )?([1-8])([0-9]{6}|[*xX●○]{6})(?![0-9])")
_RESIDENT_LABELLED = re.compile(
    r"(?:주민|외국인)\s?(?:등록)?\s?번호[\s:=은는이가]{0,4}([0-9]{6} ?-? ?[0-9*xX●○]{1,7})(?![0-9])"
)

_AREA = "(?:2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|80|50[2-9])"  # Seoul, the provinces, internet, free, personal
_GAP = r"(?: ?[-.] ?| )?"
_PHONES = (
    re.compile(rf"(?<![0-9./-])\(?01[016-9]\)?{_GAP}[0-9]{{3,4}}{_GAP}[0-9]{{4}}(?![0-9])"),
    re.compile(rf"(?<![0-9./-])\(?0{_AREA}\)?{_GAP}[0-9]{{3,4}}{_GAP}[0-9]{{4}}(?![0-9])"),
    re.compile(
        rf"(?<![0-9])(?:\+|00){_GAP}82{_GAP}\(?0?\)?(?:1[016-9]|{_AREA}){_GAP}[0-9]{{3,4}}{_GAP}[0-9]{{4}}(?![0-9])"
    ),
    # Other countries: at least three groups, so that "+1.25 -0.75 x 180" is none.
    re.compile(r"(?<![0-9])\+[1-9][0-9]{0,2}[ -]\(?[0-9]{2,4}\)?[ -][0-9]{3,4}[ -][0-9]{3,4}(?![0-9.])"),
)

_CHART_LABEL = (
    r"(?:(?:차트|챠트|등록|환자|병원|병록|진료|접수|수진|의무기록)\s?(?:등록\s?)?(?:번호|no|ID)"
    r"|(?<![A-Za-z])(?:chart|medical record|record|patient|hospital|registration|reg|case|pt)\s?"
    r"(?:no|num|number|id|#)"
    r"|(?<![A-Za-z])(?:MRN|PID|EMR\s?(?:no|id)|HN|UHID))"
)
# After a full label four digits are enough; after the bare word "chart" five, and no fraction.
_CHARTS = (
    re.compile(
        _CHART_LABEL + r"[\s.:#=은는이가]{0,4}(?P<value>[A-Za-z]{0,3}-?[0-9][0-9-]{2,}[0-9])(?![0-9])",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:차트|챠트|(?<![A-Za-z])chart)[\s:#]{0,3}(?P<value>[A-Za-z]{0,3}-?[0-9]{5,})(?![0-9/.,])",
        re.IGNORECASE,
    ),
)
_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++")


def find(text: str) -> list[Identifier]:
    """The identifiers of a text, in order, none overlapping another.

    Where two overlap, the resident number goes before the chart number, that before the e-mail
    address, and that before the telephone number.
    """
    plain = text.translate(_FORMS)
    found: list[Identifier] = []
    found += [
        Identifier("resident_number", match.start(), match.end())
        for match in _RESIDENT.finditer(plain)
        if _is_date(match[1], match[2])
    ]
    found += [
        Identifier("resident_number", match.start(1), match.end(1))
        for match in _RESIDENT_LABELLED.finditer(plain)
    ]
    found += [
        Identifier("chart_number", match.start("value"), match.end("value"))
        for pattern in _CHARTS
        for match in pattern.finditer(plain)
    ]
    found += [Identifier("email", match.start(), match.end()) for match in _EMAIL.finditer(plain)]
    found += [
        Identifier("phone", match.start(), match.end())
        for pattern in _PHONES
        for match in pattern.finditer(plain)
    ]
    # Those that come first in `found` have the place; a list of a question's length is short.
    kept: list[Identifier] = []
    taken = bytearray(len(text))
    for each in found:
        if not any(taken[each.start : each.end]):
            taken[each.start : each.end] = b"\x01" * (each.end - each.start)
            kept.append(each)
    return sorted(kept, key=lambda each: each.start)


def remove(text: str, found: list[Identifier], mark: str = "[removed]") -> str:
    """The text with ``mark`` in the place of each identifier.

    Args:
        text: what ``find`` was given.
        found: what it returned, or some of it, in order.
        mark: what stands in their place: ``[removed]``, or ``[삭제]`` in Korean.
    """
    parts = []
    end = 0
    for each in found:
        parts += [text[end : each.start], mark]
        end = each.end
    return "".join([*parts, text[end:]])


def _is_date(digits: str, century: str) -> bool:
    """Whether six digits can be a date of birth; the next digit says in which century."""
    year = int(digits[:2]) + (1900 if century in "1256" else 2000)
    month, day = int(digits[2:4]), int(digits[4:])
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
