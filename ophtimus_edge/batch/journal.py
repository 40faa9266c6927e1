"""What is answered so far, kept beside the output until all of it is there.

In the folder ``.NAME.part`` beside the output lie ``journal.jsonl`` and a lock. The journal's first
line says what is asked, of which model and with which settings; then comes a line for each row, in the
order in which they ended. A program that was killed leaves at most its last line torn, a power cut
perhaps more: the journal is taken up to its first damaged line, and whatever stood behind it is
answered again. When every row is there, the output is written in the input's order and renamed.
"""

import contextlib
import os
import shutil
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import msgspec

from ophtimus_edge.errors import FolderNotWritableError, UsageError

_SYNC_S = 1.0  # a power cut costs the answers of a second at the most
_KEPT = "Free some space there, or mend what keeps it from being written; then run the same command to go on."

Settings = dict[str, str]


class _Head(msgspec.Struct, tag="begun"):
    """The first line.

    Attributes:
        settings: whatever decides the text of the answers, by the name that a person gives it.
        seed: that was drawn for this output, for whoever draws one.
    """

    settings: Settings
    seed: int


class _Run(msgspec.Struct, tag="run"):
    """A line that each run begins with: what computes."""

    machine: str


class _Done(msgspec.Struct):
    """What is read of a row's line."""

    row: int
    error: str = ""


_read_special = msgspec.json.Decoder(_Head | _Run).decode
_read_row = msgspec.json.Decoder(_Done).decode


class Journal:
    """The rows that are answered; made by :func:`opened`.

    Attributes:
        seed: drawn when the output was begun.
        done: how many rows are there.
        failed: how many of them could not be asked.
        finished: whether the output is in its place.
    """

    def __init__(self, out: Path, folder: Path, settings: Settings, count: int, seed: int) -> None:
        self.seed = seed
        self.done = 0
        self.failed = 0
        self._out, self._folder, self._count = out, folder, count
        self._places = array("q", [-1]) * (count + 1)
        self._machine = ""
        self._synced = time.monotonic()
        self._path = folder / "journal.jsonl"
        self._file: BinaryIO = self._path.open("a+b")
        self.finished = False
        try:
            self._end = self._take_up(settings)
        except BaseException:
            self.close()
            raise

    @property
    def complete(self) -> bool:
        """Whether every row is there."""
        return self.done == self._count

    def has(self, row: int) -> bool:
        """Whether a row is there."""
        return self._places[row] >= 0

    def begin_run(self, machine: str) -> str:
        """Note what computes from here on; returns what computed the rows that are there, or "".

        Raises:
            FolderNotWritableError: the journal cannot be written.
        """
        before, self._machine = self._machine, machine
        if before != machine:
            self._append(msgspec.json.encode(_Run(machine)))
        return before if self.done else ""

    def add(self, row: int, line: bytes, failed: bool) -> None:
        """Keep a row's record; one that is there already stays as it is.

        Args:
            line: the record in JSON, which begins with the row's number.
            failed: whether it says why there is no answer.

        Raises:
            FolderNotWritableError: the disk is full, or cannot be written.
        """
        if not self.has(row):
            place = self._end
            self._append(line)
            self._count_in(row, place, failed)

    def lines(self) -> Iterator[bytes]:
        """The records in the input's order."""
        for row in range(1, self._count + 1):
            self._file.seek(self._places[row])
            yield self._file.readline().rstrip(b"\n")

    def finish(self, write: Callable[[Iterator[bytes], TextIO], None], encoding: str) -> None:
        """Write the output.

        Args:
            write: given the records and where to write them.
            encoding: of the output.

        Raises:
            FolderNotWritableError: the disk is full, or cannot be written.
        """
        part = self._folder / "output"
        try:
            with part.open("w", encoding=encoding, newline="") as stream:
                write(self.lines(), stream)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self._out)
        except OSError as error:
            raise _unwritable(self._out, error, _KEPT) from error
        self.finished = True

    def close(self) -> None:
        """Put everything on the disk and let go of the file."""
        with contextlib.suppress(OSError):  # what did not reach the disk is answered again
            self._file.flush()
            os.fsync(self._file.fileno())
        with contextlib.suppress(OSError):
            self._file.close()

    def _take_up(self, settings: Settings) -> int:
        """Read what an earlier run left; returns where the next line goes."""
        self._file.seek(0)
        head = self._head(self._file.readline())
        end = self._file.tell()
        if head is not None:
            while (line := self._file.readline()).endswith(b"\n") and self._takes(line, end):
                end = self._file.tell()
        if head is None or (not self.done and head.settings != settings):
            self._file.truncate(0)
            self._end = 0
            self._machine = ""
            self._append(msgspec.json.encode(_Head(settings, self.seed)))
            return self._end
        if head.settings != settings:
            raise _other_settings(self._out, self._folder, head.settings, settings)
        self.seed = head.seed
        self._file.truncate(end)
        return end

    def _head(self, line: bytes) -> _Head | None:
        try:
            head = _read_special(line) if line.endswith(b"\n") else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return head if isinstance(head, _Head) else None

    def _takes(self, line: bytes, place: int) -> bool:
        try:
            if line.startswith(b'{"type"'):
                special = _read_special(line)
                self._machine = special.machine if isinstance(special, _Run) else self._machine
                return isinstance(special, _Run)
            done = _read_row(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if not 0 < done.row <= self._count:
            return False
        if not self.has(done.row):
            self._count_in(done.row, place, bool(done.error))
        return True

    def _count_in(self, row: int, place: int, failed: bool) -> None:
        self._places[row] = place
        self.done += 1
        self.failed += failed

    def _append(self, line: bytes) -> None:
        try:
            self._file.seek(0, os.SEEK_END)
            self._file.write(line + b"\n")
            self._file.flush()
            if time.monotonic() - self._synced > _SYNC_S:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise _unwritable(self._path, error, _KEPT) from error
        self._end += len(line) + 1


def folder_of(out: Path) -> Path:
    """Where the journal of an output lies."""
    return out.with_name(f".{out.name}.part")


@contextlib.contextmanager
def opened(out: Path, settings: Settings, count: int, seed: int) -> Iterator[Journal]:
    """Hold the journal of an output: what an earlier run with the same settings left, or a new one.

    It is removed at the end where the output is in its place, or where no row is answered yet.

    Args:
        out: the output, which need not exist.
        settings: whatever decides the text of the answers, by the name that a person gives it.
        count: rows of the input.
        seed: to keep where the output is begun now.

    Raises:
        UsageError: the output is there already, or was begun with other settings.
        FolderNotWritableError: it cannot be written, or another run writes it.
    """
    # A program that was killed between renaming the output and removing the journal left both.
    refuse_existing(out)
    import filelock

    folder = folder_of(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise FolderNotWritableError(
            f"{out} is being written by another run.", "Wait for its end, or name another --out."
        ) from None
    except OSError as error:
        raise _unwritable(out, error, "Name a place that you may write with --out.") from error
    journal: Journal | None = None
    try:
        try:
            journal = Journal(out, folder, settings, count, seed)
        except OSError as error:
            raise _unwritable(folder, error, _KEPT) from error
        if out.exists() and not journal.complete:
            raise _exists(out)
        yield journal
    finally:
        if journal is not None:
            journal.close()
        lock.release()
        if journal is not None and (journal.finished or not journal.done):
            shutil.rmtree(folder, ignore_errors=True)


def refuse_existing(out: Path) -> None:
    """Refuse an output that is there and complete.

    Raises:
        UsageError: it is.
    """
    if out.exists() and not (folder_of(out) / "journal.jsonl").exists():
        raise _exists(out)


def _exists(out: Path) -> UsageError:
    return UsageError(
        f"{out} exists already, and is not overwritten.", "Name another --out, or move the file away."
    )


def _other_settings(out: Path, folder: Path, old: Settings, new: Settings) -> UsageError:
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    what = ", ".join(
        f"{name} {old.get(name) or 'not given'}" if name.startswith("--") else f"another {name}"
        for name in names
    )
    return UsageError(
        f"{out} was begun with {what}.",
        f"Go on with the same words, name another --out, or delete {folder} to begin again.",
    )


def _unwritable(path: Path, error: OSError, hint: str) -> FolderNotWritableError:
    return FolderNotWritableError(f"{path} cannot be written: {error.strerror or error}.", hint)
