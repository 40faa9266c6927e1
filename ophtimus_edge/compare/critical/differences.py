"""What a critical difference is: its kind, and the passages of both texts that differ."""

from typing import Final, Literal, get_args

import msgspec

Kind = Literal["figure", "eye", "negation", "drug"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Passage(msgspec.Struct, frozen=True):
    """A part of a text, so that a report can mark it.

    Attributes:
        start: where it begins, in characters.
        end: where it ends, that character not in it.
        text: what stands there.
    """

    start: int
    end: int
    text: str


class Difference(msgspec.Struct, frozen=True):
    """One critical difference.

    Attributes:
        kind: ``figure``, ``eye``, ``negation`` or ``drug``.
        reference: what the reference says; empty where it says nothing of the kind.
        answer: what the level says; empty where it says nothing of the kind.
    """

    kind: Kind
    reference: tuple[Passage, ...]
    answer: tuple[Passage, ...]
