"""How far a level's predictions are from the reference's: from rows of logits to the figures of a text.

The figures are defined as llama-perplexity (llama.cpp, tools/perplexity) defines them; here both rows are
there in float32 at once, where it keeps the reference's in 16 bits and leaves out what is rarer than e⁻¹⁶.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

_BLOCK = 1 << 19  # numbers that a thread takes at once: a block and its copies stay in the cache
_FEWEST = 10  # tokens below which llama-perplexity states no uncertainty
_ROUNDING = 1e-12  # of a mean square: a variance below it is no variance
_LARGEST_NLL = 700.0  # of a text on average, in nats: e to the power of more is no number


class NotFiniteError(Exception):
    """A model computed something that is no number, or so wild that its perplexity would be none.

    Attributes:
        of_reference: whether it was the reference.
    """

    def __init__(self, of_reference: bool) -> None:
        super().__init__()
        self.of_reference = of_reference


class TokenScores(NamedTuple):
    """What two models predict at each of some tokens; every array has the shape (tokens,).

    Attributes:
        nll, nll_reference: −ln of the probability that the level, and the reference, give the token that
            is there, in nats.
        kl: the divergence of the level's prediction from the reference's, KL(reference ‖ level), in nats.
        same_top: whether both find the same token likeliest.
    """

    nll: Numbers
    nll_reference: Numbers
    kl: Numbers
    same_top: npt.NDArray[np.bool_]

    @property
    def delta_p(self) -> Numbers:
        """The level's probability of the token that is there, less the reference's: −1 to 1."""
        return np.exp(-self.nll) - np.exp(-self.nll_reference)


class WindowScores(msgspec.Struct, frozen=True):
    """One window's scores: sums over its scored tokens, and the divergence at each for the quantiles.

    Windows are what a bootstrap draws, as the tokens of one are not independent.

    Attributes:
        index: of the window in its text, from 0.
        digest: recognizes its token ids.
        tokens: that were scored.
        nll, nll_reference: sums of −ln p.
        nll_squared, nll_reference_squared, nll_product: sums of their squares, and of their product.
        delta_p, delta_p_squared, delta_p_fourth: sums of Δp, its square and its fourth power.
        same_top: tokens at which both models find the same token likeliest.
        kl: the divergence at each token, in nats.
    """

    index: int
    digest: str
    tokens: int
    nll: float
    nll_reference: float
    nll_squared: float
    nll_reference_squared: float
    nll_product: float
    delta_p: float
    delta_p_squared: float
    delta_p_fourth: float
    same_top: int
    kl: list[float]


class Estimate(msgspec.Struct, frozen=True):
    """A figure, and its standard error over tokens, which llama-perplexity prints behind ±.

    Neighbouring tokens depend on one another: a bootstrap over windows is the honest interval.
    """

    value: float
    error: float


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """How far a level is from the reference on a text.

    Attributes:
        windows, tokens: that were scored.
        ppl, ppl_reference: perplexity of the level and of the reference.
        ppl_ratio: the level's divided by the reference's.
        ln_ppl_correlation: of both models' −ln p, −1 to 1; None where one of them does not vary.
        kl_mean, kl_median, kl_p90, kl_p95, kl_p99, kl_p999, kl_max: of KL(reference ‖ level), in nats.
        delta_p_mean, delta_p_rms: of Δp as a fraction; times 100 for percentage points.
        same_top: the fraction of tokens at which both find the same token likeliest.
    """

    windows: int
    tokens: int
    ppl: Estimate
    ppl_reference: Estimate
    ppl_ratio: Estimate
    ln_ppl_correlation: float | None
    kl_mean: Estimate
    kl_median: float
    kl_p90: float
    kl_p95: float
    kl_p99: float
    kl_p999: float
    kl_max: float
    delta_p_mean: Estimate
    delta_p_rms: Estimate
    same_top: Estimate


def score_tokens(
    reference: Logits, level: Logits, targets: Sequence[int], pool: ThreadPoolExecutor | None = None
) -> TokenScores:
    """Compare two models' predictions of the same tokens.

    Args:
        reference, level: logits of shape (tokens, vocabulary); nothing is kept of them, nor written to them.
        targets: the token that stands behind each row's position.
        pool: threads that share the rows; None for the caller's alone.

    Raises:
        NotFiniteError: a logit is NaN or infinite, or the tokens are improbable beyond all measure.
    """
    size = max(_BLOCK // reference.shape[1], 1)
    wanted = np.asarray(targets, np.intp)
    parts = [slice(at, at + size) for at in range(0, len(reference), size)]
    blocks = (pool.map if pool else map)(
        lambda part: _score_block(reference[part], level[part], wanted[part]), parts
    )
    nll, nll_reference, kl, same = (np.concatenate(columns) for columns in zip(*blocks, strict=True))
    for of_reference, found in ((True, nll_reference), (False, nll)):
        if found.mean() > _LARGEST_NLL:
            raise NotFiniteError(of_reference)
    return TokenScores(nll, nll_reference, kl, same)


def sum_window(index: int, digest: str, scores: TokenScores) -> WindowScores:
    """The sums over a window's tokens."""
    nll, reference, change = scores.nll, scores.nll_reference, scores.delta_p
    return WindowScores(
        index=index,
        digest=digest,
        tokens=len(nll),
        nll=math.fsum(nll),
        nll_reference=math.fsum(reference),
        nll_squared=math.fsum(nll**2),
        nll_reference_squared=math.fsum(reference**2),
        nll_product=math.fsum(nll * reference),
        delta_p=math.fsum(change),
        delta_p_squared=math.fsum(change**2),
        delta_p_fourth=math.fsum(change**4),
        same_top=int(scores.same_top.sum()),
        kl=scores.kl.tolist(),
    )


def summarize(windows: Sequence[WindowScores]) -> Divergence:
    """The figures over windows; one that is named twice, as a bootstrap does, counts twice.

    Args:
        windows: at least one.
    """
    tokens = sum(window.tokens for window in windows)

    def mean(field: str) -> float:
        return math.fsum(getattr(window, field) for window in windows) / tokens

    nll = _estimate(mean("nll"), mean("nll_squared"), tokens)
    reference = _estimate(mean("nll_reference"), mean("nll_reference_squared"), tokens)
    shared = mean("nll_product") - nll.value * reference.value
    covariance = shared / (tokens - 1) if tokens > _FEWEST else 0.0
    ratio = math.exp(nll.value - reference.value)
    ratio_variance = nll.error**2 + reference.error**2 - 2 * covariance
    kl = np.concatenate([np.asarray(window.kl, np.float64) for window in windows])
    median, p90, p95, p99, p999 = np.quantile(kl, [0.5, 0.9, 0.95, 0.99, 0.999]).tolist()
    square = _estimate(mean("delta_p_squared"), mean("delta_p_fourth"), tokens)
    rms = math.sqrt(square.value)
    top = mean("same_top")
    return Divergence(
        windows=len(windows),
        tokens=tokens,
        ppl=_exponential(nll),
        ppl_reference=_exponential(reference),
        ppl_ratio=Estimate(ratio, ratio * math.sqrt(max(ratio_variance, 0.0))),
        ln_ppl_correlation=(
            covariance / (nll.error * reference.error) if nll.error and reference.error else None
        ),
        kl_mean=_estimate(float(kl.mean()), float((kl**2).mean()), tokens),
        kl_median=median,
        kl_p90=p90,
        kl_p95=p95,
        kl_p99=p99,
        kl_p999=p999,
        kl_max=float(kl.max()),
        delta_p_mean=_estimate(mean("delta_p"), mean("delta_p_squared"), tokens),
        delta_p_rms=Estimate(rms, square.error / (2 * rms) if rms else 0.0),
        same_top=Estimate(top, math.sqrt(top * (1 - top) / (tokens - 1)) if tokens > 1 else 0.0),
    )


def _score_block(
    reference: Logits, level: Logits, targets: npt.NDArray[np.intp]
) -> tuple[Numbers, Numbers, Numbers, npt.NDArray[np.bool_]]:
    with np.errstate(all="ignore"):  # what is no number is found below, and said in words
        scores = _compare(reference, level, targets)
    nll, _, kl, _ = scores
    if not (np.isfinite(kl).all() and np.isfinite(nll).all()):
        raise NotFiniteError(not np.isfinite(reference).all())
    return scores


def _compare(
    reference: Logits, level: Logits, targets: npt.NDArray[np.intp]
) -> tuple[Numbers, Numbers, Numbers, npt.NDArray[np.bool_]]:
    """−ln p of the level and of the reference, KL divergence, same top token: each of shape (tokens,)."""
    rows = np.arange(len(targets))
    top_reference, top_level = reference.argmax(1), level.argmax(1)
    # What is above e⁰ would overflow: each row is taken relative to its largest logit.
    base = np.subtract(reference, reference[rows, top_reference][:, None], dtype=np.float64)
    other = np.subtract(level, level[rows, top_level][:, None], dtype=np.float64)
    target_base, target_other = base[rows, targets], other[rows, targets]
    work = np.exp(other)
    log_other = np.log(work.sum(1))
    np.exp(base, out=work)
    total = work.sum(1)
    log_base = np.log(total)
    np.subtract(base, other, out=other)
    np.multiply(work, other, out=work)
    # Σ p (ln p − ln q), with ln p = base − log_base; rounding alone can make it less than nothing.
    kl = np.maximum(work.sum(1) / total - log_base + log_other, 0.0)
    return log_other - target_other, log_base - target_base, kl, top_reference == top_level


def _estimate(mean: float, mean_square: float, count: int) -> Estimate:
    """A mean and its standard error, √((E[x²] − E[x]²) / (n − 1)); none of fewer than eleven."""
    variance = mean_square - mean**2
    varies = variance > _ROUNDING * mean_square and count > _FEWEST
    return Estimate(mean, math.sqrt(variance / (count - 1)) if varies else 0.0)


def _exponential(ln: Estimate) -> Estimate:
    value = math.exp(ln.value)
    return Estimate(value, value * ln.error)
