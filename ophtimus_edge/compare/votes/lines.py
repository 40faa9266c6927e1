"""Files that grow by a line of JSON: what was written stays, and a last line that was torn is none.

A program that is killed, or a power cut, leaves at most the last line torn: nobody was told that it is kept.
It is passed over when the file is read, and makes room for the next line.
"""

import errno
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.errors import FolderNotWritableError
from ophtimus_edge.locations import sync_folder

_HINT = (
    "Free some space there, or mend what keeps it from being written; what was kept before is still there."
)


class NumberedLine(NamedTuple):
    """A line as an editor numbers it."""

    number: int
    data: bytes


def whole_lines(data: bytes) -> list[NumberedLine]:
    """The lines of a file that are not blank; without a last one that was torn."""
    kept = data[: _whole(data)].removeprefix(b"\xef\xbb\xbf")
    return [
        NumberedLine(number, line)
        for number, line in enumerate(kept.split(b"\n"), start=1)
        if line.strip()
    ]  # fmt: skip


def append(path: Path, line: bytes) -> None:
    """Put a line at the end of a file, and have it on the disk before this returns.

    Args:
        line: JSON without a line feed.

    Raises:
        FolderNotWritableError: the disk is full, or the file cannot be written; the file is as it was.
    """
    try:
        new = not path.exists()
        with path.open("a+b", buffering=0) as file:
            file.seek(0)
            before = file.read() or b""
            end = _whole(before)
            if end < len(before):
                file.truncate(end)
            missing = b"\n" if end and not before[:end].endswith(b"\n") else b""
            try:
                _write(file.fileno(), missing + line + b"\n")
            except OSError:
                file.truncate(end)
                raise
        if new:
            sync_folder(path.parent)
    except OSError as error:
        raise FolderNotWritableError(
            f"{path} cannot be written: {error.strerror or error}.", _HINT
        ) from error


def _whole(data: bytes) -> int:
    """Where the last line ends that is whole: one without its line feed is, where it is JSON all the same."""
    end = data.rfind(b"\n") + 1
    try:
        msgspec.json.decode(data[end:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return end
    return len(data)


def _write(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)
