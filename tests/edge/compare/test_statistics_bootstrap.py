"""Intervals over windows, against scipy's bootstrap on the same draws."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ophtimus_edge.compare.statistics import bootstrap
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic

WINDOWS, TOKENS = 30, 24
LOSSES = np.random.default_rng(11).gamma(2.0, 1.0, (WINDOWS, 1)) + np.random.default_rng(12).exponential(
    size=(WINDOWS, TOKENS)
)
REFERENCE = LOSSES * 0.95 + np.random.default_rng(13).normal(0, 0.2, (WINDOWS, TOKENS))


def of_scipy(statistic: Callable[[Any], float], seed: int = 0) -> tuple[float, float, float]:
    """The same, over windows by their number, with the same generator and so the same draws."""
    found = stats.bootstrap(
        (np.arange(WINDOWS),),
        lambda windows: statistic(windows.astype(int)),
        n_resamples=bootstrap.DRAWS,
        vectorized=False,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return statistic(np.arange(WINDOWS)), found.low, found.high


def ends(measured: Statistic) -> tuple[float, float, float]:
    return measured.value, measured.low, measured.high


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: bootstrap.mean(LOSSES), lambda w: LOSSES[w].mean()),
        (lambda: bootstrap.root_mean_square(LOSSES), lambda w: np.sqrt((LOSSES[w] ** 2).mean())),
        (lambda: bootstrap.perplexity(LOSSES), lambda w: np.exp(LOSSES[w].mean())),
        (
            lambda: bootstrap.perplexity_ratio(LOSSES, REFERENCE),
            lambda w: np.exp(LOSSES[w].mean()) / np.exp(REFERENCE[w].mean()),
        ),
        (
            lambda: bootstrap.correlation(LOSSES, REFERENCE),
            lambda w: stats.pearsonr(LOSSES[w].ravel(), REFERENCE[w].ravel()).statistic,
        ),
    ],
    ids=["mean", "root mean square", "perplexity", "ratio", "correlation"],
)
def test_value_and_interval_are_those_of_scipys_bca(
    ours: Callable[[], Statistic], theirs: Callable[[Any], float]
) -> None:
    assert ends(ours()) == pytest.approx(of_scipy(theirs), rel=1e-9)


def test_quantiles_are_numpys_over_all_tokens() -> None:
    fractions = [0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]
    measured = bootstrap.quantiles(LOSSES, fractions)
    assert [one.value for one in measured] == pytest.approx(list(np.quantile(LOSSES, fractions)))
    assert measured[-1].high == LOSSES.max()


def test_the_interval_of_a_quantile_is_the_percentile_interval_of_drawn_windows() -> None:
    found = stats.bootstrap(
        (np.arange(WINDOWS),),
        lambda windows: np.quantile(LOSSES[windows.astype(int)], 0.9),
        n_resamples=bootstrap.QUANTILE_DRAWS,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    measured = bootstrap.quantiles(LOSSES, [0.9])[0]
    assert (measured.low, measured.high) == pytest.approx((found.low, found.high))


def test_the_same_numbers_give_the_same_interval_and_another_seed_nearly_the_same() -> None:
    assert bootstrap.mean(LOSSES) == bootstrap.mean(LOSSES.tolist())
    one, other = bootstrap.mean(LOSSES), bootstrap.mean(LOSSES, seed=1)
    assert one != other
    assert ends(one) == pytest.approx(ends(other), rel=0.03)


def test_draws_in_blocks_are_counted_whole() -> None:
    blocks = list(bootstrap.drawn_counts(3_000, 3_000, 0))
    assert len(blocks) > 1
    assert sum(map(len, blocks)) == 3_000
    assert all((block.sum(axis=1) == 3_000).all() for block in blocks)


def test_tokens_of_a_window_go_together() -> None:
    # The same numbers dealt out at random: windows differ less, and the interval shrinks.
    dealt = np.random.default_rng(0).permutation(LOSSES.ravel()).reshape(LOSSES.shape)
    whole, mixed = bootstrap.mean(LOSSES), bootstrap.mean(dealt)
    assert whole.value == pytest.approx(mixed.value)
    assert whole.high - whole.low > 2 * (mixed.high - mixed.low)


def test_what_does_not_vary_has_no_width() -> None:
    measured = bootstrap.mean(np.full((8, 16), 0.1))
    assert ends(measured) == pytest.approx((0.1, 0.1, 0.1))


@pytest.mark.parametrize("constant", [0.0, 0.1, 0.3, 7.0])
def test_nothing_correlates_with_a_constant(constant: float) -> None:
    with pytest.raises(StatisticsError, match="no correlation"):
        bootstrap.correlation(np.full(LOSSES.shape, constant), LOSSES)
    assert bootstrap.correlation(LOSSES, LOSSES).value == pytest.approx(1.0)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [[]],
        [[1.0, 2.0]],
        [1.0],
        3.0,
        [[[1.0]], [[2.0]]],
        [[1.0, 2.0], [3.0]],
        [[1.0], [math.nan]],
        [["a"], ["b"]],
    ],
    ids=[
        "empty",
        "no tokens",
        "one window",
        "one question",
        "a number",
        "too deep",
        "ragged",
        "nan",
        "words",
    ],
)
def test_what_no_interval_can_be_made_of_is_refused(values: Any) -> None:
    for measure in (bootstrap.mean, bootstrap.root_mean_square, bootstrap.perplexity):
        with pytest.raises(StatisticsError):
            measure(values)
    with pytest.raises(StatisticsError):
        bootstrap.quantiles(values, [0.5])


def test_windows_that_differ_are_not_compared() -> None:
    with pytest.raises(StatisticsError, match="different windows"):
        bootstrap.perplexity_ratio(LOSSES, REFERENCE[:-1])
    with pytest.raises(StatisticsError, match="different windows"):
        bootstrap.correlation(LOSSES, REFERENCE[:, :-1])


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_a_fraction_is_between_0_and_1(fraction: float) -> None:
    with pytest.raises(StatisticsError, match="fraction"):
        bootstrap.quantiles(LOSSES, [0.5, fraction])


def test_a_perplexity_that_no_float_holds_is_refused() -> None:
    with pytest.raises(StatisticsError, match="no value"):
        bootstrap.perplexity([[800.0], [900.0]])
