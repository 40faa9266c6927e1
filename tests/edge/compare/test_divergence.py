"""The figures of two models' predictions, against another way to compute them in float64."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest

from ophtimus_edge.compare.divergence.scores import (
    Divergence,
    NotFiniteError,
    score_tokens,
    sum_window,
    summarize,
)

VOCABULARY = 3000
WINDOWS, TOKENS = 6, 40


class Case:
    """Random logits of two models, and every figure of them computed from plain probabilities."""

    def __init__(self, seed: int, noise: float) -> None:
        draw = np.random.default_rng(seed)
        shape = (WINDOWS, TOKENS, VOCABULARY)
        self.reference = draw.normal(0, 3, shape).astype(np.float32)
        self.level = (self.reference + draw.normal(0, noise, shape)).astype(np.float32)
        # As the logits of a model, they all may lie anywhere.
        self.level += draw.normal(0, 50, shape[:2]).astype(np.float32)[..., None]
        self.targets = draw.integers(0, VOCABULARY, shape[:2])
        p, q = (_probabilities(rows.reshape(-1, VOCABULARY)) for rows in (self.reference, self.level))
        at = np.arange(WINDOWS * TOKENS), self.targets.ravel()
        self.kl = (p * np.log(p / q)).sum(1)
        self.nll_reference, self.nll = -np.log(p[at]), -np.log(q[at])
        self.delta_p = q[at] - p[at]
        self.same = p.argmax(1) == q.argmax(1)

    def measured(self) -> Divergence:
        return summarize(
            [
                sum_window(index, str(index), score_tokens(*rows))
                for index, rows in enumerate(
                    zip(self.reference, self.level, self.targets.tolist(), strict=True)
                )
            ]
        )


def _probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    wide = np.exp(logits.astype(np.longdouble) - logits.max(1, keepdims=True))
    return (wide / wide.sum(1, keepdims=True)).astype(np.float64)


def _error(values: npt.NDArray[np.float64]) -> float:
    """The standard error of a mean as llama-perplexity takes it: the variance over n, divided by n − 1."""
    return float(np.sqrt(values.var() / (len(values) - 1)))


@pytest.mark.parametrize("noise", [0.003, 0.3, 3.0])
def test_every_figure_is_that_of_an_independent_computation(noise: float) -> None:
    case = Case(5, noise)
    found = case.measured()
    count = WINDOWS * TOKENS
    assert (found.windows, found.tokens) == (WINDOWS, count)

    def near(value: float, expected: object, rel: float = 1e-9) -> None:
        assert value == pytest.approx(float(expected), rel=rel, abs=1e-13)  # type: ignore[arg-type]

    near(found.ppl.value, np.exp(case.nll.mean()))
    near(found.ppl.error, np.exp(case.nll.mean()) * _error(case.nll))
    near(found.ppl_reference.value, np.exp(case.nll_reference.mean()))
    near(found.ppl_reference.error, np.exp(case.nll_reference.mean()) * _error(case.nll_reference))
    near(found.ppl_ratio.value, np.exp((case.nll - case.nll_reference).mean()))
    # From the sums of both, as llama-perplexity has it: where they are nearly the same, digits cancel.
    near(found.ppl_ratio.error / found.ppl_ratio.value, _error(case.nll - case.nll_reference), rel=1e-7)
    near(found.ln_ppl_correlation or 0.0, np.corrcoef(case.nll, case.nll_reference)[0, 1])
    near(found.kl_mean.value, case.kl.mean())
    near(found.kl_mean.error, _error(case.kl))
    near(found.kl_max, case.kl.max())
    for name, part in {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}.items():
        near(getattr(found, f"kl_{name}"), _quantile(case.kl, part))
    near(found.delta_p_mean.value, case.delta_p.mean())
    near(found.delta_p_mean.error, _error(case.delta_p))
    near(found.delta_p_rms.value, np.sqrt((case.delta_p**2).mean()))
    near(found.delta_p_rms.error, _error(case.delta_p**2) / (2 * np.sqrt((case.delta_p**2).mean())))
    near(found.same_top.value, case.same.mean())
    near(found.same_top.error, _error(case.same.astype(np.float64)))
    assert 0 < found.same_top.value <= 1


def _quantile(values: npt.NDArray[np.float64], part: float) -> float:
    """Between the two values that it falls between, in proportion (llama-perplexity's percentile)."""
    ordered = sorted(values.tolist())
    at = part * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] * (1 - (at - low)) + ordered[high] * (at - low))


def test_by_hand() -> None:
    """The reference says 1/2, 1/4, 1/4; the level 1/4, 1/2, 1/4: KL is ln 2 / 4."""
    reference = np.log(np.array([[2, 1, 1]], np.float32))
    level = np.log(np.array([[1, 2, 1]], np.float32)) + np.float32(700)
    scores = score_tokens(reference, level, [1])
    assert scores.kl[0] == pytest.approx(math.log(2) / 4, rel=1e-4)  # 700.69 in float32
    assert scores.nll_reference[0] == pytest.approx(math.log(4), rel=1e-6)
    assert scores.nll[0] == pytest.approx(math.log(2), rel=1e-4)
    assert scores.delta_p[0] == pytest.approx(0.25, rel=1e-4)
    assert not scores.same_top[0]


def test_nothing_diverges_from_itself() -> None:
    case = Case(7, 0.0)
    found = summarize(
        [sum_window(0, "", score_tokens(case.reference[0], case.reference[0], case.targets[0].tolist()))]
    )
    assert (found.kl_mean.value, found.kl_max, found.same_top.value) == (0.0, 0.0, 1.0)
    assert (found.delta_p_mean.value, found.delta_p_rms.value) == (0.0, 0.0)
    assert found.ppl == found.ppl_reference
    assert found.ppl_ratio.value == 1.0
    assert found.ppl_ratio.error == pytest.approx(0.0, abs=1e-7)
    assert found.ln_ppl_correlation == pytest.approx(1.0, abs=1e-12)


def test_threads_change_nothing_and_the_rows_stay_as_they_are() -> None:
    draw = np.random.default_rng(3)
    reference = draw.normal(0, 3, (50, 40_000)).astype(np.float32)
    level = reference + draw.normal(0, 0.1, reference.shape).astype(np.float32)
    kept = reference.copy(), level.copy()
    alone = score_tokens(reference, level, list(range(50)))
    with ThreadPoolExecutor(4) as pool:
        together = score_tokens(reference, level, list(range(50)), pool)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(reference, kept[0])
    np.testing.assert_array_equal(level, kept[1])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("of_reference", [True, False])
def test_what_is_no_number_is_refused_and_whose_it_is_is_said(wrong: float, of_reference: bool) -> None:
    case = Case(9, 0.1)
    rows = case.reference[0].copy(), case.level[0].copy()
    assert len(score_tokens(*rows, case.targets[0].tolist()).kl) == TOKENS
    rows[0 if of_reference else 1][17, 1234] = wrong
    with pytest.raises(NotFiniteError) as caught:
        score_tokens(*rows, case.targets[0].tolist())
    assert caught.value.of_reference is of_reference


def test_a_window_that_is_drawn_twice_counts_twice() -> None:
    case = Case(11, 0.5)
    windows = [
        sum_window(index, "", score_tokens(*rows))
        for index, rows in enumerate(zip(case.reference, case.level, case.targets.tolist(), strict=True))
    ]
    once, drawn = summarize(windows[:2]), summarize([windows[0], windows[1], windows[1]])
    first, second = (summarize([window]).kl_mean.value for window in windows[:2])
    assert once.kl_mean.value == pytest.approx((first + second) / 2)
    assert drawn.kl_mean.value == pytest.approx((first + 2 * second) / 3)
    assert drawn.tokens == 3 * TOKENS
