"""All answers of a level scored, and the report's figures of them."""

from collections.abc import Iterable

import numpy as np
import pytest

from ophtimus_edge.compare.essay.answering import EssayAnswer
from ophtimus_edge.compare.essay.metrics import Metrics
from ophtimus_edge.compare.essay.pieces import Pieces
from ophtimus_edge.compare.essay.scoring import EssayScores, score_essays
from ophtimus_edge.compare.essay.summary import essay_report
from ophtimus_edge.compare.statistics import bootstrap, intervals
from ophtimus_edge.errors import ComparisonError, StatisticsError
from ophtimus_edge.specialties.questions import EssayQuestion

ANSWERS = {
    "a": ("en", "The eye is dry.", "The eye is dry."),
    "b": ("en", "Drops help.", "Drops lower the pressure."),
    "c": ("ko", "녹내장은 병입니다.", "녹내장은 시신경의 병입니다."),
    "d": ("ko", "", "안압을 낮춥니다."),
}
QUESTIONS = [
    EssayQuestion(
        id=question_id,
        language=language,  # type: ignore[arg-type]
        topic="",
        question=f"{question_id}?",
        answer=expected,
        source="",
        reviewed_by="",
        split="heldout",
        phrasings=[],
    )
    for question_id, (language, _, expected) in ANSWERS.items()
]
PIECES = Pieces(1024, {text: text.split() for _, *texts in ANSWERS.values() for text in texts})


def answer(question_id: str, text: str, finish: str = "stop", error: str = "") -> EssayAnswer:
    return EssayAnswer(
        id=question_id, digest="", text=text, finish_reason=finish,  # type: ignore[arg-type]
        prompt_tokens=9, completion_tokens=3, error=error,
    )  # fmt: skip


def given() -> list[EssayAnswer]:
    answers = [answer(question_id, text) for question_id, (_, text, _) in ANSWERS.items()]
    return [*answers[:3], answer("d", "", "length"), answer("elsewhere", "of another file")]


async def scored(answers: Iterable[EssayAnswer], **more: object) -> list[EssayScores]:
    return [scores async for scores in score_essays(answers, QUESTIONS, PIECES, **more)]  # type: ignore[arg-type]


async def test_answers_are_scored_in_both_profiles_in_the_order_of_the_questions() -> None:
    progress: list[tuple[int, int]] = []
    found = await scored(reversed(given()), on_progress=lambda *at: progress.append(at))
    metrics = Metrics()
    assert [scores.id for scores in found] == list(ANSWERS)
    assert progress == [(done, 4) for done in range(5)]
    for scores in found:
        language, text, expected = ANSWERS[scores.id]
        standard = metrics.standard(text, expected, language)
        paper = metrics.paper(text.split(), expected.split())
        assert scores.scores == {"paper": paper, "standard": standard.scores}
        assert scores.bleu_counts == standard.bleu_counts
        assert ("어절" in " ".join(scores.notes)) == (language == "ko")
    assert [scores.cut_short for scores in found] == [False, False, False, True]


async def test_known_scores_are_not_computed_again_unless_the_answer_changed() -> None:
    before = await scored(given())
    assert await scored(given(), known=before) == []
    changed = [answer("a", "Drops help."), *given()[1:]]
    assert [scores.id for scores in await scored(changed, known=before)] == ["a"]


async def test_an_answer_whose_pieces_were_not_read_is_refused() -> None:
    with pytest.raises(ComparisonError, match="pieces"):
        await scored([answer("a", "unread")])


async def test_figures_are_means_over_questions_with_their_intervals() -> None:
    found = await scored(given())
    report = essay_report(reversed(found))
    values = [scores.scores["paper"]["rouge_l"] for scores in found]
    assert report.questions == 4
    assert report.scores["paper"]["rouge_l"] == bootstrap.mean(values)
    assert report.scores["paper"]["rouge_l"].value == pytest.approx(np.mean(values))
    assert set(report.scores) == {"paper", "standard"}
    assert set(report.scores["paper"]) == {"rouge_1", "rouge_2", "rouge_l", "bleu", "meteor"}
    assert set(report.scores["standard"]) == {"rouge_lsum", "sacrebleu", "meteor"}
    bleu = report.scores["standard"]["sacrebleu"]
    assert 0 <= bleu.low <= bleu.value <= bleu.high <= 1
    assert bleu.low < bleu.high
    assert report.cut_short == intervals.wilson(1, 4)
    english = [value for value, scores in zip(values, found, strict=True) if scores.language == "en"]
    assert report.languages["en"]["paper"]["rouge_l"] == bootstrap.mean(english)
    assert set(report.languages) == {"en", "ko"}
    notes = " ".join(report.notes)
    assert "METEOR (exact + stem" in notes
    assert "어절" in notes
    assert len(report.notes) == 3


async def test_figures_of_one_language_only_say_so() -> None:
    found = await scored(given())
    report = essay_report(found[:2])
    assert report.languages == {"en": report.scores}
    assert "어절" not in " ".join(report.notes)
    mixed = essay_report(found[:3])
    assert set(mixed.languages) == {"en"}
    assert "Korean: one question only; no figures of its own." in mixed.notes


async def test_a_question_that_could_not_be_asked_is_in_no_figure_and_named() -> None:
    """An empty answer is an answer, and a bad one."""
    answers = given()[:2]
    unasked = answer("c", "", "failed", "the question does not fit. Shorten it.")
    report = essay_report(await scored([*answers, unasked]))
    assert report.questions == 2
    assert report.scores == essay_report(await scored(answers)).scores
    assert "1 of 3 questions could not be asked and are in no figure." in report.notes


async def test_no_interval_of_fewer_than_two_answers() -> None:
    found = await scored([given()[0], answer("c", "", "failed", "It does not fit. Shorten it.")])
    with pytest.raises(StatisticsError, match="1 of 2 essay questions") as caught:
        essay_report(found)
    assert "Shorten it" in caught.value.hint
    with pytest.raises(StatisticsError, match="0 of 0"):
        essay_report([])
