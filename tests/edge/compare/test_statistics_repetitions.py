"""Repeated timings: medians with the interval of their order, and ratios within a round."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ophtimus_edge.compare.statistics.repetitions import ratio_to_reference, repeated
from ophtimus_edge.errors import StatisticsError


def test_the_interval_is_conovers() -> None:
    # W. J. Conover, Practical Nonparametric Statistics, 3rd ed., table A3: n = 16, p = 0.5: the 4th and the 13th.
    measured = repeated([float(value) for value in range(16, 0, -1)])
    assert (measured.value, measured.low, measured.high) == (8.5, 4.0, 13.0)


@given(st.integers(2, 200))
def test_the_interval_is_the_narrowest_that_scipys_binomial_allows(total: int) -> None:
    measured = repeated([float(place) for place in range(total)])
    left_out = int(measured.low)
    assert measured.high == total - 1 - left_out
    misses = 2 * stats.binom.cdf(left_out, total, 0.5)
    assert misses <= 0.05 or left_out == 0
    assert 2 * stats.binom.cdf(left_out + 1, total, 0.5) > 0.05


def test_five_repetitions_span_their_whole_range() -> None:
    measured = repeated([5.6, 5.5, 5.9, 5.4, 5.6])
    assert (measured.value, measured.low, measured.high) == (5.6, 5.4, 5.9)


def test_thousands_of_samples_are_no_trouble() -> None:
    measured = repeated([float(place) for place in range(3001)])
    reach = stats.norm.ppf(0.975) * math.sqrt(3001) / 2
    assert measured.value - measured.low == pytest.approx(reach, abs=2)


def test_a_ratio_is_taken_within_a_round() -> None:
    # A slow spell halves both speeds in the third round; the ratio does not see it.
    level, reference = [10.0, 10.2, 5.0, 10.1, 9.9], [5.0, 5.1, 2.5, 5.05, 4.95]
    measured = ratio_to_reference(level, reference)
    assert (measured.value, measured.low, measured.high) == pytest.approx((2.0, 2.0, 2.0))


@pytest.mark.parametrize("samples", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_too_few_and_no_numbers_are_refused(samples: list[float]) -> None:
    with pytest.raises(StatisticsError):
        repeated(samples)
    assert repeated([1.0, 2.0]).value == 1.5


@pytest.mark.parametrize(
    ("level", "reference"),
    [
        ([1.0, 2.0], [1.0]),
        ([], []),
        ([1.0, 0.0], [1.0, 1.0]),
        ([1.0, 1.0], [1.0, -1.0]),
        ([1.0, math.nan], [1.0, 1.0]),
    ],
)
def test_rounds_that_do_not_fit_are_refused(level: list[float], reference: list[float]) -> None:
    with pytest.raises(StatisticsError):
        ratio_to_reference(level, reference)
