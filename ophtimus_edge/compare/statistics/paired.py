"""Two levels of one model that answered the same questions: what changed, and by how much.

Pairs say far more than two separate accuracies: most questions are answered alike, and only those whose
answer turned right or wrong carry the difference.
"""

import math
from collections.abc import Sequence

import msgspec

from ophtimus_edge.compare.statistics.intervals import CONFIDENCE, critical_value, crossing, sign_test
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic


class Pairs(msgspec.Struct, frozen=True):
    """Questions by who answered them right.

    Attributes:
        both: right at the reference and at the level.
        lost: right at the reference, wrong at the level.
        won: wrong at the reference, right at the level.
        neither: wrong at both.
    """

    both: int
    lost: int
    won: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.lost, self.won, self.neither) < 0:
            raise StatisticsError("A count of questions is below zero.", "Count the questions again.")
        if not self.questions:
            raise StatisticsError(
                "There is no question that both levels answered.", "Ask both the same questions."
            )

    @property
    def questions(self) -> int:
        """All of them."""
        return self.both + self.lost + self.won + self.neither

    @property
    def flip_rate(self) -> float:
        """The share of questions that turned right or wrong."""
        return (self.lost + self.won) / self.questions


class Flips(msgspec.Struct, frozen=True):
    """Which questions turned, by their place in the list of questions.

    Attributes:
        lost: right at the reference, wrong at the level.
        won: wrong at the reference, right at the level.
    """

    lost: list[int]
    won: list[int]


class AccuracyDifference(msgspec.Struct, frozen=True):
    """A level's accuracy against the reference's on the same questions.

    Attributes:
        pairs: the questions by who answered them right.
        difference: of the accuracies, the level's minus the reference's, as a share: -0.02 is 2 points worse.
        p_value: of McNemar's exact two-sided test that a question turns either way as often.
    """

    pairs: Pairs
    difference: Statistic
    p_value: float


def flips(reference: Sequence[bool], level: Sequence[bool]) -> Flips:
    """The questions whose answer turned wrong or right.

    Args:
        reference, level: whether each question was answered right, in the same order.

    Raises:
        StatisticsError: the lists differ in length.
    """
    _check_lengths(reference, level)
    turned = [place for place, (was, now) in enumerate(zip(reference, level, strict=True)) if was != now]
    return Flips([place for place in turned if not level[place]], [place for place in turned if level[place]])


def pairs_of(reference: Sequence[bool], level: Sequence[bool]) -> Pairs:
    """Count questions by who answered them right.

    Raises:
        StatisticsError: the lists differ in length, or are empty.
    """
    found = flips(reference, level)
    lost, won = len(found.lost), len(found.won)
    both = sum(map(bool, reference)) - lost
    return Pairs(both, lost, won, len(reference) - both - lost - won)


def compare_accuracy(pairs: Pairs, confidence: float = CONFIDENCE) -> AccuracyDifference:
    """The difference of two accuracies on the same questions, its interval, and McNemar's exact test.

    The test: Q. McNemar, Psychometrika 12 (1947), 153-157, in its exact form the sign test of the questions
    that turned. The interval: see :func:`score_interval`.
    """
    difference = score_interval(pairs.won, pairs.lost, pairs.questions, confidence)
    return AccuracyDifference(pairs, difference, sign_test(pairs.won, pairs.lost))


def score_interval(won: int, lost: int, questions: int, confidence: float = CONFIDENCE) -> Statistic:
    """The difference of two paired shares, (won - lost) / questions, with Tango's score interval.

    T. Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design, Statistics in Medicine 17 (1998), 891-908: all differences that the score statistic does not
    reject. It holds with few questions, and where none turned, and its ends are those of the non-inferiority
    test of the same paper.

    Raises:
        StatisticsError: there are no questions, or fewer of them than turned.
    """
    z = critical_value(confidence)
    if questions < 1 or min(won, lost) < 0 or won + lost > questions:
        raise StatisticsError(
            f"{won} won and {lost} lost do not fit {questions} questions.", "Count the questions again."
        )
    seen = (won - lost) / questions

    def score(difference: float) -> float:
        # The share of lost questions that is likeliest where the true difference is this one.
        linear = (2 * questions - won + lost) * difference - won - lost
        constant = -lost * difference * (1 - difference)
        root = math.sqrt(max(linear * linear - 8 * questions * constant, 0.0))
        # Of the two forms of the root the one without cancellation.
        share = (root - linear) / (4 * questions) if linear < 0 else _divide(-2 * constant, root + linear)
        variance = questions * (2 * share + difference * (1 - difference))
        distance = won - lost - questions * difference
        return math.copysign(math.inf, distance) if variance <= 0 else distance / math.sqrt(variance)

    low = -1.0 if lost == questions else crossing(lambda at: score(at) > z, -1.0, seen)
    high = 1.0 if won == questions else crossing(lambda at: score(at) > -z, seen, 1.0)
    return Statistic(seen, low, high)


def _divide(above: float, below: float) -> float:
    return above / below if below else 0.0


def _check_lengths(reference: Sequence[bool], level: Sequence[bool]) -> None:
    if len(reference) != len(level):
        raise StatisticsError(
            f"The reference answered {len(reference)} questions and the level {len(level)}.",
            "Compare them on the same questions.",
        )
