"""What ``prepare`` writes: rows of prompt and completion as JSONL, or windows of ``input_ids`` as Parquet."""

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from ophtimus_edge.models.store import sha256_of
from ophtimus_edge.specialties.question_rows import OPTIONS
from ophtimus_training.examples.manifest import OutputFile, Split
from ophtimus_training.examples.records import Record
from ophtimus_training.primer import Exchange

_WINDOWS_A_GROUP = 1024  # of Parquet: 4 MiB of ids in memory


class Writer(ABC):
    """Takes rows one after the other and makes a file of them; a context manager, which closes it in any case."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            with contextlib.suppress(OSError):  # what is in its buffers may not fit either
                self.close()

    @abstractmethod
    def add(self, record: Record) -> None:
        """Write a row."""

    @abstractmethod
    def close(self) -> None:
        """Close the file as it is."""

    @abstractmethod
    def finish(self, split: Split) -> OutputFile | None:
        """Finish the file; None, and no file, where nothing was written."""


class ExchangeWriter(Writer):
    """``prompt`` and ``completion``, with the columns of multiple choice where it is that."""

    def __init__(self, path: Path) -> None:
        """Write into a new file."""
        self._path, self._rows = path, 0
        self._file = path.open("wb")

    def add(self, record: Record) -> None:
        """Write an exchange."""
        assert isinstance(record.content, Exchange)  # noqa: S101 - texts are left out before
        row = {"prompt": record.content.prompt, "completion": record.content.reply}
        if record.choice:
            named = ("question", *OPTIONS, "explanation", "answer")
            row |= {name: getattr(record.choice, name) for name in named}
        self._file.write(msgspec.json.encode(row) + b"\n")
        self._rows += 1

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def finish(self, split: Split) -> OutputFile | None:
        """Finish the file."""
        self.close()
        return _finished(self._path, split, self._rows, 0)


class WindowWriter(Writer):
    """Texts as windows of one length, one behind the other: each begins with BOS, so that it is known where.

    A text that does not fit in what is left of a window goes on in the next one. The last window is shorter.
    """

    def __init__(self, path: Path, tokenize: Callable[[str], list[int]], length: int) -> None:
        """Write into a new file.

        Args:
            tokenize: a text as token ids, with its beginning and its end.
            length: tokens in a window.
        """
        import pyarrow as arrow
        from pyarrow import parquet

        self._path, self._tokenize, self._length = path, tokenize, length
        self._schema = arrow.schema([("input_ids", arrow.list_(arrow.int32()))])
        self._file: Any = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rest: list[int] = []
        self._windows: list[list[int]] = []
        self._rows = self._tokens = 0

    def add(self, record: Record) -> None:
        """Write a document, or an exchange as the text that it is."""
        content = record.content
        text = f"{content.prompt}\n\n{content.reply}" if isinstance(content, Exchange) else str(content)
        ids = self._rest + self._tokenize(text)
        whole = len(ids) - len(ids) % self._length
        self._windows += [ids[at : at + self._length] for at in range(0, whole, self._length)]
        self._rest = ids[whole:]
        if len(self._windows) >= _WINDOWS_A_GROUP:
            self._write()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def finish(self, split: Split) -> OutputFile | None:
        """Finish the file."""
        if self._rest:
            self._windows.append(self._rest)
        self._write()
        self.close()
        return _finished(self._path, split, self._rows, self._tokens)

    def _write(self) -> None:
        import pyarrow as arrow

        if self._windows:
            self._file.write_table(arrow.table({"input_ids": self._windows}, schema=self._schema))
        self._rows += len(self._windows)
        self._tokens += sum(map(len, self._windows))
        self._windows = []


def _finished(path: Path, split: Split, rows: int, tokens: int) -> OutputFile | None:
    if not rows:
        path.unlink()
        return None
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return OutputFile(path.name, split, sha256_of(path), path.stat().st_size, rows, tokens)
