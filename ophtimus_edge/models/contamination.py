"""Which texts a model was prepared on: hashes of runs of tokens, kept instead of the text itself.

A run of 13 tokens that two texts share is what the field counts as an overlap (Brown et al. 2020,
appendix C, for words).
"""

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models.gguf import read_header

NGRAM = 13
_SIZE, _HASHES = "ophtimus.ngram_size", "ophtimus.ngram_hashes"
_ARRAY, _UINT64 = 9, 10  # value types of GGUF


class Runs(NamedTuple):
    """The runs of tokens of a text, by their hashes.

    Attributes:
        size: tokens of a run.
    """

    size: int
    hashes: frozenset[int]


def read_runs(matrix: Path) -> Runs | None:
    """What an importance matrix remembers of the text that it was computed on.

    Args:
        matrix: a file in llama.cpp's GGUF form.

    Returns:
        None where it remembers nothing: it was computed with another program.

    Raises:
        InvalidModelError: it cannot be read, or is damaged.
    """
    header = read_header(matrix)
    size, count = header.metadata.get(_SIZE), header.metadata.get(_HASHES)
    if header.kinds.get(_HASHES) != "arr[u64]" or header.kinds.get(_SIZE) != "u32" or not size or not count:
        return None
    # The bounded reader keeps of an array only its length; its place is behind its key and its head.
    mark = struct.pack("<Q", len(_HASHES)) + _HASHES.encode() + struct.pack("<IIQ", _ARRAY, _UINT64, count)
    try:
        with matrix.open("rb") as file:
            data = file.read(header.data_offset)
    except OSError as error:
        raise InvalidModelError(
            f"{matrix} cannot be read: {error.strerror or error}.", "Check that you may read the file."
        ) from error
    start = data.index(mark) + len(mark)
    return Runs(size, frozenset(struct.unpack_from(f"<{count}Q", data, start)))


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
