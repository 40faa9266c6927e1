"""The report's numbers of multiple choice, from records that are written by hand."""

import math

import msgspec
import pytest

from ophtimus_edge.compare.choices import asking
from ophtimus_edge.compare.choices.figures import report_choices
from ophtimus_edge.compare.choices.records import ChoiceRecord
from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.models.report import Part
from ophtimus_edge.specialties.questions import ChoiceQuestion

TOPICS = ("cornea", "lens", "", "lens")


def question(number: int, language: str = "en") -> ChoiceQuestion:
    """A four-option question; the right option is C in the written order."""
    return ChoiceQuestion(
        id=f"q{number}", language=language, topic=TOPICS[number % 4], question=f"What is {number}?",
        answer="third", source="", reviewed_by="", split="heldout",
        option_a="first", option_b="second", option_c="third", option_d="fourth",
    )  # fmt: skip


QUESTIONS = [question(number) for number in range(8)]


def generated(number: int, letter: str, how: str = "strict") -> ChoiceRecord:
    return ChoiceRecord(
        question_id=f"q{number}", digest=f"d{number}", order=[0, 1, 2, 3], measured="generated",
        text=f"Answer:\n{letter})", letter=letter, how=how,
    )  # type: ignore[arg-type] # fmt: skip


def letters(number: int, chosen: int, turn: int = 0, sure: float = 0.7) -> ChoiceRecord:
    """The likeliest is an option by its place in the written order, whatever its letter."""
    order = asking.ask(QUESTIONS[number], 4)[turn].order
    probabilities = [sure if place == chosen else (1 - sure) / 3 for place in order]
    return ChoiceRecord(
        question_id=f"q{number}", digest=f"d{number}-{turn}", order=list(order), measured="letters",
        probabilities=probabilities, mass=0.9,
    )  # fmt: skip


LEVEL = [letters(number, 2 if number < 5 else 0) for number in range(8)] + [
    generated(0, "C"), generated(1, "C", "fallback"), generated(2, "A"), generated(3, "", "unparsed"),
    generated(4, "C"), generated(5, "C"), generated(6, "B"), generated(7, "C"),
]  # fmt: skip
REFERENCE = [letters(number, 2) for number in range(8)] + [
    generated(number, "C" if number not in (5, 6) else "D") for number in range(8)
]


def test_answers_are_counted_and_what_is_not_parsed_is_wrong() -> None:
    found = report_choices(QUESTIONS, LEVEL)
    assert (found.questions, found.permutations, found.likelihood_after) == (8, 1, "Answer:\n")
    assert found.accuracy
    assert found.unparsed
    assert found.fallback
    assert (found.accuracy.value, found.unparsed.value, found.fallback.value) == (5 / 8, 1 / 8, 1 / 8)
    # Wilson's interval of 5 of 8 by hand: (n p + z²/2 ± z √(n p q + z²/4)) / (n + z²), z = 1.95996
    assert found.accuracy.low == pytest.approx(0.3057, abs=5e-4)
    assert found.accuracy.high == pytest.approx(0.8632, abs=5e-4)
    assert found.likelihood_accuracy.value == 5 / 8
    assert found.flips is None
    assert found.consistent is None
    assert found.permutation_accuracy == []


def test_answers_that_were_cut_at_the_limit_are_counted() -> None:
    cut = [msgspec.structs.replace(one, cut_short=one.question_id in {"q1", "q3"}) for one in LEVEL]
    found = report_choices(QUESTIONS, cut).cut_short
    assert found
    assert found.value == 2 / 8
    whole = report_choices(QUESTIONS, LEVEL).cut_short
    assert whole
    assert whole.value == 0
    assert report_choices(QUESTIONS, [one for one in LEVEL if one.measured == "letters"]).cut_short is None


def test_every_question_may_have_a_topic_of_its_own() -> None:
    """Each question is grouped once: the group of a question is asked for as often as there are questions."""
    many = [
        msgspec.structs.replace(QUESTIONS[0], id=f"q{number}", topic=f"t{number}") for number in range(20)
    ]
    records = [msgspec.structs.replace(LEVEL[0], question_id=one.id) for one in many]
    asked: list[str] = []

    class Counted(ChoiceQuestion):
        """A question that says when its topic is looked at."""

        def __getattribute__(self, name: str) -> object:
            if name == "topic":
                asked.append(name)
            return super().__getattribute__(name)

    counted = [msgspec.convert(msgspec.to_builtins(one), Counted) for one in many]
    found = report_choices(counted, records)
    assert [part.name for part in found.topics] == sorted(one.topic for one in many)
    assert len(asked) == len(many)


def test_calibration_is_of_the_letters_in_the_written_order() -> None:
    found = report_choices(QUESTIONS, LEVEL)
    # All are 0.7 sure, and 5 of 8 right.
    assert found.ece.value == pytest.approx(abs(5 / 8 - 0.7))
    right, wrong = 0.3**2 + 3 * 0.1**2, 0.7**2 + 0.9**2 + 2 * 0.1**2
    assert found.brier.value == pytest.approx((5 * right + 3 * wrong) / 8)
    [point] = found.reliability
    assert (point.questions, point.accuracy.value) == (8, 5 / 8)
    assert point.low < point.confidence <= point.high
    assert point.confidence == pytest.approx(0.7)


def test_flips_pair_the_generated_answers() -> None:
    found = report_choices(QUESTIONS, LEVEL, REFERENCE).flips
    assert found
    assert (found.lost, found.won) == (["q2", "q3"], ["q5"])
    assert found.difference.value == pytest.approx(-1 / 8)
    assert found.difference.low < found.difference.value < found.difference.high
    assert found.p_value == 1.0  # two against one: 2 · (1 + 3) / 8


def test_flips_pair_the_likeliest_letters_where_one_side_generated_nothing() -> None:
    only_letters = [one for one in LEVEL if one.measured == "letters"]
    for level, reference in ((only_letters, REFERENCE), (LEVEL, [letters(number, 2) for number in range(8)])):
        found = report_choices(QUESTIONS, level, reference)
        assert found.flips
        assert (found.flips.lost, found.flips.won) == (["q5", "q6", "q7"], [])
        assert found.flips.p_value == pytest.approx(2 / 8)
    assert report_choices(QUESTIONS, LEVEL, []).flips is None
    part = report_choices(QUESTIONS, LEVEL, [letters(0, 1), letters(6, 1)]).flips
    assert part
    assert (part.lost, part.won) == ([], ["q0"])


def test_parts_are_those_of_the_answers_and_what_was_not_asked_is_missing() -> None:
    found = report_choices(QUESTIONS, LEVEL)
    counted = {part.name: (part.questions, part.accuracy.value) for part in found.topics}
    assert counted == {"cornea": (2, 1.0), "lens": (4, 0.75)}  # two questions have no topic
    assert [part.name for part in found.languages] == ["en"]
    korean = [*QUESTIONS[:4], *(question(number, "ko") for number in range(4, 8))]
    languages: list[Part] = report_choices(korean, LEVEL).languages
    assert [(part.name, part.questions, part.accuracy.value) for part in languages] == [
        ("en", 4, 0.5), ("ko", 4, 0.75)
    ]  # fmt: skip
    by_letters = report_choices(korean, [one for one in LEVEL if one.measured == "letters"])
    assert by_letters.accuracy is by_letters.unparsed is by_letters.fallback is None
    assert [(part.name, part.accuracy.value) for part in by_letters.languages] == [("en", 1.0), ("ko", 0.25)]


def test_orders_are_read_back_to_the_options() -> None:
    """q0 is right in all orders; q1 in the written one alone; q2 is wrong, the same in all; q3 has one order."""
    records = [
        *(letters(0, 2, turn) for turn in range(4)),
        *(letters(1, 2 if turn == 0 else 3, turn) for turn in range(4)),
        *(letters(2, 1, turn) for turn in range(4)),
        letters(3, 2),
    ]
    for shuffled in (records, records[::-1]):
        found = report_choices(QUESTIONS, shuffled)
        assert (found.questions, found.permutations) == (4, 4)
        assert found.likelihood_accuracy.value == 3 / 4
        assert [one.value for one in found.permutation_accuracy] == [2 / 3, 1 / 3, 1 / 3, 1 / 3]
        assert found.consistent
        assert found.consistent.value == 2 / 3


def test_a_model_that_always_says_the_first_letter_is_found_out() -> None:
    """In the written order it is wrong, in another one always right; never consistent."""
    records = []
    for number in range(8):
        for asked in asking.ask(QUESTIONS[number], 4):
            records.append(letters(number, asked.order[0], asking.ask(QUESTIONS[number], 4).index(asked)))
    found = report_choices(QUESTIONS, records)
    assert [one.value for one in found.permutation_accuracy] == [0.0, 0.0, 1.0, 0.0]
    assert found.consistent
    assert found.consistent.value == 0.0


def test_records_that_do_not_belong_here_do_not_count() -> None:
    found = report_choices(QUESTIONS, LEVEL)
    strange = [
        ChoiceRecord(
            question_id="other", digest="", order=[0, 1], measured="letters", probabilities=[1.0, 0.0]
        ),
        ChoiceRecord(question_id="q1", digest="", order=[0, 1], measured="letters", probabilities=[0.0, 1.0]),
        ChoiceRecord(
            question_id="q1", digest="", order=[1, 2, 3, 0], measured="generated", letter="A", how="strict"
        ),
    ]
    assert report_choices(QUESTIONS, [*LEVEL, *strange]) == found
    only_turned = [letters(0, 2, 1), *(letters(number, 2) for number in (1, 2))]
    assert report_choices(QUESTIONS, only_turned).questions == 2


def test_a_part_of_the_questions_has_the_figures_of_that_part() -> None:
    part = [one for one in LEVEL if one.question_id in {"q0", "q1", "q3"}]
    found = report_choices(QUESTIONS, part, REFERENCE)
    assert found.questions == 3
    assert found.accuracy
    assert found.accuracy.value == pytest.approx(2 / 3)
    assert found.flips
    assert found.flips.lost == ["q3"]


def test_one_question_says_nothing_of_others_and_none_is_an_error() -> None:
    found = report_choices(QUESTIONS, [letters(0, 2), generated(0, "C")])
    assert (found.ece.low, found.ece.high, found.brier.low, found.brier.high) == (0.0, 1.0, 0.0, 2.0)
    assert found.ece.value == pytest.approx(0.3)
    assert [point.questions for point in found.reliability] == [1]
    for records in ([], [generated(0, "C")]):
        with pytest.raises(ComparisonError):
            report_choices(QUESTIONS, records)


def test_a_question_that_does_not_fit_is_wrong_and_has_no_say_in_calibration() -> None:
    long = {"question_id": "q7", "digest": "d", "order": [0, 1, 2, 3], "how": "too long"}
    records = [one for one in LEVEL if one.question_id != "q7"] + [
        ChoiceRecord(measured="letters", **long),  # type: ignore[arg-type]
        ChoiceRecord(measured="generated", **long),  # type: ignore[arg-type]
    ]
    found = report_choices(QUESTIONS, records)
    assert found.accuracy
    assert found.unparsed
    assert (found.questions, found.accuracy.value, found.unparsed.value) == (8, 4 / 8, 2 / 8)
    assert found.likelihood_accuracy.value == 5 / 8
    assert math.fsum(point.questions for point in found.reliability) == 7
