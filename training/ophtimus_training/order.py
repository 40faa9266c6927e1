"""The order of rows in an epoch, and the steps that they are cut into, on however many devices."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Sampler

_POOL_BATCHES = 16


class Order(Sampler[int]):
    """An order of all rows for each epoch, which follows from the epoch's number alone."""

    _epoch = 0

    def rows(self, epoch: int) -> list[int]:
        """The rows of an epoch, counted from 0, each once; the same on every call."""
        raise NotImplementedError

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch: a run that goes on in the third has the order of the third."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self._epoch += 1
        yield from self.rows(self._epoch - 1)


class PooledOrder(Order):
    """Random rows in pools of 16 batches, sorted within a pool, the batches then shuffled.

    Little padding, as with batches of one length over the whole data, and without what those do: they
    hold the wordings of one question together, and run from long to short (docs/decisions/0004).
    """

    def __init__(self, lengths: list[int], batch: int, seed: int) -> None:
        """Order rows of these lengths, in tokens, into batches of ``batch``."""
        self._lengths, self._batch, self._seed = lengths, batch, seed

    def __len__(self) -> int:
        return len(self._lengths)

    def rows(self, epoch: int) -> list[int]:
        """The rows of an epoch, counted from 0, each once; the same on every call."""
        generator = torch.Generator().manual_seed(self._seed)
        for _ in range(epoch):
            self._drawn(generator)
        return self._drawn(generator)

    def _drawn(self, generator: torch.Generator) -> list[int]:
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
        full = [rows for rows in batches if len(rows) == self._batch]
        rest = [rows for rows in batches if len(rows) < self._batch]
        shuffled = [full[index] for index in torch.randperm(len(full), generator=generator).tolist()]
        return [row for batch in [*shuffled, *rest] for row in batch]


class RandomOrder(Order):
    """Rows at random: packed windows are about equally long, and hold their padding already."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed

    def __len__(self) -> int:
        return self._count

    def rows(self, epoch: int) -> list[int]:
        """The rows of an epoch, counted from 0, each once; the same on every call."""
        generator = torch.Generator().manual_seed(self._seed)
        for _ in range(epoch):
            torch.randperm(self._count, generator=generator)
        drawn: list[int] = torch.randperm(self._count, generator=generator).tolist()
        return drawn


class Share(NamedTuple):
    """How the rows of one step of the optimizer are worked on.

    Attributes:
        rows: of a step, over all devices and rounds.
        at_once: rows that a device works on at once.
        rounds: how often that is done before the optimizer takes its step; what accumulation means elsewhere.
        devices: that share a step.
    """

    rows: int
    at_once: int
    rounds: int
    devices: int

    @property
    def places(self) -> int:
        """Rows that the devices have room for in a step; those over ``rows`` stay empty."""
        return self.at_once * self.rounds * self.devices

    def halved(self) -> "Share":
        """Half as many rows at once, twice as often: the same rows a step."""
        return share(self.rows, -(-self.at_once // 2), self.devices)


def share(rows: int, at_once: int, devices: int) -> Share:
    """Share a step's rows among devices, at most ``at_once`` on each at a time."""
    at_once = max(1, min(at_once, -(-rows // devices)))
    return Share(rows, at_once, -(-rows // (at_once * devices)), devices)


class Steps(Sampler[int]):
    """An order cut into steps of so many rows, whatever devices and rounds they are shared among.

    Which rows make a step depends on the recipe alone. Where the devices have room for more, the place is taken
    by the row ``filler``, which nothing is learned from: accelerate would begin the epoch anew there, and learn
    those rows twice.
    """

    def __init__(self, order: Order, count: int, share: Share, filler: int) -> None:
        """Cut ``count`` rows of an order into steps.

        Args:
            filler: an index beyond the rows, of a row in which nothing is supervised.
        """
        self._order, self._count, self._share, self._filler = order, count, share, filler
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is drawn next; whoever goes on in the middle of a run says so."""
        self._epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self._count, self._share.rows)
        return whole * self._share.places + self._places_of_last(rest)

    def __iter__(self) -> Iterator[int]:
        rows = self._order.rows(self._epoch)
        for start in range(0, len(rows), self._share.rows):
            step = rows[start : start + self._share.rows]
            last = len(step) < self._share.rows
            places = self._places_of_last(len(step)) if last else self._share.places
            yield from step
            yield from [self._filler] * (places - len(step))

    def _places_of_last(self, rows: int) -> int:
        """Of a step that the epoch ends in: every device takes part in as few rounds as do, alone in none more."""
        if not rows or self._share.devices == 1:
            return rows
        once = self._share.at_once * self._share.devices
        return -(-rows // once) * once
