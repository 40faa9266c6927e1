"""Whether a model is as often right as it is sure: calibration of the letters' probabilities.

A question's confidence is the probability of the letter that the model finds likeliest, among the letters of
the question.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ophtimus_edge.compare.statistics import bootstrap
from ophtimus_edge.compare.statistics.arrays import Floats, floats
from ophtimus_edge.compare.statistics.intervals import CONFIDENCE, critical_value, wilson
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic

BINS = 10
_DRAWS = 2_000  # each goes through all questions
_AT_ONCE = 1 << 22  # numbers of a block of draws, 32 MiB
_ROUNDING = 1e-3  # that a sum of probabilities may be off


class ReliabilityPoint(msgspec.Struct, frozen=True):
    """A bin of a reliability diagram: questions that the model was about as sure of.

    Attributes:
        low, high: of the bin's confidences, the lower end excluded.
        questions: in the bin.
        confidence: their mean.
        accuracy: the share that was answered right, with its Wilson interval.
    """

    low: float
    high: float
    questions: int
    confidence: float
    accuracy: Statistic


class Calibration(msgspec.Struct, frozen=True):
    """How well a model knows what it knows.

    Attributes:
        questions: that were asked.
        ece: expected calibration error, from 0 to 1; hardly ever 0, even for a perfectly calibrated model,
            because a bin's share of right answers scatters. Its interval says whether it may be 0.
        brier: Brier score, from 0 to 2.
        bins: the points of a reliability diagram, without empty bins.
    """

    questions: int
    ece: Statistic
    brier: Statistic
    bins: list[ReliabilityPoint]


def calibrate(
    probabilities: ArrayLike,
    answers: ArrayLike,
    bins: int = BINS,
    confidence: float = CONFIDENCE,
    seed: int = bootstrap.SEED,
) -> Calibration:
    """Calibration of a model's letters, with intervals over questions.

    Args:
        probabilities: [questions, letters], each row adding up to 1; 0 for a letter that a question lacks.
        answers: the place of each question's right letter, from 0: [questions].

    Raises:
        StatisticsError: there are fewer than two questions, or a row is no distribution.
    """
    table, right = _table(probabilities, answers)
    sure = np.minimum(table.max(axis=1), 1.0)
    hit = table.argmax(axis=1) == right
    return Calibration(
        len(table),
        expected_calibration_error(sure, hit, bins, confidence, seed),
        brier_score(table, right, confidence, seed),
        reliability(sure, hit, bins, confidence),
    )


def expected_calibration_error(
    confidences: ArrayLike,
    right: ArrayLike,
    bins: int = BINS,
    confidence: float = CONFIDENCE,
    seed: int = bootstrap.SEED,
) -> Statistic:
    """The mean distance between confidence and accuracy, over bins of equal width, by their questions.

    M. P. Naeini, G. F. Cooper and M. Hauskrecht, AAAI 2015, in the form of C. Guo, G. Pleiss, Y. Sun and K. Q.
    Weinberger, On calibration of modern neural networks, ICML 2017, equation 3.

    What is measured of few questions is too large, and so are draws from them, so that the usual intervals
    miss the truth far more often than they say. This one is wide on purpose: up to the upper end of the
    percentile bootstrap over questions, down to the lower end of the basic one (B. Efron and R. J. Tibshirani,
    An Introduction to the Bootstrap (1993), sections 13.3 and 13.4), and down to 0 unless fewer than
    (1 - confidence) / 2 of perfectly calibrated models, as sure of the same questions, would seem as badly
    calibrated (J. Bröcker and L. A. Smith, Weather and Forecasting 22 (2007), 651-661, draw them alike).

    Args:
        confidences: from 0 to 1: [questions].
        right: whether the letter was the right one: [questions].

    Raises:
        StatisticsError: there are fewer than two questions, or a confidence is out of range.
    """
    critical_value(confidence)
    sure, hit = _answers(confidences, right)
    questions = len(sure)
    if questions < bootstrap.FEWEST:
        raise StatisticsError("Of one question, nothing says how others would differ.", "Ask more questions.")
    place = _bins_of(sure, bins)
    member = np.eye(bins)[place]

    def error(totals: Floats) -> Floats:
        distance: Floats = np.abs(totals).sum(axis=-1) / questions
        return distance

    gaps = member * (hit - sure)[:, None]
    value = float(error(gaps.sum(axis=0)))
    draws = bootstrap.drawn_counts(questions, _DRAWS, seed)
    drawn = np.concatenate([error(counts @ gaps) for counts in draws])
    calibrated = np.concatenate([error(block @ member) for block in _calibrated_gaps(sure, seed)])
    tail = (1 - confidence) / 2
    high = max(float(np.quantile(drawn, 1 - tail)), value)
    low = min(max(2 * value - high, 0.0), value)
    if value <= float(np.quantile(calibrated, 1 - tail)):
        low = 0.0
    return Statistic(value, low, high)


def brier_score(
    probabilities: ArrayLike,
    answers: ArrayLike,
    confidence: float = CONFIDENCE,
    seed: int = bootstrap.SEED,
) -> Statistic:
    """The mean squared distance of the letters' probabilities from what is right, summed over letters.

    G. W. Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78 (1950),
    1-3: from 0 to 2. With two letters it is twice the score that is usual for one probability.

    Args:
        probabilities, answers: as for :func:`calibrate`.

    The interval is the BCa bootstrap's over questions.

    Raises:
        StatisticsError: as for :func:`calibrate`.
    """
    table, right = _table(probabilities, answers)
    distance = table.copy()
    distance[np.arange(len(table)), right] -= 1.0
    return bootstrap.mean((distance**2).sum(axis=1), confidence, seed)


def reliability(
    confidences: ArrayLike, right: ArrayLike, bins: int = BINS, confidence: float = CONFIDENCE
) -> list[ReliabilityPoint]:
    """The points of a reliability diagram, one for each bin that has questions.

    Args:
        confidences, right: as for :func:`expected_calibration_error`.

    Raises:
        StatisticsError: there are no questions, or a confidence is out of range.
    """
    sure, hit = _answers(confidences, right)
    place = _bins_of(sure, bins)
    points = []
    for one in range(bins):
        inside = place == one
        count = int(inside.sum())
        if count:
            accuracy = wilson(int(hit[inside].sum()), count, confidence)
            mean = float(sure[inside].mean())
            points.append(ReliabilityPoint(one / bins, (one + 1) / bins, count, mean, accuracy))
    return points


def _calibrated_gaps(confidences: Floats, seed: int) -> Iterator[Floats]:
    """What perfectly calibrated models would answer less how sure they are: [some of the draws, questions]."""
    generator = np.random.default_rng([seed, 1])
    block = max(_AT_ONCE // len(confidences), 1)
    for start in range(0, _DRAWS, block):
        rows = min(block, _DRAWS - start)
        answers = (generator.random((rows, len(confidences))) < confidences).astype(np.float64)
        yield answers - confidences


def _bins_of(confidences: Floats, bins: int) -> NDArray[np.intp]:
    """The bin of each confidence; bins hold their upper end, the first one 0 as well."""
    if bins < 1:
        raise StatisticsError("A reliability diagram needs at least one bin.", "Give 10.")
    return np.searchsorted(np.arange(1, bins) / bins, confidences, side="left")


def _answers(confidences: ArrayLike, right: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    sure, hit = floats(confidences), floats(right)
    if sure.ndim != 1 or sure.shape != hit.shape:
        raise StatisticsError(
            "There are not as many answers as confidences.", "Give one of each for every question."
        )
    if not len(sure):
        raise StatisticsError("No question was answered.", "Ask at least one question.")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise StatisticsError(
            "A confidence is not between 0 and 1.", "Check the model file; it may be damaged."
        )
    if not ((hit == 0) | (hit == 1)).all():
        raise StatisticsError("An answer is neither right nor wrong.", "Give 1 or 0 for every question.")
    return sure, hit.astype(np.bool_)


def _table(probabilities: ArrayLike, answers: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    table, right = floats(probabilities), floats(answers)
    if table.ndim != 2 or not table.size or right.shape != table.shape[:1]:
        raise StatisticsError(
            "There are not as many right letters as rows of probabilities.",
            "Give one of each for every question, and at least one question.",
        )
    if not ((table >= 0).all() and (np.abs(table.sum(axis=1) - 1) <= _ROUNDING).all()):
        raise StatisticsError(
            "The probabilities of a question's letters do not add up to 1.",
            "Check the model file; it may be damaged.",
        )
    if not ((right >= 0) & (right < table.shape[1]) & (right == np.floor(right))).all():
        raise StatisticsError(
            "A right answer is not one of the question's letters.", "Correct the question file."
        )
    return table, right.astype(np.intp)
