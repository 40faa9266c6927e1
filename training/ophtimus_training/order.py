"""The order of rows in an epoch: drawn at random, yet rows of about one length side by side."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

_POOL_BATCHES = 16


class PooledOrder(Sampler[int]):
    """Random rows in pools of 16 batches, sorted within a pool, the batches then shuffled.

    Little padding, as with batches of one length over the whole data, and without what those do: they
    hold the wordings of one question together, and run from long to short (docs/decisions/0004).
    """

    def __init__(self, lengths: list[int], batch: int, seed: int) -> None:
        """Order rows of these lengths, in tokens, into batches of ``batch``."""
        self._lengths, self._batch = lengths, batch
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        rows = torch.randperm(len(self._lengths), generator=self._generator).tolist()
        size = self._batch * _POOL_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(rows), size):
            pool = sorted(rows[start : start + size], key=self._lengths.__getitem__)
            # Two wordings of a question stand side by side in a sorted pool: dealt in turn, they part.
            for at in range(0, len(pool), 2 * self._batch):
                pair = pool[at : at + 2 * self._batch]
                batches += [dealt for dealt in (pair[::2], pair[1::2]) if dealt]
        # A batch that is not full goes last: the loop cuts every ``batch`` rows.
        full = [rows for rows in batches if len(rows) == self._batch]
        rest = [rows for rows in batches if len(rows) < self._batch]
        for index in torch.randperm(len(full), generator=self._generator).tolist():
            yield from full[index]
        for rows in rest:
            yield from rows
