"""Rows that stand there twice: word for word, or nearly so.

Nearly the same are two texts whose runs of five words are the same to a given share (Jaccard). Candidates are
found by MinHash (Broder 1997) in bands, and then compared run by run, so that nothing is dropped by chance; what
may be overlooked is one pair in 3,000 at a share of 0.8. Of an exchange the prompt and the answer must both be
nearly the same: the wordings of one question share their answer, and questions that differ by a "not" differ in
theirs.
"""

import hashlib
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ophtimus_training.preparing.texts import words

_RUN = 5
_BANDS, _ROWS = 20, 5  # 1 − (1 − 0.8⁵)²⁰ = 0.9997 of the pairs at 0.8 become candidates
_AT_ONCE = 4096  # runs: a textbook's chapter times 100 hashes would take hundreds of megabytes
_MOST_CANDIDATES = 64

Runs = NDArray[np.uint32]


class Twin(NamedTuple):
    """The row that another is like.

    Attributes:
        place: of the one that is kept.
        similarity: of the two, 0 to 1; 1 where they are the same word for word.
    """

    place: str
    similarity: float


class _Kept(NamedTuple):
    place: str
    prompt: Runs
    reply: Runs


class Seen:
    """The rows that are kept so far."""

    def __init__(self, similarity: float) -> None:
        """Look for rows that are as similar as this; 1 for those that are the same word for word alone."""
        self._similarity = similarity
        self._exact: dict[bytes, str] = {}
        self._kept: list[_Kept] = []
        # A row's number, or a list of them: most keys have one row, and twenty lists a row take most of the memory.
        self._bands: dict[int, int | list[int]] = {}
        generator = np.random.Generator(np.random.PCG64(13))
        # Multiply and shift (Dietzfelbinger et al. 1997): odd factors, the upper half of the product.
        self._factors = generator.integers(0, 1 << 63, _BANDS * _ROWS, dtype=np.uint64) * np.uint64(
            2
        ) + np.uint64(1)
        self._offsets = generator.integers(0, 1 << 63, _BANDS * _ROWS, dtype=np.uint64)

    def twin(self, place: str, prompt: str, reply: str = "") -> Twin | None:
        """The kept row that this one is like; where there is none, it is kept.

        Args:
            prompt: an exchange's, or a document.
            reply: an exchange's, or "".
        """
        folded = words(prompt), words(reply)
        digest = hashlib.blake2b(
            "\0".join(" ".join(part) for part in folded).encode(), digest_size=16
        ).digest()
        if digest in self._exact:
            return Twin(self._exact[digest], 1.0)
        if self._similarity < 1:
            kept = _Kept(place, _runs(folded[0]), _runs(folded[1]))
            keys = self._keys(kept.prompt)
            twin = self._alike(kept, keys)
            if twin:
                return twin
            for key in keys:
                self._remember(key, len(self._kept))
            self._kept.append(kept)
        self._exact[digest] = place
        return None

    def _alike(self, row: _Kept, keys: list[int]) -> Twin | None:
        candidates = dict.fromkeys(at for key in keys for at in self._rows_with(key))
        for at in candidates:
            other = self._kept[at]
            similarity = _jaccard(row.prompt, other.prompt)
            if similarity >= self._similarity and len(row.reply) + len(other.reply):
                similarity = min(similarity, _jaccard(row.reply, other.reply))
            if similarity >= self._similarity:
                return Twin(other.place, similarity)
        return None

    def _remember(self, key: int, row: int) -> None:
        known = self._bands.setdefault(key, row)
        if isinstance(known, list):
            if len(known) < _MOST_CANDIDATES:
                known.append(row)
        elif known != row:
            self._bands[key] = [known, row]

    def _rows_with(self, key: int) -> list[int]:
        known = self._bands.get(key, [])
        return known if isinstance(known, list) else [known]

    def _keys(self, runs: Runs) -> list[int]:
        """One number for each band of the signature."""
        if not len(runs):
            return []
        signature = np.full(len(self._factors), np.iinfo(np.uint64).max, dtype=np.uint64)
        for at in range(0, len(runs), _AT_ONCE):
            part = runs[at : at + _AT_ONCE].astype(np.uint64)
            hashed = (part[:, None] * self._factors[None, :] + self._offsets[None, :]) >> np.uint64(32)
            np.minimum(signature, hashed.min(axis=0), out=signature)
        bands = signature.astype(np.uint32).reshape(_BANDS, _ROWS)
        return [band << 32 | zlib.crc32(row.tobytes()) for band, row in enumerate(bands)]


def _runs(folded: list[str]) -> Runs:
    """The different runs of words of a text, by number, in order; a text of fewer words is one run."""
    if not folded:
        return np.empty(0, dtype=np.uint32)
    starts = range(max(len(folded) - _RUN + 1, 1))
    hashed = [zlib.crc32(" ".join(folded[at : at + _RUN]).encode()) for at in starts]
    return np.unique(np.array(hashed, dtype=np.uint32))


def _jaccard(first: Runs, second: Runs) -> float:
    both = len(np.intersect1d(first, second, assume_unique=True))
    union = len(first) + len(second) - both
    return both / union if union else 1.0
