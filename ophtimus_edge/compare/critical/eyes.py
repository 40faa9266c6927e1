"""Which eye an answer speaks of: OD, OS, OU, right, left, both, one, in English and Korean.

Texts name an eye again as often as they like, so the eyes are compared as a set. Where both texts name right
and left, what stands beside each is compared too: the worst error of all is a text with the sides changed.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ophtimus_edge.compare.critical.differences import Difference, Passage
from ophtimus_edge.compare.critical.quantities import once_daily
from ophtimus_edge.compare.critical.words import Clause, clauses, words
from ophtimus_edge.specialties import DEFAULT_SPECIALTY

_ORGAN = (
    "(?:eyes?|eyelids?|lids?|globes?|orbits?|orbital|pupils?|corneas?|corneal|retinas?|retinal|lens|lenses|macula|"
    "macular|optic|visual|side|iris|irises|vitreous|fundus|fundi|conjunctivas?|conjunctivae|"
    "(?:anterior|posterior) (?:chamber|segment|capsule|pole|uveitis|synechiae?)|"
    "conjunctival|scleras?|scleral|uvea|choroid|cataracts?|glaucoma|uveitis|keratitis|conjunctivitis|"
    "endophthalmitis|hypha?ema|ptosis|proptosis)"
)
_KOREAN_ORGAN = (
    "(?:눈|안구|안와|안검|안저|안압|시력|시야|시신경|각막|결막|공막|홍채|동공|수정체|유리체|망막|황반|맥락막|포도막|전방|"
    "백내장|녹내장)"
)
# "the right eye is red, the left is calm": the organ is not said again.
_ALONE = r"(?<=\bthe ){side}(?= (?:one|is|was|has|had|shows|sees|remains|appears)\b|[,.;)]|$)"
# "Right: 14 mmHg", "Left 30": a side before its figure, where a clause begins; "left 2 days ago" is no eye.
_LABEL = (
    r"(?:(?<![^\n])|(?<=[.;,:] )|(?<=[\n(/|*])|(?<=[-•] )|(?<=\band )|(?<=\bIOP )|(?<=\bVA ))"
    r"{side}(?=\s?[:=]|[*]{{1,2}}\s?:|,? [-+−]?\d(?!\d*(?:st|nd|rd|th)\b|\d* (?:seconds?|minutes?|hours?|days?|"
    r"weeks?|months?|years?)\b))"
)
# "Rt. eye", "Rt 14"; "RT" is also a treatment with rays.
_CUT_SHORT = r"(?<![A-Za-z])(?:(?-i:{cut}(?![A-Za-z]))|{cut}(?=\.? ?(?:eye\b|[:=]|\d(?![\d. ]*c?Gy))))"
# "오른쪽이 더 심합니다", "오른쪽 14"; "오른쪽 팔", "오른쪽을 볼 때" and "오른쪽으로" are no eyes.
_KOREAN_ALONE = (
    r"(?<![가-힣])(?:{names})(?=(?:에만|에는|에도|이|은|는|만|도|에)(?![가-힣])|\s?[:=]|,? ?[-+]?\d)"
)


def _side(word: str, cut: str, capitals: str, korean: str, short: str) -> str:
    names = f"{korean}쪽|{short}측"
    return (
        rf"(?<![A-Za-z]){word}(?=(?:-sided)? (?:\w+ )?{_ORGAN}\b|-eyed?\b)|{_ALONE.format(side=word)}"
        rf"|{_LABEL.format(side=word)}|{_CUT_SHORT.format(cut=cut)}"
        rf"|(?-i:(?<![A-Za-z.])(?:{capitals})(?![A-Za-z]))"
        rf"|{short}안|{korean}쪽? ?눈|(?:{names}) ?{_KOREAN_ORGAN}|{_KOREAN_ALONE.format(names=names)}"
    )


# Abbreviations are in capitals: "re-examine", "per os", "le" and "od" (once daily) are no eyes.
_SIDES = {
    # "Both" before the single sides: "right and left eyes" is both of them.
    "both": (
        r"(?<![A-Za-z])(?:both(?= (?:of (?:the|his|her|their|your) )?(?:\w+ )?eyes?\b)"
        r"|(?:each|either)(?= eye\b)|(?:right and left|left and right)(?= eyes?\b)|the two(?= eyes\b)"
        r"|bilateral(?:ly)?|binocular(?:ly)?)"
        r"(?![A-Za-z])|(?-i:(?<![A-Za-z.])(?:OU|O\.U\.|OD and OS|OS and OD)(?![A-Za-z]))"
        rf"|양안|(?<![가-힣])양 ?눈|양쪽 ?{_KOREAN_ORGAN}|두 ?눈(?![가-힣]*물)|(?<![가-힣])양측"
    ),
    "right": _side("right", "Rt", r"OD|O\.D\.|RE", "오른", "우"),
    "left": _side("left", "Lt", r"OS|O\.S\.|LE", "왼", "좌"),
    "one": (
        r"(?<![A-Za-z])(?:(?:only )?one(?= eye\b)|a single(?= eye\b)|unilateral(?:ly)?|monocular(?:ly)?)"
        r"(?![A-Za-z])|(?<![가-힣])(?:단안|한쪽 ?눈|한 ?눈|편측)"
    ),
}  # fmt: skip
_EYE = re.compile("|".join(f"(?P<{side}>{pattern})" for side, pattern in _SIDES.items()), re.IGNORECASE)


_DIGIT = re.compile(r"\d")
_FIGURE_WEIGHT = 3


class Eye(NamedTuple):
    """An eye that a text names: ``right``, ``left``, ``both`` or ``one``, and where."""

    side: str
    passage: Passage


def eyes(text: str) -> Iterator[Eye]:
    """The eyes that a text names, in order, each time that it names one."""
    daily = {passage.start for passage in once_daily(text)}
    for match in _EYE.finditer(text):
        if match.lastgroup and match.start() not in daily:
            yield Eye(match.lastgroup, Passage(match.start(), match.end(), match.group()))


def eye_differences(reference: str, answer: str, specialty: str = DEFAULT_SPECIALTY) -> Iterator[Difference]:
    """Eyes that only one of two texts names, and sides that changed places."""
    there, here = list(eyes(reference)), list(eyes(answer))
    lost, new = _sides(there) - _sides(here), _sides(here) - _sides(there)
    if {"right", "left"} <= _sides(there) and "both" in _sides(here):
        lost, new = lost - {"right", "left"}, new - {"both"}
    if {"right", "left"} <= _sides(here) and "both" in _sides(there):
        lost, new = lost - {"both"}, new - {"right", "left"}
    if lost or new:
        yield Difference("eye", _firsts(there, lost), _firsts(here, new))
    elif _changed_places((reference, there), (answer, here), specialty):
        sides = {"right", "left"}
        yield Difference("eye", _firsts(there, sides), _firsts(here, sides))


def _sides(named: list[Eye]) -> set[str]:
    return {eye.side for eye in named}


def _firsts(named: list[Eye], sides: set[str]) -> tuple[Passage, ...]:
    firsts: dict[str, Passage] = {}
    for eye in named:
        if eye.side in sides:
            firsts.setdefault(eye.side, eye.passage)
    return tuple(firsts.values())


def _changed_places(reference: tuple[str, list[Eye]], answer: tuple[str, list[Eye]], specialty: str) -> bool:
    """Whether what the reference says of one eye stands beside the other eye in the answer."""
    if not all({"right", "left"} <= _sides(named) for _, named in (reference, answer)):
        return False
    one, other = _beside(*reference, specialty), _beside(*answer, specialty)
    straight = _said(one["right"] & other["right"]) + _said(one["left"] & other["left"])
    crossed = _said(one["right"] & other["left"]) + _said(one["left"] & other["right"])
    return crossed > straight


def _said(words: set[str]) -> int:
    """How much words say: a figure more than what happens to stand at the beginning or the end."""
    return sum(_FIGURE_WEIGHT if word[-1].isdigit() else 1 for word in words)


def _borders(text: str, clause: Clause, inside: list[Eye]) -> list[int]:
    """Where what belongs to one eye ends: before the next; behind it in "14 in the right, 30 in the left"."""
    is_ahead = (
        len(inside) > 1
        and bool(_DIGIT.search(text, clause.start, inside[0].passage.start))
        and not _DIGIT.search(text, inside[-1].passage.end, clause.end)
    )
    return [eye.passage.end for eye in inside[:-1]] if is_ahead else [eye.passage.start for eye in inside[1:]]


def _beside(text: str, named: list[Eye], specialty: str) -> dict[str, set[str]]:
    """The words that belong to the right and to the left eye, without those that belong to both."""
    found: dict[str, set[str]] = {"right": set(), "left": set()}
    current = ""
    for clause in clauses(text):
        inside = [eye for eye in named if clause.start <= eye.passage.start < clause.end]
        edges = [clause.start, *_borders(text, clause, inside), clause.end]
        for place, (start, end) in enumerate(pairwise(edges)):
            current = inside[place].side if inside else current
            if current in found:
                found[current] |= words(_EYE.sub(" ", text[start:end]), specialty, numbers=True)
    shared = found["right"] & found["left"]
    return {side: said - shared for side, said in found.items()}
