"""The divergence of a level for report.json: every figure with its interval.

Intervals are a bootstrap's over windows, as the tokens of one are not independent; the point values are those
of :func:`ophtimus_edge.compare.divergence.scores.summarize`, which takes the standard errors of llama-perplexity.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from ophtimus_edge.compare.divergence.scores import WindowScores, summarize
from ophtimus_edge.compare.divergence.windows import FEWEST
from ophtimus_edge.compare.statistics.arrays import Floats
from ophtimus_edge.compare.statistics.bootstrap import Formula, of_sums, quantiles
from ophtimus_edge.errors import TextTooShortError
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import DivergenceReport


def report_divergence(windows: Sequence[WindowScores]) -> DivergenceReport:
    """The figures over windows, each with its 95 % interval.

    It takes some seconds for a thousand windows.

    Args:
        windows: each once, in any order; the same windows give the same intervals.

    Raises:
        TextTooShortError: there are fewer than two.
        StatisticsError: what was measured is no finite number.
    """
    if len(windows) < FEWEST:
        raise TextTooShortError(
            f"{len(windows)} windows are measured, and an interval takes at least {FEWEST}.",
            "Run the comparison again: it goes on where it stopped.",
        )
    inorder = sorted(windows, key=lambda window: window.index)
    kl = np.array([window.kl for window in inorder], np.float64)
    median, p90, p95, p99, p999, largest = quantiles(kl, [0.5, 0.9, 0.95, 0.99, 0.999, 1.0])
    # A draw may hold one window alone, many times: it must have a correlation too.
    correlates = all(summarize([window]).ln_ppl_correlation is not None for window in inorder)
    return DivergenceReport(
        windows=len(inorder),
        tokens=sum(window.tokens for window in inorder),
        text_sha256=hashlib.sha256("".join(window.digest for window in inorder).encode()).hexdigest(),
        ppl=_interval(inorder, lambda nll: np.exp(nll[0]), "nll"),
        ppl_reference=_interval(inorder, lambda nll: np.exp(nll[0]), "nll_reference"),
        ppl_ratio=_interval(inorder, lambda nll: np.exp(nll[0] - nll[1]), "nll", "nll_reference"),
        ln_ppl_correlation=_interval(inorder, _correlation, *_MOMENTS) if correlates else None,
        kl_mean=_interval(inorder, lambda mean: mean[0], "kl"),
        kl_median=median,
        kl_p90=p90,
        kl_p95=p95,
        kl_p99=p99,
        kl_p999=p999,
        kl_max=largest,
        delta_p_mean=_interval(inorder, lambda mean: mean[0], "delta_p"),
        delta_p_rms=_interval(inorder, lambda mean: np.sqrt(mean[0]), "delta_p_squared"),
        same_top=_interval(inorder, lambda mean: mean[0], "same_top"),
    )


_MOMENTS = ("nll", "nll_reference", "nll_squared", "nll_reference_squared", "nll_product")


def _interval(windows: Sequence[WindowScores], formula: Formula, *names: str) -> Statistic:
    """A formula of means over tokens, [quantities, …] → […]."""
    sums = [[window.tokens, *(_sum(window, name) for name in names)] for window in windows]
    return of_sums(sums, lambda totals: formula(np.moveaxis(totals[..., 1:] / totals[..., :1], -1, 0)))


def _sum(window: WindowScores, name: str) -> float:
    return math.fsum(window.kl) if name == "kl" else float(getattr(window, name))


def _correlation(means: Floats) -> Floats:
    nll, reference, square, reference_square, product = means
    spread = np.sqrt((square - nll**2) * (reference_square - reference**2))
    correlation: Floats = np.clip((product - nll * reference) / spread, -1.0, 1.0)
    return correlation
