"""A matrix as QLoRA holds it: each block of 64 numbers in the 16 values of NF4 times the block's largest.

The values are quantiles of the normal distribution, eight above zero and seven below, and zero itself (Dettmers et
al. 2023, appendix E, with its offset 0.9677083). The second quantization, of the blocks' scales, is left out: it
moves a scale by less than half a percent.
"""

from functools import cache

import torch
from torch import Tensor

_BLOCK = 64
_OFFSET = 0.9677083


@cache
def values() -> Tensor:
    """NF4's 16 values, ascending, from -1 to 1, float32."""
    above = torch.special.ndtri(torch.linspace(_OFFSET, 0.5, 9, dtype=torch.float64)[:-1])
    below = -torch.special.ndtri(torch.linspace(_OFFSET, 0.5, 8, dtype=torch.float64)[:-1])
    every = torch.cat([below, torch.zeros(1, dtype=torch.float64), above]).sort().values
    return (every / every.max()).float()


def as_nf4(weight: Tensor) -> Tensor:
    """A matrix after quantization to NF4 and back, float32, the same shape."""
    flat = weight.float().flatten()
    missing = -len(flat) % _BLOCK
    blocks = torch.nn.functional.pad(flat, (0, missing)).view(-1, _BLOCK)
    scales = blocks.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    table = values()
    nearest = torch.bucketize(blocks / scales, (table[1:] + table[:-1]) / 2)
    return (table[nearest] * scales).flatten()[: len(flat)].view(weight.shape)
