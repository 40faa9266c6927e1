"""Intervals of counts and the exact tests, against published examples and scipy."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ophtimus_edge.compare.statistics.intervals import clopper_pearson, preference, sign_test, wilson
from ophtimus_edge.errors import StatisticsError


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_newcombe(successes: int, trials: int, low: float, high: float) -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    measured = wilson(successes, trials)
    assert (round(measured.low, 4), round(measured.high, 4)) == (low, high)
    assert measured.value == successes / trials


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_clopper_and_pearson_are_those_of_newcombe(
    successes: int, trials: int, low: float, high: float
) -> None:
    # The same table, method 5.
    measured = clopper_pearson(successes, trials)
    assert (round(measured.low, 4), round(measured.high, 4)) == (low, high)


counts = st.integers(1, 3000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(counts, st.sampled_from([0.8, 0.95, 0.999]))
def test_both_agree_with_scipy(count: tuple[int, int], confidence: float) -> None:
    successes, trials = count
    known = stats.binomtest(successes, trials)
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        expected = known.proportion_ci(confidence, method=method)
        measured = ours(successes, trials, confidence)
        assert measured.low == pytest.approx(expected.low, abs=1e-10)
        assert measured.high == pytest.approx(expected.high, abs=1e-10)
        assert 0 <= measured.low <= measured.value <= measured.high <= 1


def test_a_hundred_thousand_questions_have_an_exact_interval() -> None:
    known = stats.binomtest(61_234, 100_000).proportion_ci(0.95, method="exact")
    measured = clopper_pearson(61_234, 100_000)
    assert (measured.low, measured.high) == pytest.approx((known.low, known.high), abs=1e-8)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_sign_test_agrees_with_scipy(better: int, worse: int) -> None:
    trials = better + worse
    expected = stats.binomtest(better, trials).pvalue if trials else 1.0
    assert sign_test(better, worse) == pytest.approx(expected, rel=1e-9)


def test_the_sign_test_takes_counts_of_numpy_and_many_of_them() -> None:
    assert sign_test(np.int64(40), np.int64(60)) == sign_test(40, 60)  # type: ignore[arg-type]
    assert sign_test(20_000, 20_400) == pytest.approx(stats.binomtest(20_000, 40_400).pvalue, rel=1e-9)


def test_votes_give_a_share_with_its_exact_interval_and_test() -> None:
    found = preference(14, 6)
    known = stats.binomtest(14, 20)
    exact = known.proportion_ci(0.95, method="exact")
    assert found.votes == 20
    assert found.p_value == pytest.approx(known.pvalue)
    assert (found.share.value, found.share.low, found.share.high) == pytest.approx(
        (0.7, exact.low, exact.high)
    )


@pytest.mark.parametrize("method", [wilson, clopper_pearson])
@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (5, 4), (-1, 4), (math.nan, 4)])
def test_counts_that_no_measurement_gives_are_refused(method: Any, successes: Any, trials: int) -> None:
    with pytest.raises(StatisticsError):
        method(successes, trials)
    assert method(4, 4).value == 1


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, -0.5, math.nan])
def test_a_confidence_is_between_0_and_1(confidence: float) -> None:
    for method in (wilson, clopper_pearson):
        with pytest.raises(StatisticsError, match="confidence"):
            method(1, 2, confidence)


def test_no_votes_prefer_nothing() -> None:
    with pytest.raises(StatisticsError, match="No vote"):
        preference(0, 0)
    with pytest.raises(StatisticsError, match="below zero"):
        sign_test(-1, 3)
    assert sign_test(0, 0) == 1.0
