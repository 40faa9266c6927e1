"""The critical differences of all answers of a level, as ``report.json`` has them."""

from collections.abc import Iterable
from typing import NamedTuple

from ophtimus_edge.compare.critical.between import counted, critical_differences
from ophtimus_edge.compare.critical.differences import Difference, Passage
from ophtimus_edge.compare.statistics.intervals import wilson
from ophtimus_edge.models.report import CriticalDifference, CriticalReport, MarkedPassage
from ophtimus_edge.specialties import DEFAULT_SPECIALTY


class AnswerPair(NamedTuple):
    """A question's id, with the answer of the reference and that of the level."""

    question_id: str
    reference: str
    answer: str


def critical_report(pairs: Iterable[AnswerPair], specialty: str = DEFAULT_SPECIALTY) -> CriticalReport | None:
    """What a person must look at in the answers of a level.

    Args:
        pairs: the answers to every question that both were asked; texts as they are shown, so that the places
            of the passages are those of the shown text.
        specialty: whose names of drugs are known.

    Returns:
        None where there is no pair: what was not measured has no figure.
    """
    found: list[tuple[str, Difference]] = []
    answers = affected = 0
    for pair in pairs:
        differences = critical_differences(pair.reference, pair.answer, specialty)
        answers += 1
        affected += bool(differences)
        found += [(pair.question_id, difference) for difference in differences]
    if not answers:
        return None
    return CriticalReport(
        answers=answers,
        affected=wilson(affected, answers),
        counts=counted(difference for _, difference in found),
        differences=[_listed(question_id, difference) for question_id, difference in found],
    )


def _listed(question_id: str, difference: Difference) -> CriticalDifference:
    return CriticalDifference(
        question_id=question_id,
        kind=difference.kind,
        reference=_marked(difference.reference),
        answer=_marked(difference.answer),
    )


def _marked(passages: tuple[Passage, ...]) -> list[MarkedPassage]:
    return [MarkedPassage(passage.start, passage.end, passage.text) for passage in passages]
