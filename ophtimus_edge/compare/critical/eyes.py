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

_ORGAN = "(?:eyes?|eyelids?|lids?|globes?|orbits?|pupils?|corneas?|retinas?|lens|macula|optic|visual|side)"
# "the right eye is red, the left is calm": the organ is not said again.
_ALONE = r"(?<=\bthe ){side}(?= (?:one|is|was|has|had|shows|sees|remains|appears)\b|[,.;)]|$)"
# Abbreviations are in capitals: "re-examine", "per os", "le" and "od" (once daily) are no eyes.
_SIDES = {
    # "Both" before the single sides: "right and left eyes" is both of them.
    "both": (
        r"(?<![A-Za-z])(?:both(?= (?:of (?:the|his|her|their|your) )?(?:\w+ )?eyes?\b)"
        r"|(?:each|either)(?= eye\b)|(?:right and left|left and right)(?= eyes?\b)|the two(?= eyes\b)"
        r"|bilateral(?:ly)?|binocular(?:ly)?)"
        r"(?![A-Za-z])|(?-i:(?<![A-Za-z.])(?:OU|O\.U\.|OD and OS|OS and OD)(?![A-Za-z]))"
        r"|양안|양쪽 ?눈|두 ?눈(?![가-힣]*물)|(?<![가-힣])양측"
    ),
    "right": (
        rf"(?<![A-Za-z])right(?=(?:-sided)? (?:\w+ )?{_ORGAN}\b|-eyed?\b)|{_ALONE.format(side='right')}"
        r"|(?-i:(?<![A-Za-z.])(?:OD|O\.D\.|RE)(?![A-Za-z]))"
        r"|우안|(?:오른쪽?|우측) ?눈|오른눈"
    ),
    "left": (
        rf"(?<![A-Za-z])left(?=(?:-sided)? (?:\w+ )?{_ORGAN}\b|-eyed?\b)|{_ALONE.format(side='left')}"
        r"|(?-i:(?<![A-Za-z.])(?:OS|O\.S\.|LE)(?![A-Za-z]))"
        r"|좌안|(?:왼쪽?|좌측) ?눈|왼눈"
    ),
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


def eye_differences(reference: str, answer: str) -> Iterator[Difference]:
    """Eyes that only one of two texts names, and sides that changed places."""
    there, here = list(eyes(reference)), list(eyes(answer))
    lost, new = _sides(there) - _sides(here), _sides(here) - _sides(there)
    if {"right", "left"} <= _sides(there) and "both" in _sides(here):
        lost, new = lost - {"right", "left"}, new - {"both"}
    if {"right", "left"} <= _sides(here) and "both" in _sides(there):
        lost, new = lost - {"both"}, new - {"right", "left"}
    if lost or new:
        yield Difference("eye", _firsts(there, lost), _firsts(here, new))
    elif _changed_places(reference, answer, there, here):
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


def _changed_places(reference: str, answer: str, there: list[Eye], here: list[Eye]) -> bool:
    """Whether what the reference says of one eye stands beside the other eye in the answer."""
    if not ({"right", "left"} <= _sides(there) and {"right", "left"} <= _sides(here)):
        return False
    one, other = _beside(reference, there), _beside(answer, here)
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


def _beside(text: str, named: list[Eye]) -> dict[str, set[str]]:
    """The words that belong to the right and to the left eye, without those that belong to both."""
    found: dict[str, set[str]] = {"right": set(), "left": set()}
    current = ""
    for clause in clauses(text):
        inside = [eye for eye in named if clause.start <= eye.passage.start < clause.end]
        edges = [clause.start, *_borders(text, clause, inside), clause.end]
        for place, (start, end) in enumerate(pairwise(edges)):
            current = inside[place].side if inside else current
            if current in found:
                found[current] |= words(_EYE.sub(" ", text[start:end]), numbers=True)
    shared = found["right"] & found["left"]
    return {side: said - shared for side, said in found.items()}
