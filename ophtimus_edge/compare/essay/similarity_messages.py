"""What travels between the comparison and its child process that compares meanings: a line of JSON each.

The child says ``Ready`` or ``Refused`` once, then answers each ``Pairs`` with ``Cosines``. It ends with its input.
"""

from typing import Literal

import msgspec

LINE_BYTES = 8 << 20  # of a line at the most, either way
PAIRS_A_LINE = 16
# A model is what its weights are, whatever its folder is called.
NAMES = {
    "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658": "semscore",  # all-mpnet-base-v2
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db": "semscore_minilm",  # all-MiniLM-L6-v2
}
TEXT_CHARACTERS = 50_000  # more than an embedding model reads of a text: 384 tokens at the most


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The embedding model is loaded.

    Attributes:
        name: of the score that it gives.
        tokens: of a text that it reads; what follows is passed over.
    """

    name: str
    tokens: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """There is no embedding model to be had; the child ends.

    Attributes:
        kind: ``extra`` where a package is not installed.
    """

    kind: Literal["extra", "model"]
    message: str
    hint: str


class Pairs(msgspec.Struct, frozen=True, tag=True):
    """Texts whose meanings are to be compared, two and two."""

    pairs: list[tuple[str, str]]


class Cosines(msgspec.Struct, frozen=True, tag=True):
    """The cosine of the embeddings of each pair."""

    cosines: list[float]


Said = Ready | Refused | Cosines


def line(message: Said | Pairs) -> bytes:
    """A message as it travels."""
    return msgspec.json.encode(message) + b"\n"
