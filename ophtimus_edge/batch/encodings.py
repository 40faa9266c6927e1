"""How a file of questions is encoded: UTF-8, what Excel writes instead of it, or no text at all."""

import codecs
import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.errors import QuestionError
from ophtimus_edge.korean import reads_as_korean

_READ_BYTES = 1 << 20
_SAVE_AS_UTF8 = "Save it as UTF-8 (Excel: Save As, CSV UTF-8) and run the command again."
# The first bytes of .xlsx (a zip) and of the older .xls (an OLE file).
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Content(NamedTuple):
    """What a file's bytes are.

    Attributes:
        encoding: the codec that reads them, a byte order mark taken care of.
        sha256: of the bytes, as 64 hexadecimal digits.
    """

    encoding: str
    sha256: str


def examine(path: Path) -> Content:
    """Hash a text file and find its encoding, in one or two passes and little memory.

    UTF-8 with or without a byte order mark, UTF-16 with one (Excel's "Unicode text"), or CP949, which
    Korean Excel writes. CP949 is taken only where the text then reads as Korean: nearly every sequence
    of bytes means something in it, and a question in wrong letters would be asked without a sign.

    Raises:
        QuestionError: it is none of them, or no text.
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    first, line, bad_line, has_zeros = b"", 1, 0, False
    with path.open("rb") as file:
        while True:
            data = file.read(_READ_BYTES)
            first = first or data[:4]
            digest.update(data)
            has_zeros = has_zeros or b"\0" in data
            if not bad_line:
                try:
                    decoder.decode(data, final=not data)
                except UnicodeDecodeError as error:
                    bad_line = line + error.object[: error.start].count(b"\n")
            if not data:
                break
            line += data.count(b"\n")
    return Content(_encoding(path, first, bad_line, has_zeros), digest.hexdigest())


def _encoding(path: Path, first: bytes, bad_line: int, has_zeros: bool) -> str:
    if first.startswith(_WORKBOOKS):
        raise QuestionError(
            f"{path} is an Excel workbook or an archive, not a text file.",
            "Open it in Excel and save it as CSV UTF-8, with a column named question.",
        )
    if first.startswith(_UTF16_MARKS):
        if _decodes(path, "utf-16") is None:
            raise QuestionError(f"{path} begins as UTF-16 and does not go on so.", _SAVE_AS_UTF8)
        return "utf-16"
    if has_zeros:
        raise QuestionError(f"{path} is not a text file: it holds zero bytes.", _SAVE_AS_UTF8)
    if not bad_line:
        return "utf-8-sig"
    letters = _decodes(path, "cp949")
    if letters is not None and reads_as_korean(letters):
        return "cp949"
    raise QuestionError(f"line {bad_line} of {path} is not UTF-8.", _SAVE_AS_UTF8)


def _decodes(path: Path, encoding: str) -> Counter[str] | None:
    """How often each character beyond ASCII occurs, or None where the file is not of that encoding."""
    letters: Counter[str] = Counter()
    try:
        with path.open(encoding=encoding, newline="") as file:
            while text := file.read(_READ_BYTES):
                letters.update(letter for letter in text if not letter.isascii())
    except UnicodeError:
        return None
    return letters
