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
- **drugs**, as a set: a text that names one again says nothing new.
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
        *eye_differences(reference, answer),
        *negation_differences(reference, answer),
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
    left_out = _firsts(there, {one.drug for one in here})
    added = _firsts(here, {one.drug for one in there})
    for place in range(max(len(left_out), len(added))):
        lost = [left_out[place]] if place < len(left_out) else []
        new = [added[place]] if place < len(added) else []
        yield Difference(
            "drug",
            tuple(Passage(one.start, one.end, reference[one.start : one.end]) for one in lost),
            tuple(Passage(one.start, one.end, answer[one.start : one.end]) for one in new),
        )


def _firsts(named: list[NamedDrug], known: set[str]) -> list[NamedDrug]:
    firsts: dict[str, NamedDrug] = {}
    for one in named:
        if one.drug not in known:
            firsts.setdefault(one.drug, one)
    return list(firsts.values())


def _place(difference: Difference) -> tuple[bool, int, str]:
    passages = difference.reference or difference.answer
    return not difference.reference, passages[0].start, difference.kind
