"""An audit's result, as JSON has it."""

from typing import Literal

import msgspec

from ophtimus_training.auditing.faults import Fault
from ophtimus_training.examples.manifest import Split

HISTOGRAM = 8  # bins up to the recipe's length; what is longer has one of its own


class FaultyRow(msgspec.Struct, frozen=True):
    """A row with a fault: its file and number there, and what was said of it where it was refused."""

    place: str
    said: str = ""


class FoundFault(msgspec.Struct):
    """The rows with one fault.

    Attributes:
        fails: whether the audit fails for it; else the recipe says what becomes of such rows.
        first: the first of them.
    """

    rows: int
    fails: bool
    first: list[FaultyRow]


class Bin(msgspec.Struct):
    """Rows of ``low`` to ``high`` tokens, both included; ``high`` 0 for all that are longer."""

    low: int
    high: int
    rows: int


class Lengths(msgspec.Struct):
    """Tokens of a row."""

    median: int
    percentile_95: int
    longest: int
    histogram: list[Bin]


class SplitFigures(msgspec.Struct, kw_only=True):
    """What is seen of the rows of one split.

    Attributes:
        rows: of tokens, as they are trained on before packing; a long text is several.
        learned: tokens that a loss is computed of.
        bos: how often the token that begins a text stands in the rows, in all.
        ends: how often the one that ends a turn does.
        cut: rows that do not end where their answer does.
        fully_masked: rows of which nothing is learned.
        duplicates: rows that another one before is the same as, word for word.
        near_duplicates: rows that one before is nearly the same as.
    """

    split: Split
    rows: int
    tokens: int
    learned: int
    bos: int
    ends: int
    cut: int
    fully_masked: int
    lengths: Lengths
    duplicates: int
    near_duplicates: int
    faults: dict[Fault, FoundFault]


class Piece(msgspec.Struct):
    """A part of a rendered row."""

    text: str
    learned: bool


class Sample(msgspec.Struct):
    """A row as it is trained on, rendered."""

    place: str
    tokens: int
    pieces: list[Piece]


class Leak(msgspec.Struct):
    """A row for training that has to do with one for evaluation."""

    place: str
    said: str


class Audit(msgspec.Struct, kw_only=True):
    """What an audit found.

    Attributes:
        passed: whether the recipe may be trained as it is.
        failures: why not, one sentence each.
        notes: what a reader should know beside.
        leaks: questions that are evaluated on and trained on.
        overlaps: rows for training that share a passage of 13 words with evaluation data.
        left_out: a sentence for each row and file of the sources that is not trained on.
    """

    recipe: str
    stage: Literal["pretrain", "continue", "instruct"]
    length: int
    passed: bool
    failures: list[str]
    notes: list[str]
    splits: list[SplitFigures]
    compared_with: int
    leaks: list[Leak]
    overlaps: list[Leak]
    left_out: list[str]
    files: dict[str, str]
    samples: list[Sample]
