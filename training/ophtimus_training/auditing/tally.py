"""Counts over the rows of one split."""

from collections import Counter
from collections.abc import Sequence

from ophtimus_training.auditing.faults import Fault, Marks, Seen
from ophtimus_training.auditing.figures import HISTOGRAM, Bin, FaultyRow, FoundFault, Lengths, SplitFigures
from ophtimus_training.examples import Record
from ophtimus_training.examples.manifest import Split
from ophtimus_training.preparing import duplicates
from ophtimus_training.primer import Exchange

_MOST_SHOWN = 3


class Tally:
    """Rows of a split, counted one after the other."""

    def __init__(
        self, split: Split, marks: Marks, length: int, lets: frozenset[Fault], similarity: float
    ) -> None:
        """Count from nothing.

        Args:
            length: the recipe's, in tokens.
            lets: faults for which an audit does not fail: the recipe says what becomes of such rows.
            similarity: from which on two rows are nearly the same.
        """
        self._split, self._marks, self._length, self._lets = split, marks, length, lets
        self._lengths: Counter[int] = Counter()
        self._tokens = self._learned = self._bos = self._ends = self._masked = 0
        self._duplicates = self._near = 0
        self._faults: dict[Fault, FoundFault] = {}
        self._seen = duplicates.Seen(similarity)

    def add(self, record: Record, rows: Sequence[Seen], faults: list[Fault], said: str = "") -> None:
        """Count a record and the rows that are made of it.

        Args:
            said: of a record of which no row can be made, why.
        """
        for row in rows:
            self._lengths[len(row.ids)] += 1
            self._tokens += len(row.ids)
            self._learned += row.learned
            self._masked += not row.learned
            self._bos += sum(token == self._marks.bos for token in row.ids)
            self._ends += sum(token == self._marks.end for token in row.ids)
        for fault in faults:
            found = self._faults.setdefault(fault, FoundFault(0, fault not in self._lets, []))
            found.rows += 1
            if len(found.first) < _MOST_SHOWN:
                found.first.append(FaultyRow(record.place, said))
        if isinstance(record.content, list):
            texts = " ".join(map(str, record.content)), ""
        else:
            texts = record.content if isinstance(record.content, Exchange) else (record.content, "")
        twin = self._seen.twin(record.place, *texts)
        self._duplicates += twin is not None and twin.similarity == 1
        self._near += twin is not None and twin.similarity < 1

    def figures(self) -> SplitFigures:
        """What was counted."""
        no_end = self._faults.get("no_end")
        return SplitFigures(
            split=self._split,
            rows=self._lengths.total(),
            tokens=self._tokens,
            learned=self._learned,
            bos=self._bos,
            ends=self._ends,
            cut=no_end.rows if no_end else 0,
            fully_masked=self._masked,
            lengths=lengths_of(self._lengths, self._length),
            duplicates=self._duplicates,
            near_duplicates=self._near,
            faults=self._faults,
        )


def lengths_of(counts: Counter[int], limit: int) -> Lengths:
    """Median, 95th percentile (nearest rank) and longest of row lengths, and how they are spread.

    Args:
        counts: rows by their length in tokens.
        limit: the recipe's length, up to which there are bins of one width.
    """
    ordered = sorted(counts)
    width = -(-limit // HISTOGRAM)
    bins = [Bin(1 + at * width, min((at + 1) * width, limit), 0) for at in range(HISTOGRAM)]
    bins = [one for one in bins if one.low <= one.high]
    bins.append(Bin(limit + 1, 0, 0))
    for length, rows in counts.items():
        next(one for one in bins if not one.high or length <= one.high).rows += rows

    def rank(share: float) -> int:
        left = max(-(-counts.total() * share // 1), 1)
        for length in ordered:
            left -= counts[length]
            if left <= 0:
                return length
        return 0

    return Lengths(rank(0.5), rank(0.95), ordered[-1] if ordered else 0, bins)
