"""The rows of a Parquet file, as the published data sets are stored, where pyarrow is installed.

pyarrow comes with the [convert] and [training] extras and is loaded only when a Parquet file is named: a
clinic machine does without it. A few rows are in memory at once, and only the columns that are read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ophtimus_edge.compare.questions.problems import ComparisonFileError
from ophtimus_edge.errors import MissingExtraError
from ophtimus_edge.specialties.question_rows import (
    COLUMNS,
    MOST_BYTES,
    OPTIONS,
    Row,
    Rows,
    check_columns,
    column_name,
)
from ophtimus_edge.specialties.quiz_problems import QuizFileError, RowProblem

_MAGIC = b"PAR1"
_ROWS_AT_ONCE = 1024
_NEEDED_TEXT = {"question", *OPTIONS, "explanation", "answer", "answer_text"}
_READ = {*_NEEDED_TEXT, "id", "language", "topic", "source", "reviewed_by", "phrasings"}


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet by its name, or by its first bytes under any other."""
    if path.suffix.lower() == ".parquet":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False  # whoever reads it as text says what is the matter


def read_parquet_rows(
    path: Path, needed: tuple[str, ...], also: frozenset[str] = frozenset(), most_bytes: int = MOST_BYTES
) -> Rows:
    """The rows of a Parquet file, numbered from 1.

    Args:
        needed: the columns that it must have.
        also: columns that are read beside those of questions.
        most_bytes: a larger file is refused.

    Raises:
        MissingExtraError: pyarrow is not installed.
        QuizFileError: the file is missing, too large or damaged, or lacks a column.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is a Parquet file, and what reads it is not installed.",
            'Install it with: pip install "ophtimus-edge[convert]", or save the questions as JSONL.',
        ) from error
    try:
        if not path.is_file():
            raise ComparisonFileError("folder" if path.exists() else "missing", path=path)
        if path.stat().st_size > most_bytes:
            raise ComparisonFileError("large", path=path, most=most_bytes >> 20)
        file = parquet.ParquetFile(path)
        columns = {name: column_name(name) for name in file.schema_arrow.names}
        check_columns(path, list(columns.values()), needed)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    read = {name: known for name, known in columns.items() if known in _READ | also}
    return Rows("row", _rows(path, file, read))


def _rows(path: Path, file: Any, columns: dict[str, str]) -> Iterator[Row]:
    import pyarrow as arrow

    number = 0
    try:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns)):
            for values in batch.to_pylist():
                number += 1
                yield _row(number, {known: values[name] for name, known in columns.items()})
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _row(number: int, values: dict[str, Any]) -> Row:
    cells: dict[str, str] = {}
    for name, value in values.items():
        if value is None:
            cells[name] = ""
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            cells[name] = str(value)
        elif name in _NEEDED_TEXT:
            return Row(number, {}, RowProblem("no_text", column=name))
        else:
            cells[name] = str(value)
    return Row(number, cells)


def _damaged(path: Path, error: Exception) -> QuizFileError:
    if isinstance(error, QuizFileError):
        return error
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
    return ComparisonFileError("parquet", path=path, reason=reason, columns=COLUMNS)
