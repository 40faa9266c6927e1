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
        self._seed, self._epoch = seed, 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0: a run that goes on in the third has the order of the third."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        # One generator runs through the epochs: it is brought to this one by drawing those before.
        generator = torch.Generator().manual_seed(self._seed)
        for _ in range(self._epoch):
            self._drawn(generator)
        self._epoch += 1
        yield from self._drawn(generator)

    def _drawn(self, generator: torch.Generator) -> list[int]:
        """The rows of the next epoch."""
        rows = torch.randperm(len(self._lengths), generator=generator).tolist()
        size = self._batch * _POOL_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(rows), size):
            pool = sorted(rows[start : start + size], key=self._lengths.__getitem__)
            # Two wordings of a question stand side by side in a sorted pool: dealt in turn, they part.
            for at in range(0, len(pool), 2 * self._batch):
                pair = pool[at : at + 2 * self._batch]
                batches += [dealt for dealt in (pair[::2], pair[1::2]) if dealt]
        # A batch that is not full goes last: the loop cuts every ``batch`` rows.
        full = [batch for batch in batches if len(batch) == self._batch]
        rest = [batch for batch in batches if len(batch) < self._batch]
        shuffled = [full[index] for index in torch.randperm(len(full), generator=generator).tolist()]
        return [row for batch in [*shuffled, *rest] for row in batch]
