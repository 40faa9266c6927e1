"""The rows of a file of questions, whatever asks them: JSONL or CSV, in the encodings that clinics have.

The quiz and the comparison of levels read the same columns; this is what they share. A row keeps the number
that an editor or a spreadsheet gives it: lines of JSONL from 1, rows of CSV with the header as row 1.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.korean import reads_as_korean
from ophtimus_edge.specialties.questions import LETTERS
from ophtimus_edge.specialties.quiz_problems import QuizFileError, RowProblem
from ophtimus_edge.text import sanitize

MOST_BYTES = 256 << 20  # the published sets have 30 to 60 MiB; a wrong file may be a disk image

OPTIONS = tuple(f"option_{letter.lower()}" for letter in LETTERS)
CHOICE_NEEDED = ("question", *OPTIONS[:2], "answer")
COLUMNS = ", ".join(("question", *OPTIONS, "explanation", "answer"))
_READ = {"question", *OPTIONS, "answer"}
_DELIMITERS = (",", ";", "\t", "|")

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class Row(NamedTuple):
    """A row as it stands in the file; ``problem`` says why it has no cells, where it has none."""

    number: int
    cells: dict[str, str]
    problem: RowProblem | None = None


class Rows(NamedTuple):
    """The rows of a file.

    Attributes:
        unit: ``line`` of JSONL, ``row`` of a table.
        rows: in the file's order, read as they are taken.
    """

    unit: str
    rows: Iterator[Row]


def read_rows(path: Path, needed: tuple[str, ...] = CHOICE_NEEDED) -> Rows:
    """Read a JSONL or CSV file.

    The text is UTF-8 with or without a byte order mark, UTF-16 with one, or CP949, which Korean Excel
    writes.

    Args:
        needed: the columns that the header of a table must have.

    Raises:
        QuizFileError: the file cannot be read, is no text, or (as its rows are taken) its header lacks a
            column or has one twice.
    """
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    suffix = path.suffix.lower()
    is_jsonl = suffix in {".jsonl", ".ndjson", ".json"} or (
        suffix not in {".csv", ".tsv"} and first.lstrip().startswith("{")
    )
    if is_jsonl and first.lstrip().startswith("["):
        raise QuizFileError("list", path=path)
    if is_jsonl:
        return Rows("line", json_rows(io.StringIO(text)))
    return Rows("row", _csv_rows(path, text, first, needed))


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise QuizFileError("folder" if path.exists() else "missing", path=path)
        if path.stat().st_size > MOST_BYTES:
            raise QuizFileError("large", path=path, most=MOST_BYTES >> 20)
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        raise QuizFileError(
            "unreadable", path=path, reason=getattr(error, "strerror", "") or error
        ) from error
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise QuizFileError("workbook", path=path, columns=COLUMNS)
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        korean = None if is_utf16 else _korean(content)
        if korean is None:
            line = content[: error.start].count(b"\n") + 1
            raise QuizFileError("encoding", path=path, line=line) from error
        text = korean
    if "\0" in text:
        raise QuizFileError("binary", path=path)
    return text


def _korean(content: bytes) -> str | None:
    """The text where it is Korean in CP949."""
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError:
        return None
    return text if reads_as_korean(Counter(text)) else None


def json_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of lines of JSONL, numbered from 1; blank ones are passed over."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            raw = _decode_object(line)
            cells = {name: _json_text(name, value) for name, value in raw.items()}
        except msgspec.DecodeError as error:
            yield Row(number, {}, RowProblem("no_object", reason=error))
        except RowProblem as problem:
            yield Row(number, {}, problem)
        else:
            yield Row(number, cells)


def _json_text(name: str, raw: msgspec.Raw) -> str:
    """Text as itself, a number as it is written, null as nothing; what is passed over may be anything."""
    written = bytes(raw).decode("utf-8")
    if written == "null":
        return ""
    if written.startswith('"'):
        return _decode_text(raw)
    if written[0] in "[{tf" and name in {*_READ, "explanation"}:
        raise RowProblem("no_text", column=name)
    return written


def _csv_rows(path: Path, text: str, first: str, needed: tuple[str, ...]) -> Iterator[Row]:
    candidates = ("\t",) if path.suffix.lower() == ".tsv" else _DELIMITERS
    delimiter = max(candidates, key=lambda sign: len(set(_header([first], sign)) & _READ))
    csv.field_size_limit((1 << 31) - 1)
    # Strict: without it a quote that is never closed makes one cell of the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [column_name(cell) for cell in cells]
                check_columns(path, names, needed)
            elif any(cell.strip() for cell in cells[len(names) :]):
                problem = RowProblem("cells", cells=len(cells), columns=len(names), sign=repr(delimiter))
                yield Row(number, {}, problem)
            else:
                yield Row(number, dict(zip(names, cells, strict=False)))
    except csv.Error as error:
        yield Row(number + 1, {}, RowProblem("quotes", reason=error))


def _header(lines: list[str], delimiter: str) -> list[str]:
    try:
        return [column_name(cell) for cell in next(csv.reader(lines, delimiter=delimiter), [])]
    except csv.Error:
        return []


def column_name(cell: str) -> str:
    """A column's name however it is written: ``Option A`` is ``option_a``."""
    return re.sub(r"[\s_-]+", "_", cell.strip().casefold())


def check_columns(path: Path, names: list[str], needed: tuple[str, ...]) -> None:
    """Refuse a table whose header lacks a column, or has one twice.

    Raises:
        QuizFileError: it does.
    """
    missing = [name for name in needed if name not in names]
    if missing:
        found = sanitize(", ".join(name for name in names if name))[:200]
        absent = ", ".join(missing)
        raise QuizFileError("columns", path=path, missing=absent, found=found, columns=COLUMNS)
    twice = next((name for name in sorted(_READ) if names.count(name) > 1), "")
    if twice:
        raise QuizFileError("twice", path=path, column=twice)
