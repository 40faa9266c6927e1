"""The sum of a weight and its low-rank change, as the program that trained the change would add it.

A product of two matrices in float32 depends on the order of its additions, which differs from one BLAS to the next,
and within one with the number of rows. The difference is a few units in the last of 24 bits of the terms: nothing,
once the sum is rounded to 16 bits, unless the sum is a thousand times smaller than its terms. Those few are added
again in one order: along the rank, each product and sum rounded once, as a fused multiply-add does, which is also
what peft's product comes to in torch on processors that have it.
"""

import numpy as np

from ophtimus_convert.tensors import Floats

_SMALL = np.float32(
    2**-10
)  # of the terms: below it their last bits reach the 8 that bfloat16 keeps of the sum


def low_rank_sum(base: Floats, b: Floats, a: Floats, scale: float) -> Floats:
    """``base + scale * b @ a``, in float32.

    Args:
        base: shape (rows, columns).
        b: shape (rows, rank).
        a: shape (rank, columns).

    Returns:
        shape (rows, columns), a new array.
    """
    factor = np.float32(scale)
    merged: Floats = np.matmul(b, a)
    merged *= factor
    merged += base
    # No term of a row's sums is larger than this, and no sum of them than so many times the rank's root.
    terms = np.abs(factor) * np.linalg.norm(b, axis=1) * np.float32(np.linalg.norm(a, axis=0).max(initial=0))
    few = np.flatnonzero(np.abs(merged) < (_SMALL * terms)[:, None])
    if len(few):
        rows, columns = np.divmod(few, merged.shape[1])
        # Two factors of 24 bits have a product of 48, which float64 holds whole: one rounding, the last.
        products = b[rows].T.astype(np.float64) * a[:, columns]
        total = np.zeros(len(few), np.float32)
        for product in products:
            total = (total + product).astype(np.float32)
        merged[rows, columns] = total * factor + base[rows, columns]
    return merged
