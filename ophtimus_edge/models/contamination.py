"""Which texts a model was prepared on: hashes of runs of tokens, kept instead of the text itself.

A run of 13 tokens that two texts share is what the field counts as an overlap (Brown et al. 2020,
appendix C, for words).
"""

import hashlib
import struct
from collections.abc import Sequence

NGRAM = 13


def ngram_hashes(tokens: Sequence[int], size: int = NGRAM) -> set[int]:
    """A 64-bit hash of every run of ``size`` tokens: BLAKE2b over the ids as 32-bit numbers.

    Args:
        tokens: ids of a text, without a BOS; fewer than ``size`` have no run.
    """
    packed = struct.pack(f"<{len(tokens)}i", *tokens)
    return {
        int.from_bytes(hashlib.blake2b(packed[4 * at : 4 * (at + size)], digest_size=8).digest(), "little")
        for at in range(len(tokens) - size + 1)
    }
