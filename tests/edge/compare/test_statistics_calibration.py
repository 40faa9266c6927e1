"""Calibration of letter probabilities, by hand and by simulation."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ophtimus_edge.compare.statistics.calibration import (
    brier_score,
    calibrate,
    expected_calibration_error,
    reliability,
)
from ophtimus_edge.errors import StatisticsError

LETTERS = [
    [0.7, 0.1, 0.1, 0.1],  # right
    [0.7, 0.2, 0.1, 0.0],  # wrong: B
    [0.1, 0.9, 0.0, 0.0],  # right
    [0.4, 0.3, 0.2, 0.1],  # wrong: D
]
ANSWERS = [0, 1, 1, 3]


def test_ece_and_brier_by_hand() -> None:
    found = calibrate(LETTERS, ANSWERS)
    # Bins: 0.7 twice, half of them right: |0.5 - 0.7| of 2; 0.9, right: 0.1 of 1; 0.4, wrong: 0.4 of 1.
    assert found.ece.value == pytest.approx((2 * 0.2 + 0.1 + 0.4) / 4)
    squares = [0.09 + 0.03, 0.49 + 0.64 + 0.01, 0.01 + 0.01, 0.16 + 0.09 + 0.04 + 0.81]
    assert found.brier.value == pytest.approx(sum(squares) / 4)
    assert found.questions == 4
    assert [(one.low, one.high, one.questions, one.accuracy.value) for one in found.bins] == pytest.approx(
        [(0.3, 0.4, 1, 0.0), (0.6, 0.7, 2, 0.5), (0.8, 0.9, 1, 1.0)]
    )
    assert [one.confidence for one in found.bins] == pytest.approx([0.4, 0.7, 0.9])


def test_bins_hold_their_upper_end_and_the_first_one_0() -> None:
    points = reliability([0.0, 0.1, 0.1000001, 1.0], [0, 1, 1, 1])
    assert [(one.low, one.questions) for one in points] == [(0.0, 2), (0.1, 1), (0.9, 1)]


def test_the_interval_of_the_brier_score_is_scipys() -> None:
    generator = np.random.default_rng(2)
    table = generator.dirichlet([1.0] * 4, size=60)
    answers = generator.integers(4, size=60)
    squares = ((table - np.eye(4)[answers]) ** 2).sum(axis=1)
    known = stats.bootstrap(
        (squares,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    measured = brier_score(table, answers)
    assert (measured.value, measured.low, measured.high) == pytest.approx(
        (squares.mean(), known.low, known.high)
    )


@pytest.mark.parametrize(("too_sure", "questions"), [(0.0, 150), (0.05, 150), (0.2, 150)])
def test_the_interval_of_the_error_covers_the_truth(too_sure: float, questions: int) -> None:
    # Models that are right less often than they are sure by the same in every bin: that is the true error.
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(60):
        sure = generator.uniform(0.3, 1.0, questions)
        right = generator.random(questions) < sure - too_sure
        measured = expected_calibration_error(sure, right)
        assert 0 <= measured.low <= measured.value <= measured.high <= 1
        covered += measured.low <= too_sure <= measured.high
    assert covered >= 52  # of 57 to be expected


def test_a_model_that_is_sure_and_wrong_is_not_taken_for_calibrated() -> None:
    measured = expected_calibration_error([0.95] * 100, [True] * 50 + [False] * 50)
    assert measured.value == pytest.approx(0.45)
    assert measured.low > 0.3
    calibrated = expected_calibration_error([0.5] * 100, [True] * 50 + [False] * 50)
    assert (calibrated.value, calibrated.low) == (0.0, 0.0)
    assert calibrated.high > 0.05


@pytest.mark.parametrize(
    ("probabilities", "answers"),
    [
        ([], []),
        (LETTERS, ANSWERS[:3]),
        (LETTERS[:1], ANSWERS[:1]),
        (LETTERS, [0, 1, 1, 4]),
        (LETTERS, [0, 1, 1, -1]),
        (LETTERS, [0, 1, 1, 1.5]),
        ([*LETTERS[:3], [0.4, 0.3, 0.2, 0.3]], ANSWERS),
        ([*LETTERS[:3], [1.2, -0.2, 0.0, 0.0]], ANSWERS),
        ([*LETTERS[:3], [math.nan, 0.5, 0.5, 0.0]], ANSWERS),
        ([*LETTERS[:3], [0.5, 0.5]], ANSWERS),
        (LETTERS, [0, 1, 1, math.nan]),
    ],
)
def test_what_is_no_distribution_or_no_answer_is_refused(probabilities: Any, answers: Any) -> None:
    with pytest.raises(StatisticsError):
        calibrate(probabilities, answers)


@pytest.mark.parametrize(
    ("confidences", "right", "bins"),
    [
        ([], [], 10),
        ([0.5, 0.6], [1], 10),
        ([0.5, 1.1], [1, 0], 10),
        ([0.5, math.nan], [1, 0], 10),
        ([0.5, 0.6], [1, math.nan], 10),
        ([0.5, 0.6], [1, 2], 10),
        ([0.5, 0.6], [1, 0], 0),
        ([0.5, 0.6], [1, 0], -1),
        ([0.5], [1], 10),
    ],
)
def test_confidences_that_are_none_are_refused(confidences: Any, right: Any, bins: int) -> None:
    with pytest.raises(StatisticsError):
        expected_calibration_error(confidences, right, bins)
    assert expected_calibration_error([0.5, 0.6], [1, 0]).value == pytest.approx(0.55)
