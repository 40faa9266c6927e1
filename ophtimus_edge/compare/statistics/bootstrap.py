"""Intervals of whatever is measured token by token: windows of a text are drawn again, with replacement.

Tokens of one window depend on one another, so a window is what is drawn, never a token. Draws are seeded:
the same numbers give the same interval, and levels that were measured on the same windows are compared on
the same draws. Few windows make intervals too narrow, whatever the method; below about 20, take more text.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from ophtimus_edge.compare.statistics.arrays import Floats, floats
from ophtimus_edge.compare.statistics.intervals import CONFIDENCE, critical_value
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic

FEWEST = 2  # of one window, nothing says how another one would differ
DRAWS = 10_000
QUANTILE_DRAWS = 2_000  # each goes through all tokens
SEED = 0
_AT_ONCE = 1 << 22  # numbers of a block of draws, 32 MiB

Formula = Callable[[Floats], Floats]


def mean(values: ArrayLike, confidence: float = CONFIDENCE, seed: int = SEED) -> Statistic:
    """The mean over all tokens.

    Args:
        values: [windows, tokens], or [questions] where each stands for itself.

    Raises:
        StatisticsError: there are fewer than two windows, or a value is no finite number.
    """
    array = _windows(values)
    return of_sums(_with_count(array, array.sum(axis=1)), _share, confidence, seed)


def root_mean_square(values: ArrayLike, confidence: float = CONFIDENCE, seed: int = SEED) -> Statistic:
    """The root of the mean square over all tokens, as of Δp.

    Args:
        values: [windows, tokens].

    Raises:
        StatisticsError: as :func:`mean`.
    """
    array = _windows(values)
    squares = _with_count(array, (array**2).sum(axis=1))
    return of_sums(squares, lambda sums: np.sqrt(_share(sums)), confidence, seed)


def perplexity(losses: ArrayLike, confidence: float = CONFIDENCE, seed: int = SEED) -> Statistic:
    """Exp of the mean of -ln p over all tokens.

    Args:
        losses: -ln p of each token that came, in nats: [windows, tokens].

    Raises:
        StatisticsError: as :func:`mean`.
    """
    array = _windows(losses)
    return of_sums(_with_count(array, array.sum(axis=1)), lambda sums: np.exp(_share(sums)), confidence, seed)


def perplexity_ratio(
    losses: ArrayLike, reference: ArrayLike, confidence: float = CONFIDENCE, seed: int = SEED
) -> Statistic:
    """The level's perplexity divided by the reference's, on the same windows.

    Args:
        losses, reference: -ln p of each token that came, in nats: [windows, tokens].

    Raises:
        StatisticsError: the shapes differ, or as :func:`mean`.
    """
    ours, theirs = _paired(losses, reference)
    return perplexity(ours - theirs, confidence, seed)


def correlation(
    losses: ArrayLike, reference: ArrayLike, confidence: float = CONFIDENCE, seed: int = SEED
) -> Statistic:
    """Pearson's correlation over tokens; of -ln p, it is what llama-perplexity calls Cor(ln PPL).

    Args:
        losses, reference: one number a token: [windows, tokens].

    Raises:
        StatisticsError: the shapes differ, one is constant, or as :func:`mean`.
    """
    ours, theirs = _paired(losses, reference)
    if not (np.ptp(ours) and np.ptp(theirs)):
        raise StatisticsError(
            "One of the models gives every token the same probability; there is no correlation.",
            "Check the text and the model file.",
        )
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()  # sums of squares keep their digits
    columns = np.stack([ours, theirs, ours * theirs, ours**2, theirs**2]).sum(axis=2).T

    def formula(sums: Floats) -> Floats:
        first, second, product, square, other = np.moveaxis(_share(sums, keep=True), -1, 0)
        spread = np.sqrt((square - first**2) * (other - second**2))
        clipped: Floats = np.clip((product - first * second) / spread, -1.0, 1.0)
        return clipped

    return of_sums(_with_count(ours, *columns.T), formula, confidence, seed)


def of_sums(
    sums: ArrayLike,
    formula: Formula,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Statistic:
    """Any smooth function of sums over windows, with the bias-corrected and accelerated interval (BCa).

    B. Efron, Better bootstrap confidence intervals, JASA 82 (1987), 171-185; in the form of B. Efron and R. J.
    Tibshirani, An Introduction to the Bootstrap (1993), section 14.3, with the acceleration of the jackknife
    over windows (equation 14.15). It follows a skewed distribution, and stays within the range of the values.
    Draws that equal the value count half below it.

    Args:
        sums: [windows, quantities]: what each window adds to each total.
        formula: from totals [..., quantities] to the statistic [...].

    Raises:
        StatisticsError: there are fewer than two windows, or the statistic is not finite for some draw.
    """
    z = critical_value(confidence)
    parts = _windows(sums)
    total = parts.sum(axis=0)
    with np.errstate(all="ignore"):  # what is not finite is refused below, in words
        value = float(formula(total))
        left_out = formula(total - parts)
        drawn = np.concatenate([formula(counts @ parts) for counts in drawn_counts(len(parts), draws, seed)])
    if not (np.isfinite(value) and np.isfinite(left_out).all() and np.isfinite(drawn).all()):
        raise StatisticsError(
            "A statistic has no value on some of the windows that were drawn.", "Measure more windows."
        )
    normal = NormalDist()
    below = float(np.mean(drawn < value) + np.mean(drawn == value) / 2)
    bias = normal.inv_cdf(min(max(below, 0.5 / draws), 1 - 0.5 / draws))
    away = left_out.mean() - left_out
    spread = float((away**2).sum()) ** 1.5
    acceleration = float((away**3).sum()) / (6 * spread) if spread else 0.0

    def fraction(at: float) -> float:
        stretch = 1 - acceleration * (bias + at)
        if stretch <= 0:
            return 1.0 if at > 0 else 0.0
        return normal.cdf(bias + (bias + at) / stretch)

    low, high = np.quantile(drawn, [fraction(-z), fraction(z)])
    return _statistic(value, float(low), float(high))


def quantiles(
    values: ArrayLike,
    fractions: Sequence[float],
    confidence: float = CONFIDENCE,
    seed: int = SEED,
    draws: int = QUANTILE_DRAWS,
) -> list[Statistic]:
    """Quantiles over all tokens, each with the percentile interval over windows.

    Efron and Tibshirani (1993), section 13.3. Between two tokens the value is interpolated, as in
    llama-perplexity. Far in a tail the interval says less than it seems to: no draw holds a larger value than
    the largest that was seen, so the upper end of a maximum is the maximum (section 7.4 there).

    Args:
        values: [windows, tokens].
        fractions: 0.5 for the median, 1 for the maximum.

    Raises:
        StatisticsError: there are fewer than two windows, a value is no finite number, or a fraction is out
            of range.
    """
    critical_value(confidence)
    array = _windows(values)
    wanted = np.asarray(fractions, dtype=np.float64)
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise StatisticsError("A quantile's fraction is not between 0 and 1.", "Give 0.5 for the median.")
    order = np.argsort(array, axis=None, kind="stable")
    ordered, window = array.ravel()[order], order // array.shape[1]
    # Windows are equally long, so that every draw has as many tokens as there are.
    places = wanted * (array.size - 1)
    before = np.floor(places)
    after = np.minimum(before + 1, array.size - 1)
    drawn = np.empty((draws, len(wanted)))
    rows = (row for counts in drawn_counts(len(array), draws, seed) for row in counts)
    for row, counts in enumerate(rows):
        reached = np.cumsum(counts[window])
        lower = ordered[np.searchsorted(reached, before, side="right")]
        upper = ordered[np.searchsorted(reached, after, side="right")]
        drawn[row] = lower + (places - before) * (upper - lower)
    seen = np.quantile(ordered, wanted)
    ends = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return [
        _statistic(float(value), float(low), float(high))
        for value, low, high in zip(seen, ends[0], ends[1], strict=True)
    ]


def drawn_counts(windows: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each window is drawn: blocks of [some of the draws, windows], all alike for a seed."""
    generator = np.random.default_rng(seed)
    block = max(_AT_ONCE // windows, 1)
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        picked = generator.integers(windows, size=(rows, windows))
        picked += np.arange(rows)[:, None] * windows
        counts = np.bincount(picked.ravel(), minlength=rows * windows)
        yield counts.reshape(rows, windows).astype(np.float64)


def _windows(values: ArrayLike) -> Floats:
    """The values as [windows, tokens] in double precision."""
    array = floats(values)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size or len(array) < FEWEST:
        there_are = array.shape[0] if array.ndim and array.size else 0
        raise StatisticsError(
            f"An interval needs at least {FEWEST} windows or questions; there are {there_are}.",
            "Give a longer text, or more questions.",
        )
    if not np.isfinite(array).all():
        raise StatisticsError(
            "A measured value is no finite number.", "Check the model file; it may be damaged."
        )
    return array


def _paired(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    ours, theirs = _windows(first), _windows(second)
    if ours.shape != theirs.shape:
        raise StatisticsError(
            "The level and the reference were measured on different windows.",
            "Measure both on the same text.",
        )
    return ours, theirs


def _with_count(array: Floats, *sums: Floats) -> Floats:
    """Columns of sums, and in the last one how many tokens a window has."""
    return np.stack([*sums, np.full(len(array), float(array.shape[1]))], axis=1)


def _share(sums: Floats, *, keep: bool = False) -> Floats:
    """Totals divided by the count in their last column; with ``keep``, the columns stay."""
    shares: Floats = sums[..., :-1] / sums[..., -1:]
    return shares if keep else shares[..., 0]


def _statistic(value: float, low: float, high: float) -> Statistic:
    """A strongly skewed statistic may lie outside of its interval; readers expect it inside."""
    return Statistic(value, min(low, value), max(high, value))
