"""What can be wrong with a row of tokens: each published fault of trainers has a name here, and a test."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from ophtimus_training.rows import IGNORED

Fault = Literal[
    "double_bos", "no_bos", "no_end", "end_inside", "nothing_learned", "nothing_masked", "overlong", "chat_in_text",
    "foreign_tokens", "refused",
]  # fmt: skip

WORDS: dict[Fault, str] = {
    "double_bos": "begin twice (two BOS)",
    "no_bos": "have no beginning (no BOS)",
    "no_end": "do not end with the token that ends an answer (they are cut, or the template lacks it)",
    "end_inside": "hold a token that ends a turn within a text",
    "nothing_learned": "have nothing that is learned (every token is masked)",
    "nothing_masked": "have nothing masked (the question is learned too)",
    "overlong": "are longer than the recipe's length",
    "chat_in_text": "are raw text that holds a chat's markup (a question with its answer, all of it learned)",
    "foreign_tokens": "hold ids that the tokenizer does not have",
    "refused": "cannot be written as tokens",
}
"""What is said of the rows with a fault."""


class Seen(NamedTuple):
    """A row as it would be trained on.

    Attributes:
        ids: token ids.
        labels: the same, or IGNORED where the token is not learned.
    """

    ids: Sequence[int]
    labels: Sequence[int]

    @property
    def learned(self) -> int:
        """Tokens that are learned: the first of a row is predicted by nothing."""
        return sum(label != IGNORED for label in self.labels[1:])


class Marks(NamedTuple):
    """The tokens that rows are looked at by.

    Attributes:
        bos: what begins a text; None where the tokenizer has none.
        end: what ends an answer.
        ends: how often that stands in a row of one question with its answer.
        headers: what begins a turn's head; None where the tokenizer has none.
        vocabulary: ids are below it.
    """

    bos: int | None
    end: int
    ends: int
    headers: int | None
    vocabulary: int


def of_exchange(row: Seen, marks: Marks, length: int) -> list[Fault]:
    """The faults of a row of a question with its answer."""
    found: list[Fault] = _beginnings(row.ids.count(marks.bos) if marks.bos is not None else 1)
    learned = [label for label in row.labels if label != IGNORED]
    if not learned:
        found.append("nothing_learned")
    elif len(learned) == len(row.labels):
        found.append("nothing_masked")
    if learned and learned[-1] != marks.end:
        found.append("no_end")
    masks = len(learned) < len(row.labels)
    if row.ids.count(marks.end) > marks.ends or (masks and marks.end in learned[:-1]):
        found.append("end_inside")
    if len(row.ids) > length:
        found.append("overlong")
    return found


def of_document(rows: Sequence[Seen], marks: Marks, length: int) -> list[Fault]:
    """The faults of a raw text in one row or several; every token of it is learned."""
    ids = [token for row in rows for token in row.ids]
    found: list[Fault] = _beginnings(ids.count(marks.bos) if marks.bos is not None else 1)
    if marks.headers is not None and marks.headers in ids:
        found.append("chat_in_text")
    elif marks.end in ids[:-1]:
        found.append("end_inside")
    if not any(row.learned for row in rows):
        found.append("nothing_learned")
    if any(len(row.ids) > length for row in rows):
        found.append("overlong")
    return found


def of_window(ids: Sequence[int], marks: Marks, length: int) -> list[Fault]:
    """The faults of a row of packed ids, in which several texts begin."""
    found: list[Fault] = []
    if any(first == second == marks.bos for first, second in pairwise(ids)):
        found.append("double_bos")
    if marks.headers is not None and marks.headers in ids:
        found.append("chat_in_text")
    if max(ids) >= marks.vocabulary:
        found.append("foreign_tokens")
    if len(ids) > length:
        found.append("overlong")
    return found


def _beginnings(count: int) -> list[Fault]:
    if count > 1:
        return ["double_bos"]
    return [] if count else ["no_bos"]
