"""Rows into windows of one length, and windows into batches in which no sequence sees another.

trl packs ("best fit, decreasing": Krell et al., arXiv 2107.02027). It cuts what is too long without a word, so
that rows come here only after :mod:`ophtimus_training.rows` has refused or left out those.
"""

import random
from typing import Any, NamedTuple

import torch
from datasets import Dataset, disable_progress_bars
from trl import pack_dataset

from ophtimus_training.rows import IGNORED, Row

LENGTHS = "seq_lengths"  # trl's name of the column that says where a window's sequences end


class Windows(NamedTuple):
    """What is trained on, a row of it at a time.

    Attributes:
        rows: ``input_ids`` and ``labels``; with ``seq_lengths`` where several sequences stand in a row.
        sequences: how many there are in all.
        tokens: in all rows.
        supervised: tokens that are learned.
    """

    rows: Dataset
    sequences: int
    tokens: int
    supervised: int


def packed(rows: list[Row], length: int, seed: int) -> Windows:
    """Pack rows into windows of at most ``length`` tokens, at random but for what fits together.

    Args:
        rows: none of them longer than ``length``, none without a supervised token.
    """
    disable_progress_bars()
    shuffled = rows.copy()
    random.Random(seed).shuffle(shuffled)  # noqa: S311  # an order, not a secret
    # Of a thousand at a time, in memory: long and short ones mix, and over 98 % of a window is full.
    settings = {"keep_in_memory": True}
    made = pack_dataset(Dataset.from_list(shuffled), length, "bfd", settings)
    return Windows(made, len(rows), *counted(rows))


def unpacked(rows: list[Row]) -> Windows:
    """Each row by itself."""
    return Windows(Dataset.from_list(rows), len(rows), *counted(rows))


def counted(rows: list[Row]) -> tuple[int, int]:
    """Tokens, and those that are learned: the first of a sequence is predicted by nothing."""
    tokens = sum(len(row["input_ids"]) for row in rows)
    return tokens, sum(label != IGNORED for row in rows for label in row["labels"][1:])


class Collator:
    """Rows of a batch as tensors [rows, longest], padded at their ends.

    Sequences of a window are told apart by ``position_ids`` that begin anew with each: without another mask,
    transformers lets each token see its own sequence only. No mask of the padding is made: it stands behind all
    that is learned, where the causal mask alone keeps it out, and attention takes its faster path.
    """

    def __init__(self, padding: int) -> None:
        """Pad with a token that is learned nowhere; never the one that ends an answer."""
        self._padding = padding

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Batch rows of ``input_ids``, ``labels`` and perhaps ``seq_lengths``."""
        lengths = [row.get(LENGTHS) or [len(row["input_ids"])] for row in rows]
        longest = max(len(row["input_ids"]) for row in rows)
        ids = torch.full((len(rows), longest), self._padding)
        labels = torch.full((len(rows), longest), IGNORED)
        positions = torch.zeros((len(rows), longest), dtype=torch.long)
        for number, (row, sequences) in enumerate(zip(rows, lengths, strict=True)):
            size = len(row["input_ids"])
            ids[number, :size] = torch.tensor(row["input_ids"])
            labels[number, :size] = torch.tensor(row["labels"])
            start = 0
            for count in [*sequences, longest - size]:
                positions[number, start : start + count] = torch.arange(count)
                if start < size:
                    labels[number, start] = IGNORED  # else the sequence before would predict it
                start += count
        batch = {"input_ids": ids, "labels": labels}
        # What a row of one sequence needs none of: its positions count on.
        return batch | {"position_ids": positions} if any(len(one) > 1 for one in lengths) else batch


class FlatCollator:
    """Rows of a batch as one row [1, tokens] without padding, with where each sequence begins and ends.

    For attention that takes sequences of any lengths (:mod:`ophtimus_training.running.attention`): it needs no
    mask, which over a whole batch would grow with the square of its tokens.
    """

    def __init__(self, padding: int) -> None:
        """Take what trl's collator takes."""
        from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

        self._flatten = DataCollatorForLanguageModeling(pad_token_id=padding, padding_free=True)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Batch rows of ``input_ids``, ``labels`` and perhaps ``seq_lengths``."""
        lengths = [{**row, LENGTHS: row.get(LENGTHS) or [len(row["input_ids"])]} for row in rows]
        batch: dict[str, Any] = self._flatten(lengths)
        batch.pop("seq_idx")  # of other architectures' convolutions
        return batch
