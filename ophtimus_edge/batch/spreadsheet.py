"""Answers as CSV that opens in a spreadsheet, with no cell that the spreadsheet would run.

What :func:`ophtimus_edge.spreadsheets.guarded` changed is said: the column ``guarded`` names the cells that
got an apostrophe, so that taking one away from each of them gives back every word.
"""

import csv
from collections.abc import Iterable
from typing import TextIO

import msgspec

from ophtimus_edge.batch.questions import QUESTION
from ophtimus_edge.batch.records import ANSWER_FIELDS, ID, MODEL_FIELDS
from ophtimus_edge.spreadsheets import ENCODING, guarded

__all__ = ["ENCODING", "columns", "guarded", "write"]

_LISTS = frozenset({"notices", "known_questions"})

_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text_of = msgspec.json.Decoder(str).decode
_model_of = msgspec.json.Decoder(dict[str, str]).decode
_list_of = msgspec.json.Decoder(list[str]).decode


def columns(carried: Iterable[str], has_id: bool) -> list[str]:
    """The columns of the table, in order.

    Args:
        carried: the names of what stood beside the questions, as the output has them.
        has_id: whether an id stood there.
    """
    own: list[str] = []
    for name in ANSWER_FIELDS:
        own += [f"model_{part}" for part in MODEL_FIELDS] if name == "model" else [name]
    names = ["row", *([ID] if has_id else []), QUESTION, *own, *carried]
    flag = "guarded"
    while flag in names:
        flag += "_cells"
    return [*names, flag]


def write(lines: Iterable[bytes], names: list[str], delimiter: str, stream: TextIO) -> int:
    """Write records as a table.

    Args:
        lines: a record in JSON each.
        names: of :func:`columns`.
        stream: text, opened with ``newline=""`` and ``ENCODING``.

    Returns:
        how many cells got an apostrophe.
    """
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow([guarded(name) for name in names])
    count = 0
    for line in lines:
        cells = _cells(line)
        safe = {name: guarded(cells.get(name, "")) for name in names[:-1]}
        marked = [name for name in names[:-1] if safe[name] != cells.get(name, "")]
        count += len(marked)
        writer.writerow([*safe.values(), guarded(" ".join(marked))])
    return count


def _cells(line: bytes) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, raw in _fields_of(line).items():
        if name == "model":
            cells |= {f"model_{part}": value for part, value in _model_of(raw).items()}
        elif name in _LISTS:
            cells[name] = " | ".join(_list_of(raw))
        else:
            cells[name] = _text(raw)
    return cells


def _text(raw: msgspec.Raw) -> str:
    """Text as itself, nothing as an empty cell, everything else as the JSON that it is."""
    written = bytes(raw).decode("utf-8")
    if written == "null":
        return ""
    return _text_of(raw) if written.startswith('"') else written
