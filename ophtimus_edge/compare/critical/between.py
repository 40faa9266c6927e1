"""Critical differences between a level's answer and the reference's, found mechanically.

Four kinds of word decide what a patient gets, and can be compared without understanding the rest: figures,
eyes, negations and names of drugs. A difference in one of them is listed for a person to judge. That none is
listed says nothing of the rest of an answer.

What is compared, and how:

- **figures**, as a set, units and number words made alike ("two times daily" is "하루 2회"); and which figure
  belongs to which drug, where all figures are there but change places;
- **eyes**: right, left, both, one, as a set; and whether right and left changed places;
- **negations**: for each clause that denies or forbids, whether the clause of the other text that speaks of the
  same denies or forbids too; a prohibition that the other text leaves out whole is not found;
- **drugs**, as a set: a text that names one again says nothing new. A trade name is its substances; two trade
  names of one substance differ, since they may be drops of another strength, or an implant.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from ophtimus_edge.compare.critical.differences import KINDS, Difference, Passage
from ophtimus_edge.compare.critical.eyes import eye_differences
from ophtimus_edge.compare.critical.figure_differences import figure_differences
from ophtimus_edge.compare.critical.negations import negation_differences
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.drugs import NamedDrug, named_drugs


def critical_differences(
    reference: str, answer: str, specialty: str = DEFAULT_SPECIALTY
) -> tuple[Difference, ...]:
    """What a person must look at where two answers to one question differ.

    Args:
        reference: the answer of the reference.
        answer: the answer of the level.
        specialty: whose names of drugs are known.

    Returns:
        The differences in the order of the reference, those that only the answer has at the end.
    """
    drugs = list(named_drugs(reference, specialty)), list(named_drugs(answer, specialty))
    found = [
        *figure_differences(reference, answer, *drugs),
        *eye_differences(reference, answer, specialty),
        *negation_differences(reference, answer, specialty),
        *_drug_differences(reference, answer, *drugs),
    ]
    return tuple(sorted(found, key=_place))


def counted(differences: Iterable[Difference]) -> dict[str, int]:
    """How many differences there are of each kind; a kind without any is there with 0."""
    kinds = Counter(difference.kind for difference in differences)
    return {kind: kinds[kind] for kind in KINDS}


def _drug_differences(
    reference: str, answer: str, there: list[NamedDrug], here: list[NamedDrug]
) -> Iterator[Difference]:
    left_out = _firsts(there, _drugs(there) - _drugs(here) | _renamed(there, here))
    added = _firsts(here, _drugs(here) - _drugs(there) | _renamed(there, here))
    for place in range(max(len(left_out), len(added))):
        lost = [left_out[place]] if place < len(left_out) else []
        new = [added[place]] if place < len(added) else []
        yield Difference(
            "drug",
            tuple(Passage(start, end, reference[start:end]) for start, end in lost),
            tuple(Passage(start, end, answer[start:end]) for start, end in new),
        )


def _drugs(named: list[NamedDrug]) -> set[str]:
    return {one.drug for one in named}


def _renamed(there: list[NamedDrug], here: list[NamedDrug]) -> set[str]:
    """The drugs that both texts call by a trade name alone, and by none that is in both."""
    one_way, other_way = (
        {drug: {one.trade_name for one in named if one.drug == drug} for drug in _drugs(named)}
        for named in (there, here)
    )
    return {
        drug
        for drug in one_way.keys() & other_way.keys()
        if "" not in one_way[drug] | other_way[drug] and not one_way[drug] & other_way[drug]
    }


def _firsts(named: list[NamedDrug], wanted: set[str]) -> list[tuple[int, int]]:
    """Where each of some drugs is named first; a name of two drugs stands there once."""
    firsts: dict[str, tuple[int, int]] = {}
    for one in named:
        if one.drug in wanted:
            firsts.setdefault(one.drug, (one.start, one.end))
    return list(dict.fromkeys(firsts.values()))


def _place(difference: Difference) -> tuple[bool, int, str]:
    passages = difference.reference or difference.answer
    return not difference.reference, passages[0].start, difference.kind
