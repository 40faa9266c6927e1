"""What a matrix remembers of the text it was computed on, so that nothing is scored on that text later."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from gguf import GGUFValueType, GGUFWriter

from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.contamination import NGRAM, ngram_hashes


class Calibration(NamedTuple):
    """A calibration text.

    Attributes:
        sha256: of the file.
        tokens: its token ids, without a BOS.
    """

    sha256: str
    tokens: list[int]


def read_text(path: Path) -> bytes:
    """The bytes of a calibration text.

    Raises:
        ConversionError: it cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
        data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConversionError(
            f"the calibration text {path} cannot be read: {error}.", "Name a text file in UTF-8."
        ) from error
    return data


def calibration(data: bytes, tokens: list[int]) -> Calibration:
    """Recognize a text by its bytes and its tokens."""
    return Calibration(hashlib.sha256(data).hexdigest(), tokens)


def write_calibration(writer: GGUFWriter, text: Calibration) -> None:
    """Add the keys ``ophtimus.text_sha256``, ``ophtimus.ngram_size`` and ``ophtimus.ngram_hashes``."""
    writer.add_string("ophtimus.text_sha256", text.sha256)
    writer.add_uint32("ophtimus.ngram_size", NGRAM)
    writer.add_key_value(
        "ophtimus.ngram_hashes",
        sorted(ngram_hashes(text.tokens)),
        GGUFValueType.ARRAY,
        sub_type=GGUFValueType.UINT64,
    )
