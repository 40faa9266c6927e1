"""What is measured so far, kept in the folder of the report until it is measured again with other settings.

Each part of each level has a file of its own, ``measured/PART-LEVEL-DIGEST.jsonl``: its first line says what was
measured, of which file and with which settings, and then comes a line for each record. The digest is of that
first line, so that other settings are another file and nothing is mixed. A program that was killed leaves at
most its last line torn; the file is taken up to its first damaged line, and what stood behind it is measured
again.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, Self, TypeVar

import filelock
import msgspec

from ophtimus_edge.errors import FolderNotWritableError

_SYNC_S = 1.0  # a power cut costs the records of a second at the most
_FOLDER = "measured"
_DIGITS = 12  # of the digest

Record = TypeVar("Record", bound=msgspec.Struct)


class _Head(msgspec.Struct, frozen=True):
    part: str
    level: str
    settings: dict[str, str]


class Ledger(Generic[Record]):
    """The records of one part of one level. A context manager: what it holds is on the disk at its end.

    Args:
        out: the folder of the report.
        part: "divergence", "choices" …
        level: the level's name, for who looks into the folder.
        settings: whatever decides the records, by name: the files' SHA-256, the counts, the release.
        kind: of the records.

    Attributes:
        records: those that are there, in the order in which they were measured.

    Raises:
        FolderNotWritableError: the file cannot be read or written.
    """

    def __init__(
        self, out: Path, part: str, level: str, settings: dict[str, str], kind: type[Record]
    ) -> None:
        head = msgspec.json.encode(_Head(part, level, dict(sorted(settings.items()))))
        digest = hashlib.sha256(head).hexdigest()[:_DIGITS]
        self.path = out / _FOLDER / f"{part}-{_safe(level)}-{digest}.jsonl"
        self.records: list[Record] = []
        self._decode = msgspec.json.Decoder(kind).decode
        self._synced = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self.path.open("a+b")
            self._take_up(head)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # what did not reach the disk is measured again
            self._file.flush()
            os.fsync(self._file.fileno())
        with contextlib.suppress(OSError):
            self._file.close()

    def add(self, record: Record) -> None:
        """Keep a record.

        Raises:
            FolderNotWritableError: the disk is full, or cannot be written.
        """
        try:
            self._append(msgspec.json.encode(record))
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self.records.append(record)

    def _take_up(self, head: bytes) -> None:
        self._file.seek(0)
        if self._file.readline() != head + b"\n":
            self._file.truncate(0)
            self._append(head)
            return
        end = self._file.tell()
        while (line := self._file.readline()).endswith(b"\n"):
            try:
                self.records.append(self._decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                break
            end = self._file.tell()
        self._file.truncate(end)

    def _append(self, line: bytes) -> None:
        self._file.seek(0, os.SEEK_END)
        place = self._file.tell()
        try:
            self._file.write(line + b"\n")
            self._file.flush()
        except OSError:
            with contextlib.suppress(OSError):  # no half of a line before the next one
                self._file.truncate(place)
            raise
        if time.monotonic() - self._synced > _SYNC_S:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()


@contextlib.contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold a report's folder: two comparisons in one would measure each other's speed.

    Raises:
        FolderNotWritableError: it cannot be written, or another run holds it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(out / ".lock")
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise FolderNotWritableError(
            f"another comparison is being written to {out}.", "Wait for its end, or name another --out."
        ) from None
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        yield
    finally:
        lock.release()
        with contextlib.suppress(OSError):
            (out / ".lock").unlink()


def _safe(level: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in level)[:40] or "level"


def _unwritable(path: Path, error: OSError) -> FolderNotWritableError:
    return FolderNotWritableError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Free some space there, or mend what keeps it from being written; then run the same command to go on.",
    )
