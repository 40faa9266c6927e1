"""Texts as the pieces of the model's own tokenizer, spelled as Hugging Face's tokenizers spell them."""

from collections.abc import Iterable
from typing import NamedTuple

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import ComparisonError

_IDS_AT_ONCE = 4096


class Pieces(NamedTuple):
    """What :func:`read_pieces` read.

    Attributes:
        vocabulary: pieces that the tokenizer knows; 128,256 are Llama 3's.
        of: the pieces of each text.
    """

    vocabulary: int
    of: dict[str, list[str]]

    def expect(self, text: str) -> list[str]:
        """The pieces of a text.

        Raises:
            ComparisonError: it was not among those that were read.
        """
        if text not in self.of:
            raise ComparisonError(
                "An answer was not split into the tokenizer's pieces.",
                "Read the pieces of all answers first.",
            )
        return self.of[text]


async def read_pieces(engine: Engine, texts: Iterable[str]) -> Pieces:
    """Split texts into the pieces of the model's tokenizer, as plain text and without a BOS.

    Byte-level pieces are written with a character for each byte, " the" as "Ġthe": then nltk, which looks at
    letters, gives what it gives over Hugging Face's pieces.

    Args:
        engine: with any level of the model; one that was loaded with ``vocabulary_only`` will do.
        texts: answers and expected answers.

    Raises:
        EngineError: no model is loaded, or the worker died.
    """
    ids: dict[str, list[int]] = {}
    for text in texts:
        if text not in ids:
            ids[text] = await engine.tokenize(text) if text else []
    distinct = sorted({piece for of_text in ids.values() for piece in of_text})
    spelled: dict[int, str] = {}
    for start in range(0, len(distinct), _IDS_AT_ONCE):
        some = distinct[start : start + _IDS_AT_ONCE]
        pieces = await engine.pieces(some)
        spelled |= {token: spell(piece) for token, piece in zip(some, pieces, strict=True)}
    of = {text: [spelled[token] for token in of_text] for text, of_text in ids.items()}
    return Pieces(engine.expect_loaded().vocabulary, of)


def spell(piece: bytes) -> str:
    """A character for each byte: printable ones as they are in Latin-1, the others from U+0100 on."""
    return "".join(_SPELLING[byte] for byte in piece)


def _spelling() -> list[str]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(0x100 + others.index(byte)) for byte in range(256)]


_SPELLING = _spelling()
