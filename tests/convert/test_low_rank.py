"""Merged sums beside torch's: in 16 bits they never differ by more than one step, however nearly they cancel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ophtimus_convert.low_rank import low_rank_sum
from ophtimus_convert.tensors import Floats


def steps(ours: Floats, base: Floats, b: Floats, a: Floats, scale: float) -> np.ndarray:
    """How many steps of bfloat16 a sum lies from peft's ``weight += (B @ A) * scaling``."""
    weight = torch.from_numpy(base).to(torch.bfloat16)
    weight += (torch.from_numpy(b) @ torch.from_numpy(a)) * scale
    mine = torch.from_numpy(ours).to(torch.bfloat16)
    return np.abs(_order(mine) - _order(weight))


def _order(values: torch.Tensor) -> np.ndarray:
    """The place of each number among all of its type: neighbours differ by one, across zero too."""
    bits = values.view(torch.int16).numpy().astype(np.int32)
    return np.where(bits < 0, -32768 - bits, bits)


def in_bfloat16(values: np.ndarray) -> Floats:
    return torch.from_numpy(values.astype(np.float32)).to(torch.bfloat16).float().numpy()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cut=st.sampled_from([5, 16, 64]),
    rank=st.sampled_from([1, 8, 16, 64]),
    scale=st.sampled_from([0.5, 2.0, 16 / 3]),
)
def test_sums_that_nearly_cancel_are_at_most_a_step_from_pefts(
    seed: int, cut: int, rank: int, scale: float
) -> None:
    random = np.random.default_rng(seed)
    b = random.standard_normal((64, rank)).astype(np.float32) * np.float32(0.02)
    a = random.standard_normal((rank, 512)).astype(np.float32) * np.float32(0.02)
    # The weight is minus its change, rounded: what is left of the sum is the rounding.
    base = in_bfloat16(-scale * (b.astype(np.float64) @ a.astype(np.float64)))
    parts = [low_rank_sum(base[at : at + cut], b[at : at + cut], a, scale) for at in range(0, 64, cut)]
    assert steps(np.vstack(parts), base, b, a, scale).max() <= 1


def test_the_plain_product_would_be_further_away() -> None:
    # The test above must be able to fail: this is what it would see.
    random = np.random.default_rng(0)
    b = random.standard_normal((64, 16)).astype(np.float32)
    a = random.standard_normal((16, 4096)).astype(np.float32)
    base = in_bfloat16(-(b.astype(np.float64) @ a.astype(np.float64)))
    reordered = (b[:, ::-1].copy() @ a[::-1].copy()) + base
    assert steps(reordered, base, b, a, 1.0).max() > 1
    assert steps(low_rank_sum(base, b, a, 1.0), base, b, a, 1.0).max() <= 1


def test_a_cut_on_whole_rows_changes_no_sum_that_nearly_cancels() -> None:
    random = np.random.default_rng(1)
    b = random.standard_normal((64, 16)).astype(np.float32)
    a = random.standard_normal((16, 512)).astype(np.float32)
    base = in_bfloat16(-(b.astype(np.float64) @ a.astype(np.float64)))
    whole = low_rank_sum(base, b, a, 1.0)
    few = np.abs(whole) < 2**-11 * np.linalg.norm(b, axis=1)[:, None]
    assert few.any()
    for size in (1, 3, 16):
        cut = np.vstack(
            [low_rank_sum(base[at : at + size], b[at : at + size], a, 1.0) for at in range(0, 64, size)]
        )
        assert np.array_equal(cut[few], whole[few])


@pytest.mark.parametrize("rank", [0, 4])
def test_no_change_leaves_the_weight_as_it_is(rank: int) -> None:
    base = np.float32([[1.5, -0.0, 0.0], [2.0, 3.0, -4.0]])
    b, a = np.zeros((2, rank), np.float32), np.ones((rank, 3), np.float32)
    assert np.array_equal(low_rank_sum(base, b, a, 2.0), base)
