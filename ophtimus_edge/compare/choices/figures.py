"""From records to the report's numbers: pure, so that they can be computed anew without a model.

A question is right where the option that was chosen is the right one, in whatever order it stood. What could not
be parsed, and what did not fit the context, is wrong. Calibration is that of the letters in the written order,
over the questions that fit.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.choices.asking import ANSWER_START
from ophtimus_edge.compare.choices.records import ChoiceRecord
from ophtimus_edge.compare.statistics.calibration import Calibration, calibrate
from ophtimus_edge.compare.statistics.intervals import wilson
from ophtimus_edge.compare.statistics.paired import compare_accuracy, flips, pairs_of
from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import ChoiceReport, FlipsReport, Part, ReliabilityBin
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion


class _Measured(NamedTuple):
    """What is known of one level, by the id of the question.

    Attributes:
        generated: the record of the answer in the written order.
        letters: the records of its orders, the written one first.
    """

    generated: dict[str, ChoiceRecord]
    letters: dict[str, list[ChoiceRecord]]

    def right_answer(self, question: ChoiceQuestion) -> bool:
        """Whether the generated answer is the right one."""
        record = self.generated[question.id]
        return bool(record.letter) and _is_right(question, record, LETTERS.index(record.letter))

    def right_letter(self, question: ChoiceQuestion, turn: int = 0) -> bool:
        """Whether the likeliest letter is the right one, in one of the orders."""
        record = self.letters[question.id][turn]
        return bool(record.probabilities) and _is_right(question, record, _likeliest(record))


def report_choices(
    questions: Sequence[ChoiceQuestion],
    records: Iterable[ChoiceRecord],
    reference: Iterable[ChoiceRecord] | None = None,
) -> ChoiceReport:
    """A level's part of the report.

    Args:
        questions: that were to be asked, with unique ids; those without a record do not count.
        records: of the level; of two of the same, the later counts.
        reference: records of the reference on the same questions; None for the reference itself. Answers
            that both generated are paired, the likeliest letters where one of them generated none.

    Raises:
        ComparisonError: the letters of no question were measured.
    """
    level = _sorted(questions, records)
    asked = [question for question in questions if question.id in level.letters]
    answered = [question for question in questions if question.id in level.generated]
    if not asked:
        raise ComparisonError(
            "no multiple-choice question was measured.", "Run the command again: what is measured is kept."
        )
    orders = max(len(level.letters[question.id]) for question in asked)
    in_several = [question for question in asked if len(level.letters[question.id]) > 1]
    primary = (answered, level.right_answer) if answered else (asked, level.right_letter)
    calibration = _calibration(
        [question for question in asked if level.letters[question.id][0].probabilities], level
    )
    return ChoiceReport(
        questions=len({question.id for question in (*asked, *answered)}),
        permutations=orders,
        accuracy=_share(answered, level.right_answer),
        unparsed=_share(answered, lambda one: not level.generated[one.id].letter),
        cut_short=_share(answered, lambda one: level.generated[one.id].cut_short),
        fallback=_share(answered, lambda one: level.generated[one.id].how == "fallback"),
        likelihood_accuracy=wilson(sum(map(level.right_letter, asked)), len(asked)),
        likelihood_after=ANSWER_START,
        permutation_accuracy=_by_order(asked, orders, level),
        consistent=_share(in_several, lambda one: _is_consistent(level.letters[one.id])),
        ece=calibration.ece,
        brier=calibration.brier,
        reliability=[
            ReliabilityBin(
                low=point.low,
                high=point.high,
                questions=point.questions,
                confidence=point.confidence,
                accuracy=point.accuracy,
            )
            for point in calibration.bins
        ],
        flips=None if reference is None else _flips(questions, level, _sorted(questions, reference)),
        topics=_parts(*primary, lambda question: question.topic),
        languages=_parts(*primary, lambda question: question.language),
    )


def _sorted(questions: Sequence[ChoiceQuestion], records: Iterable[ChoiceRecord]) -> _Measured:
    """The records of these questions; letters only where they were measured in the written order."""
    asked = {question.id: len(question.options) for question in questions}
    generated: dict[str, ChoiceRecord] = {}
    letters: dict[str, dict[tuple[int, ...], ChoiceRecord]] = {}
    for record in records:
        if len(record.order) != asked.get(record.question_id):
            continue
        if record.measured == "letters":
            letters.setdefault(record.question_id, {})[tuple(record.order)] = record
        elif record.order == sorted(record.order):
            generated[record.question_id] = record
    in_order = {
        one: [
            records[order] for order in sorted(records)
        ]  # the written order is the least, then turn by turn
        for one, records in letters.items()
        if tuple(range(asked[one])) in records
    }
    return _Measured(generated, in_order)


def _is_right(question: ChoiceQuestion, record: ChoiceRecord, letter: int) -> bool:
    return question.options[record.order[letter]] == question.answer


def _likeliest(record: ChoiceRecord) -> int:
    """The place of the likeliest letter; the first of several."""
    return record.probabilities.index(max(record.probabilities))


def _is_consistent(records: Sequence[ChoiceRecord]) -> bool:
    chosen = {record.order[_likeliest(record)] if record.probabilities else -1 for record in records}
    return len(chosen) == 1


def _share(questions: Sequence[ChoiceQuestion], counts: Callable[[ChoiceQuestion], bool]) -> Statistic | None:
    return wilson(sum(map(counts, questions)), len(questions)) if questions else None


def _by_order(asked: Sequence[ChoiceQuestion], orders: int, level: _Measured) -> list[Statistic]:
    """Of each order, over the same questions: those that were asked in all; none where there is one order."""
    if orders == 1:
        return []
    in_all = [question for question in asked if len(level.letters[question.id]) == orders]
    return [
        wilson(sum(level.right_letter(question, turn) for question in in_all), len(in_all))
        for turn in range(orders)
    ]


def _calibration(fitting: Sequence[ChoiceQuestion], level: _Measured) -> Calibration:
    most = len(LETTERS)
    rows = [level.letters[question.id][0].probabilities for question in fitting]
    table = [[*row, *[0.0] * (most - len(row))] for row in rows]
    answers = [question.options.index(question.answer) for question in fitting]
    if len(table) > 1:
        return calibrate(table, answers)
    if not table:
        raise ComparisonError(
            "no multiple-choice question fits the model's context.", "Close other programs to free memory."
        )
    # One question has a score, and says nothing of any other.
    found = calibrate(table * 2, answers * 2)
    return msgspec.structs.replace(
        found,
        ece=Statistic(found.ece.value, 0.0, 1.0),
        brier=Statistic(found.brier.value, 0.0, 2.0),
        bins=[
            msgspec.structs.replace(point, questions=1, accuracy=wilson(round(point.accuracy.value), 1))
            for point in found.bins
        ],
    )


def _flips(questions: Sequence[ChoiceQuestion], level: _Measured, reference: _Measured) -> FlipsReport | None:
    """What turned against the reference; None where no question was put to both."""
    both = [one for one in questions if one.id in level.generated and one.id in reference.generated]
    if both:
        was, now = map(reference.right_answer, both), map(level.right_answer, both)
    else:
        both = [one for one in questions if one.id in level.letters and one.id in reference.letters]
        was, now = map(reference.right_letter, both), map(level.right_letter, both)
    if not both:
        return None
    before, after = list(was), list(now)
    turned, compared = flips(before, after), compare_accuracy(pairs_of(before, after))
    return FlipsReport(
        lost=[both[place].id for place in turned.lost],
        won=[both[place].id for place in turned.won],
        difference=compared.difference,
        p_value=compared.p_value,
        questions=len(both),
    )


def _parts(
    questions: Sequence[ChoiceQuestion],
    right: Callable[[ChoiceQuestion], bool],
    group: Callable[[ChoiceQuestion], str],
) -> list[Part]:
    """The same accuracy by groups, by their names; questions of none are in no part."""
    groups: dict[str, list[ChoiceQuestion]] = {}
    for question in questions:  # once: there may be as many topics as questions
        groups.setdefault(group(question), []).append(question)
    return [
        Part(name=name, questions=len(among), accuracy=wilson(sum(map(right, among)), len(among)))
        for name, among in sorted(groups.items())
        if name
    ]
