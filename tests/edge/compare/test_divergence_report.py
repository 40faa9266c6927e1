"""The report of a divergence: its values are those of the windows, its intervals those of other windows."""

import math

import msgspec
import numpy as np
import pytest
from scipy import stats

from ophtimus_edge.compare.divergence.report import report_divergence
from ophtimus_edge.compare.divergence.scores import WindowScores, score_tokens, sum_window, summarize
from ophtimus_edge.errors import TextTooShortError
from ophtimus_edge.models.formats import Statistic

VOCABULARY, TOKENS = 200, 60


def measured(
    count: int, seed: int = 3, noise: float = 0.5
) -> tuple[list[WindowScores], dict[str, np.ndarray]]:
    """Windows of two random models, and what scipy says of each of their tokens in float64."""
    draw = np.random.default_rng(seed)
    windows, tokens = [], {"nll": [], "nll_reference": [], "kl": [], "delta_p": [], "same": []}
    for index in range(count):
        reference = draw.normal(0, 2 + index % 3, (TOKENS, VOCABULARY)).astype(np.float32)
        level = (reference + draw.normal(0, noise, reference.shape)).astype(np.float32)
        targets = draw.integers(0, VOCABULARY, TOKENS)
        windows.append(sum_window(index, f"{index:032x}", score_tokens(reference, level, targets.tolist())))
        p, q = (np.exp(rows.astype(np.float64)) for rows in (reference, level))
        p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
        at = np.arange(TOKENS), targets
        tokens["nll"].append(-np.log(q[at]))
        tokens["nll_reference"].append(-np.log(p[at]))
        tokens["kl"].append(stats.entropy(p, q, axis=1))
        tokens["delta_p"].append(q[at] - p[at])
        tokens["same"].append(p.argmax(1) == q.argmax(1))
    return windows, {name: np.array(rows, np.float64) for name, rows in tokens.items()}


def test_every_value_is_that_of_an_independent_computation() -> None:
    windows, of = measured(12)
    found = report_divergence(windows)
    assert (found.windows, found.tokens) == (12, 12 * TOKENS)
    nll, reference, kl, change = of["nll"], of["nll_reference"], of["kl"], of["delta_p"]
    expected = {
        "ppl": np.exp(nll.mean()),
        "ppl_reference": np.exp(reference.mean()),
        "ppl_ratio": np.exp(nll.mean() - reference.mean()),
        "ln_ppl_correlation": stats.pearsonr(nll.ravel(), reference.ravel()).statistic,
        "kl_mean": kl.mean(),
        "kl_median": np.median(kl),
        "kl_p90": np.percentile(kl, 90),
        "kl_p95": np.percentile(kl, 95),
        "kl_p99": np.percentile(kl, 99),
        "kl_p999": np.percentile(kl, 99.9),
        "kl_max": kl.max(),
        "delta_p_mean": change.mean(),
        "delta_p_rms": np.sqrt((change**2).mean()),
        "same_top": of["same"].mean(),
    }
    for name, value in expected.items():
        statistic = getattr(found, name)
        assert statistic.value == pytest.approx(float(value), rel=1e-9, abs=1e-12), name
        assert statistic.low <= statistic.value <= statistic.high, name
        assert statistic.low < statistic.high, name


def test_the_values_are_those_that_llama_perplexity_would_print() -> None:
    windows, _ = measured(7, noise=0.1)
    found, plain = report_divergence(windows), summarize(windows)
    for name in DIVERGENCE:
        value = getattr(plain, name)
        assert getattr(found, name).value == pytest.approx(getattr(value, "value", value), rel=1e-12), name


DIVERGENCE = (
    "ppl", "ppl_reference", "ppl_ratio", "ln_ppl_correlation", "kl_mean", "kl_median", "kl_p90", "kl_p95", "kl_p99",
    "kl_p999", "kl_max", "delta_p_mean", "delta_p_rms", "same_top",
)  # fmt: skip


def test_the_interval_of_the_mean_divergence_is_scipys_bootstrap_over_windows() -> None:
    windows, of = measured(30)
    ours = report_divergence(windows).kl_mean
    theirs = stats.bootstrap(
        (of["kl"].mean(axis=1),), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.04 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.04 * width)


def test_an_interval_is_of_windows_and_not_of_tokens() -> None:
    """Every token of a window the same: the tokens are many, what is known of the text is little."""
    nothing = WindowScores(0, "", 100, 100.0, 100.0, 120.0, 110.0, 105.0, 0.0, 1.0, 1.0, 90, [])
    windows = [
        msgspec.structs.replace(nothing, index=index, nll=100.0 + index, kl=[0.1 * (index % 5)] * 100)
        for index in range(10)
    ]
    found = report_divergence(windows).kl_mean
    over_tokens = 1.96 * np.repeat([0.1 * (index % 5) for index in range(10)], 100).std() / math.sqrt(1000)
    assert (found.high - found.low) / 2 > 5 * over_tokens


def test_the_order_of_the_windows_says_nothing() -> None:
    windows, _ = measured(9)
    assert report_divergence(windows) == report_divergence(windows[::-1])
    other, _ = measured(9, seed=4)
    assert report_divergence(windows).text_sha256 == report_divergence(windows[::-1]).text_sha256
    assert report_divergence(windows).text_sha256 != report_divergence(windows[:8]).text_sha256
    assert report_divergence(windows).kl_mean != report_divergence(other).kl_mean


def test_a_level_that_is_the_reference_diverges_by_nothing() -> None:
    windows, _ = measured(5, noise=0.0)
    found = report_divergence(windows)
    nothing, all_of_it = Statistic(0.0, 0.0, 0.0), Statistic(1.0, 1.0, 1.0)
    assert (found.kl_mean, found.kl_max, found.delta_p_rms) == (nothing, nothing, nothing)
    assert (found.same_top, found.ppl_ratio) == (all_of_it, all_of_it)
    assert found.ppl == found.ppl_reference
    assert found.ln_ppl_correlation is not None
    assert found.ln_ppl_correlation.value == pytest.approx(1.0, abs=1e-12)


def test_a_model_that_finds_all_tokens_alike_has_no_correlation() -> None:
    draw = np.random.default_rng(2)
    flat = np.zeros((TOKENS, VOCABULARY), np.float32)
    windows = [
        sum_window(
            index,
            "",
            score_tokens(
                draw.normal(0, 2, flat.shape).astype(np.float32), flat, draw.integers(0, 200, TOKENS).tolist()
            ),
        )
        for index in range(3)
    ]
    found = report_divergence(windows)
    assert found.ln_ppl_correlation is None
    assert found.ppl.value == pytest.approx(VOCABULARY)
    assert found.ppl.low == pytest.approx(found.ppl.high)


def test_one_window_gives_no_interval() -> None:
    windows, _ = measured(2)
    assert report_divergence(windows).windows == 2
    with pytest.raises(TextTooShortError, match="1 windows are measured"):
        report_divergence(windows[:1])
    with pytest.raises(TextTooShortError, match="0 windows"):
        report_divergence([])
