"""A file of questions as rows: JSONL, CSV, or a question a line.

The file is read twice, row by row: once to check and count it before a model is loaded, once to ask.
A fault of its form (a line that is no JSON, a row with too many cells) refuses the whole file at the
first reading, before anything has been waited for; a question that cannot be asked is one row's matter.
"""

import csv
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

import msgspec

from ophtimus_edge.batch import encodings
from ophtimus_edge.errors import QuestionError

Kind = Literal["jsonl", "csv", "lines"]

QUESTION = "question"

_KINDS: dict[str, Kind] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".txt": "lines"
}  # fmt: skip
_DELIMITERS = (",", ";", "\t", "|")
_HALVES = re.compile("[\ud800-\udfff]")
_CELL_LIMIT = (1 << 31) - 1  # the csv module's own is 128 KiB
_ONE_OBJECT_A_LINE = (
    'A line holds one object with the key question, such as {"question": "What is glaucoma?"}.'
)

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class Row(NamedTuple):
    """A question of the file.

    Attributes:
        number: 1 for the first row, a header and blank lines not counted.
        question: as the file has it.
        carried: what stands beside it, in the file's order: text, or JSON as it was written.
        problem: why it cannot be asked, or "".
    """

    number: int
    question: str
    carried: dict[str, Any]
    problem: str = ""


class QuestionFile(NamedTuple):
    """A file that was read once and found sound.

    Attributes:
        encoding: a Python codec.
        delimiter: of CSV; "" for the other kinds.
        sha256: of its bytes.
        total: of its rows.
        carried: the names of all that stands beside questions, in the order in which they first occur.
        stamp: size in bytes and time of change, which tell whether it is still the same.
    """

    path: Path
    kind: Kind
    encoding: str
    delimiter: str
    sha256: str
    total: int
    carried: tuple[str, ...]
    stamp: tuple[int, int]


class _Fields(NamedTuple):
    """What a row has, before it is numbered."""

    question: str
    carried: dict[str, Any]
    problem: str
    has_question: bool


def examine(path: Path) -> QuestionFile:
    """Read a file of questions for the first time.

    Raises:
        QuestionError: it is missing, not a regular file, not text, of no sound form, or without questions.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise QuestionError(f"{path} is not a file.", "Name a file: it is read twice.")
        content = encodings.examine(path)
        kind, delimiter = _kind(path, content.encoding)
        file = QuestionFile(path, kind, content.encoding, delimiter, content.sha256, 0, (), _stamp(state))
        carried: dict[str, None] = {}
        count, any_question = 0, False
        for fields in _fields(file):
            count += 1
            any_question = any_question or fields.has_question
            carried.update(dict.fromkeys(fields.carried))
    except OSError as error:
        raise QuestionError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Check the path, and that you may read the file.",
        ) from error
    if not count:
        raise QuestionError(f"there are no questions in {path}.", "Write a question a line, or a row.")
    if not any_question:
        raise QuestionError(f"no line of {path} has the key question.", _ONE_OBJECT_A_LINE)
    return file._replace(total=count, carried=tuple(carried))


def rows(file: QuestionFile) -> Iterator[Row]:
    """The rows, in order, a few at a time in memory.

    Raises:
        QuestionError: the file is no longer the one that was examined.
    """
    try:
        for number, fields in enumerate(_fields(file), start=1):
            yield Row(number, fields.question, fields.carried, fields.problem)
    except OSError as error:
        raise QuestionError(
            f"{file.path} cannot be read any more: {error.strerror or error}.",
            "What is answered is kept: run the same command to go on.",
        ) from error


def _kind(path: Path, encoding: str) -> tuple[Kind, str]:
    """The kind by suffix, else by the first line that is not blank; and the delimiter of CSV."""
    kind = _KINDS.get(path.suffix.lower())
    with path.open(encoding=encoding) as stream:
        first = next((line for line in stream if line.strip()), "")
    if kind is None and first.lstrip().startswith("{"):
        kind = "jsonl"
    if kind in {"jsonl", "lines"} or not first:
        return kind or "lines", ""
    candidates = ("\t",) if path.suffix.lower() == ".tsv" else _DELIMITERS
    delimiter = next((sign for sign in candidates if QUESTION in _names(first, sign)), "")
    if kind is None:
        return ("csv", delimiter) if delimiter else ("lines", "")
    if not delimiter:
        best = max(candidates, key=lambda sign: len(_names(first, sign)))
        names = ", ".join(_names(first, best)[:8])
        raise QuestionError(
            f"{path} has no column named question; its first line has: {names[:200]}.",
            "Name the column of the questions so, in the first line.",
        )
    return "csv", delimiter


def _names(line: str, delimiter: str) -> list[str]:
    """The column names of a header; ``question`` in small letters however it is written."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    names = [cell.strip() for cell in cells]
    return [QUESTION if name.casefold() == QUESTION else name for name in names]


def _fields(file: QuestionFile) -> Iterator[_Fields]:
    # The csv module wants line ends as they are; elsewhere \r\n and \r end a line too.
    with file.path.open(encoding=file.encoding, newline="" if file.kind == "csv" else None) as stream:
        read = {"jsonl": _json_fields, "csv": _csv_fields, "lines": _line_fields}[file.kind]
        for fields in read(file, stream):
            if _stamp(os.fstat(stream.fileno())) != file.stamp:
                raise QuestionError(
                    f"{file.path} was changed while it was read.",
                    "Leave it alone while it is answered; begin again with another --out.",
                )
            yield fields


def _line_fields(_file: QuestionFile, stream: TextIO) -> Iterator[_Fields]:
    for line in stream:
        if text := line.strip():
            yield _Fields(text, {}, "", True)


def _json_fields(file: QuestionFile, stream: TextIO) -> Iterator[_Fields]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        problem = ""
        try:
            carried = _decode_object(line)
        except msgspec.DecodeError as error:
            whole = _made_whole(line)
            if whole is None:
                raise QuestionError(
                    f"line {number} of {file.path} is not a JSON object ({error}).", _ONE_OBJECT_A_LINE
                ) from error
            carried, problem = whole, "the row holds half of a character, such as \\ud800 by itself."
        raw = carried.pop(QUESTION, None)
        if raw is None:
            yield _Fields("", dict(carried), "it has no key question.", False)
            continue
        try:
            yield _Fields(_decode_text(raw), dict(carried), problem, True)
        except msgspec.DecodeError:
            text = bytes(raw).decode("utf-8", "replace")
            yield _Fields(text, dict(carried), "the question is not text.", True)


def _made_whole(line: str) -> dict[str, msgspec.Raw] | None:
    """A row of JSON whose texts hold halves of surrogate pairs, with U+FFFD in their place.

    Python's json writes such a text; no file and no model can hold it.
    """
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return _decode_object(_HALVES.sub("\ufffd", text))
    except ValueError:  # msgspec's errors are ValueErrors too
        return None


def _csv_fields(file: QuestionFile, stream: TextIO) -> Iterator[_Fields]:
    csv.field_size_limit(_CELL_LIMIT)
    # Strict: without it a quote that is never closed makes one question of the rest of the file.
    reader = csv.reader(stream, delimiter=file.delimiter, strict=True)
    names: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = _header(file, cells)
                continue
            if any(cell.strip() for cell in cells[len(names) :]):
                raise QuestionError(
                    f"line {reader.line_num} of {file.path} has {len(cells)} cells; the first line has {len(names)}.",
                    f'Put a text that holds the sign {file.delimiter!r} into double quotes: "…".',
                )
            cells += [""] * (len(names) - len(cells))
            carried: dict[str, Any] = dict(zip(names, cells, strict=False))
            yield _Fields(carried.pop(QUESTION), carried, "", True)
    except csv.Error as error:
        raise QuestionError(
            f"line {reader.line_num} of {file.path} is not sound CSV ({error}).",
            "Close every double quote, and write a quote inside a text twice.",
        ) from error


def _header(file: QuestionFile, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    names = [QUESTION if name.casefold() == QUESTION else name for name in names]
    while names and not names[-1]:
        names.pop()
    names = [name or f"column {place}" for place, name in enumerate(names, start=1)]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise QuestionError(f"{file.path} has two columns named {twice}.", "Give each column its own name.")
    return names


def _stamp(state: os.stat_result) -> tuple[int, int]:
    return state.st_size, state.st_mtime_ns
