"""From records to the report: a part that gives no figures does not take the others with it."""

from ophtimus_edge.compare.choices import asking
from ophtimus_edge.compare.choices.records import ChoiceRecord
from ophtimus_edge.compare.essay.answering import EssayAnswer
from ophtimus_edge.compare.essay.scoring import EssayScores
from ophtimus_edge.compare.questions.files import embedded_choices, embedded_essays
from ophtimus_edge.compare.report.view import View
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.comparing import Measured, asked_choices, asked_essays
from ophtimus_edge.compare.running.joining import join
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.compare.running.subjects import find
from ophtimus_edge.models.report import Report

ORDER = Order(
    subjects=find(["demo"]),
    choices=embedded_choices(),
    essays=embedded_essays(),
    counts=Counts(choices=4, permutations=1, essays=3),
)
FILES = [one.model.sha256 for one in ORDER.subjects.every]


def letters() -> list[ChoiceRecord]:
    """All sure of the first option."""
    return [
        ChoiceRecord(
            question_id=asked.question.id, digest=asked.digest, order=list(asked.order), measured="letters",
            probabilities=[1.0, *[0.0] * (len(asked.order) - 1)], mass=1.0,
        )
        for asked in asking.plan(asked_choices(ORDER))
    ]  # fmt: skip


def answers(sound: int) -> list[EssayAnswer]:
    """So many answers; the other questions could not be asked."""
    return [
        EssayAnswer(
            id=question.id, digest="", text=f"Take {place} mg." if place < sound else "",
            finish_reason="stop" if place < sound else "failed", prompt_tokens=9, completion_tokens=9,
            error="" if place < sound else "The question does not fit. Shorten it.",
        )
        for place, question in enumerate(asked_essays(ORDER))
    ]  # fmt: skip


def scores(given: list[EssayAnswer]) -> list[EssayScores]:
    return [
        EssayScores(
            id=one.id, language="en", digest="", error=one.error, cut_short=False,
            scores={} if one.error else {"paper": {"bleu": 0.5}}, bleu_counts=[] if one.error else [1] * 10,
        )
        for one in given
    ]  # fmt: skip


def joined(sound: int, not_scored: str = "") -> Report:
    given = answers(sound)
    return join(
        ORDER,
        Measured(
            [],
            {},
            dict.fromkeys(FILES, letters()),
            dict.fromkeys(FILES, given),
            {} if not_scored else dict.fromkeys(FILES, scores(given)),
            not_scored,
        ),
        machine={},
        tool_versions={},
        settings={},
        notes=["A note."],
    )


def test_a_part_without_figures_is_named_and_the_others_are_there() -> None:
    whole, report = joined(3), joined(1)
    for level in (whole.reference, whole.levels[0]):
        assert level.essay
        assert level.essay.questions == 3
    assert whole.notes == ["A note."]
    assert [level.mcq for level in report.levels] == [level.mcq for level in whole.levels]
    assert report.levels[0].essay is None
    assert report.levels[0].critical
    assert report.levels[0].critical.answers == 1
    assert report.notes[1].startswith("There are no figures of the essays of BF16: 1 of 3 essay questions")
    assert "Shorten it." in report.notes[1]
    assert "Q4_K_M" in report.notes[2]
    assert [note for note in View(report).cautions() if "no figures" in note] == report.notes[1:]


def test_answers_that_could_not_be_scored_are_there_and_say_so() -> None:
    report = joined(2, "Not scored: nltk is not installed.")
    essay = report.levels[0].essay
    assert essay
    assert (essay.questions, essay.scores, essay.notes) == (2, {}, ["Not scored: nltk is not installed."])
    assert essay.cut_short
    assert report.levels[0].critical
    assert report.notes == ["A note."]
