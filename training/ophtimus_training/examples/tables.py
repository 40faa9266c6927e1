"""The rows of a file, whatever its kind: JSONL, CSV or Parquet, a few in memory at once where it is large."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ophtimus_edge.compare.questions.parquet import is_parquet, read_parquet_rows
from ophtimus_edge.errors import MissingExtraError, TrainingDataError
from ophtimus_edge.specialties.question_rows import Row, Rows, column_name, json_rows, read_rows
from ophtimus_edge.specialties.quiz_problems import QuizFileError
from ophtimus_training.examples.forms import READ

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_JSONL = (".jsonl", ".ndjson", ".json")
_WHOLE_BYTES = 16 << 20  # a larger JSONL is read by lines, which takes UTF-8 alone
_MOST_BYTES = 1 << 40
_WINDOWS_AT_ONCE = 256


def rows_of(path: Path) -> Rows:
    """The rows of a file; JSONL is numbered by lines, a table by rows.

    Raises:
        QuizFileError: the file is missing, damaged, or no table; or (as its rows are taken) holds what is no text.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    if is_parquet(path):
        return read_parquet_rows(path, (), READ, _MOST_BYTES)
    if path.suffix.lower() in _JSONL and path.is_file() and path.stat().st_size > _WHOLE_BYTES:
        return Rows("line", _named(json_rows(_lines(path))))
    found = read_rows(path, ())
    return Rows(found.unit, _named(found.rows))


def _named(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows with their columns' names however they are written, as tables have them: ``Answer`` is ``answer``."""
    for row in rows:
        yield row._replace(cells={_name(name): text for name, text in row.cells.items()})


_name = lru_cache(1024)(column_name)  # of a JSONL, each row has its own


def _lines(path: Path) -> Iterator[str]:
    """Lines end at a line feed alone, as JSONL has it: a text may hold other signs that end lines."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise QuizFileError("encoding", path=path, line=number) from error
    except OSError as error:
        raise QuizFileError("unreadable", path=path, reason=error.strerror or error) from error


def has_windows(path: Path) -> bool:
    """Whether a file is Parquet with a column ``input_ids``.

    Raises:
        TrainingDataError: it is damaged.
        MissingExtraError: pyarrow is not installed.
    """
    return path.is_file() and is_parquet(path) and "input_ids" in _opened(path).schema_arrow.names


def windows(path: Path) -> Iterator[list[int]]:
    """The rows of ``input_ids`` of a Parquet file that has them; a row may be empty, or None where it is null.

    Raises:
        TrainingDataError: the column holds no whole numbers, or the file is damaged.
    """
    import numpy as np
    import pyarrow as arrow

    file = _opened(path)
    kind = file.schema_arrow.field("input_ids").type
    if not (arrow.types.is_list(kind) or arrow.types.is_large_list(kind)) or not arrow.types.is_integer(
        kind.value_type
    ):
        raise TrainingDataError(
            f"{path}: its column input_ids holds {kind}, not lists of whole numbers.",
            "Write each row as the list of its token ids, or run ophtimus-train prepare on the texts.",
        )
    # Every row's ids are the same objects: 22 million of their own would take 800 MB.
    known = np.arange(1 << 12, dtype=object)
    try:
        for batch in file.iter_batches(batch_size=_WINDOWS_AT_ONCE, columns=["input_ids"]):
            for scalar in batch.column(0):
                ids = np.asarray(scalar.values if scalar.is_valid else [], dtype=np.int64)
                if len(ids) and ids.min() >= 0 and ids.max() < 1 << 24:
                    if ids.max() >= len(known):
                        known = np.concatenate(
                            [known, np.arange(len(known), 2 * int(ids.max()), dtype=object)]
                        )
                    yield known[ids].tolist()
                else:
                    yield ids.tolist()
    except (arrow.ArrowException, OSError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _opened(path: Path) -> Any:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is a Parquet file, and what reads it is not installed.",
            "Install it with: pip install 'ophtimus-edge[training]'.",
        ) from error
    try:
        return parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> TrainingDataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
    return TrainingDataError(f"{path} is no sound Parquet file: {reason}.", "Copy it again from its source.")
