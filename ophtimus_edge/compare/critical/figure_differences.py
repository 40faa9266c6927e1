"""Figures that only one of two texts has, and figures that changed from one drug to another.

A figure that a text gives again says nothing new, so figures are compared as a set. Where both texts say how
much or how often of the same drug, that is compared for each drug: "timolol twice, brimonidine three times"
has the figures of "timolol three times, brimonidine twice".
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from ophtimus_edge.compare.critical.amounts import digits
from ophtimus_edge.compare.critical.differences import Difference, Passage
from ophtimus_edge.compare.critical.quantities import Quantity, quantities
from ophtimus_edge.specialties.drugs import NamedDrug

_SENTENCE_END = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?。](?=\s|$)|\n|;")
# Between a figure and the drug behind it: "0.5 % timolol", "0.5 % 티몰롤", "5 mg of prednisolone".
_ADJOINING = re.compile(r"\s?(?:(?:of|oral|topical|경구|topical)\s)?")
# "500" may be 500 mmHg or five hundred letters, as the words around it say; of these it is no dose.
_NEED_A_UNIT = {"mass", "volume", "%"}
_WORTH_THEIR_VALUE = {"acuity", "cup", "type", "dioptre", "celsius"}  # the last two with their sign
_NUMBER = re.compile(r"[1-9]\d*(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+")
_RATES = {"times an hour", "times a month", "times", "moment"}


def figure_differences(
    reference: str, answer: str, drugs_there: list[NamedDrug], drugs_here: list[NamedDrug]
) -> Iterator[Difference]:
    """Figures that differ between two texts.

    Args:
        reference: the answer of the reference.
        answer: the answer of the level.
        drugs_there: the drugs that the reference names, in order.
        drugs_here: the drugs that the answer names, in order.
    """
    there, here = list(quantities(reference)), list(quantities(answer))
    lost = [one for one in there if not any(_alike(one, other) for other in here)]
    new = [one for one in here if not any(_alike(one, other) for other in there)]
    marked: set[Passage] = set()
    for pair in _paired(_once(lost), _once(new)):
        marked.update(*pair)
        yield Difference("figure", *pair)
    one_way, other_way = _by_drug(reference, there, drugs_there), _by_drug(answer, here, drugs_here)
    for drug in one_way:
        for dimension in sorted({_kind(one) for one in one_way[drug]}):
            mine = [one for one in one_way[drug] if _kind(one) == dimension]
            theirs = [one for one in other_way.get(drug, []) if _kind(one) == dimension]
            if theirs and not any(_alike(one, other) for one in mine for other in theirs):
                pair = _passages(mine), _passages(theirs)
                # What was listed already is not listed for each drug again.
                if not marked.intersection(*pair) and not marked & {*pair[0], *pair[1]}:
                    marked.update(*pair)
                    yield Difference("figure", *pair)


def _alike(one: Quantity, other: Quantity) -> bool:
    """Whether two figures may be one; what a text leaves open (a unit, a period, a limit) speaks for it."""
    if one.direction and other.direction and one.direction != other.direction:
        return False
    if one.dimension == other.dimension:
        return one.value == other.value
    bare, measured = (one, other) if not one.dimension else (other, one)
    if not bare.dimension:
        needs_unit = measured.dimension.split("/")[0] in _NEED_A_UNIT
        return not needs_unit and bare.value in _written(measured)
    if {one.dimension, other.dimension} == {"times", "times an hour"}:
        # "twice" and "twice a day"
        return _times_a_day(one) == _times_a_day(other)
    return False


def _written(quantity: Quantity) -> set[Fraction | str]:
    """The numbers of a figure as they are written, whatever their unit is worth; a pair as one."""
    if quantity.dimension in _WORTH_THEIR_VALUE or isinstance(quantity.value, str):
        return {quantity.value}
    numbers = _NUMBER.findall(quantity.passage.text)
    return {digits(number) for number in numbers} or {quantity.value}


def _times_a_day(quantity: Quantity) -> Fraction | str:
    if isinstance(quantity.value, Fraction) and quantity.dimension == "times an hour":
        return quantity.value * 24
    return quantity.value


def _kind(quantity: Quantity) -> str:
    return "often" if quantity.dimension in _RATES else quantity.dimension


def _once(found: list[Quantity]) -> list[Quantity]:
    """Each figure where it stands first: neither again, nor for both ends of a range."""
    firsts: dict[tuple[str, Fraction | str, str], Quantity] = {}
    for one in found:
        firsts.setdefault((one.dimension, one.value, one.direction), one)
    passages: dict[Passage, Quantity] = {}
    for one in firsts.values():
        passages.setdefault(one.passage, one)
    return list(passages.values())


def _paired(
    lost: list[Quantity], new: list[Quantity]
) -> Iterator[tuple[tuple[Passage, ...], tuple[Passage, ...]]]:
    """What stands in the place of what: of the same kind first, then in order."""
    rest = list(new)
    pairs: dict[Passage, Quantity | None] = {}
    for one in lost:
        pairs[one.passage] = next((other for other in rest if _kind(other) == _kind(one)), None)
        rest = [other for other in rest if other is not pairs[one.passage]]
    for passage, other in pairs.items():
        if other is None and rest:
            other = rest.pop(0)
        yield (passage,), (other.passage,) if other else ()
    for other in rest:
        yield (), (other.passage,)


def _passages(found: list[Quantity]) -> tuple[Passage, ...]:
    return tuple(dict.fromkeys(one.passage for one in found))


def _by_drug(text: str, found: list[Quantity], drugs: list[NamedDrug]) -> dict[str, list[Quantity]]:
    """The figures of each drug: of the one beside them, else of the one before them in their sentence."""
    edges = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text) + 1]
    owned: dict[str, list[Quantity]] = {}
    for start, end in pairwise(edges):
        named = [drug for drug in drugs if start <= drug.start < end]
        for one in found if named else ():
            place = one.passage
            if not start <= place.start < end:
                continue
            before = [drug for drug in named if drug.end <= place.start]
            behind = [drug for drug in named if drug.start >= place.end]
            adjoins = bool(behind) and bool(_ADJOINING.fullmatch(text[place.end : behind[0].start]))
            # "timolol 0.5 % brimonidine 0.2 %": what touches both belongs to the first.
            touched = bool(before) and not text[before[-1].end : place.start].strip(" \t은는을를")
            owner = behind[0] if behind and (not before or (adjoins and not touched)) else before[-1]
            for drug in named:
                if drug.start == owner.start:  # a trade name of two drugs names both
                    owned.setdefault(drug.drug, []).append(one)
    return owned
