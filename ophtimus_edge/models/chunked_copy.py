"""Copying a large file in chunks that are hashed, so that a copy that was killed goes on."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ophtimus_edge.locations import staged

CHUNK_BYTES = 4 << 20


class CopyError(Exception):
    """The source cannot be read, or is not what it should be; the text goes on behind the file's name."""


class Copied(NamedTuple):
    """A file that is copied.

    Attributes:
        sha256: of the whole.
        chunk_sha256: of its chunks.
        copied_bytes: how much was copied now; what was there already is not counted.
    """

    sha256: str
    chunk_sha256: list[str]
    copied_bytes: int


def copy_file(
    source: Path, target: Path, notes: Path, known: list[str], on_progress: Callable[[int], None]
) -> Copied:
    """Copy a file, or go on with a copy.

    What is there is read and hashed again, so that only whole chunks count: at most one is copied twice.

    Args:
        target: the copy; what it holds already came from this source.
        notes: where the hashes of chunks are noted as they are copied, where ``known`` is empty.
        known: the SHA-256 of each chunk, as whoever made the file has it; may be empty.
        on_progress: told the bytes that are there.

    Raises:
        CopyError: the source cannot be read, or a chunk is not the known one.
        OSError: the target cannot be written.
    """
    whole, hashes = hashlib.sha256(), list[str]()
    done = copied = 0
    with target.open("r+b" if target.exists() else "x+b") as out:
        for wanted in known or _noted(notes):
            data = out.read(CHUNK_BYTES)
            if not data or hashlib.sha256(data).hexdigest() != wanted:
                break
            whole.update(data)
            hashes.append(wanted)
            done += len(data)
            on_progress(done)
        out.seek(done)
        out.truncate()
        if not known:
            with staged(notes) as part:
                part.write_text("".join(f"{chunk}\n" for chunk in hashes), encoding="ascii")
        for data in _chunks(source, done):
            found = hashlib.sha256(data).hexdigest()
            if known and known[len(hashes) : len(hashes) + 1] != [found]:
                raise CopyError(f"is damaged between its bytes {done} and {done + len(data)}")
            out.write(data)
            out.flush()
            if not known:
                with notes.open("a", encoding="ascii") as file:
                    file.write(f"{found}\n")
            whole.update(data)
            hashes.append(found)
            done += len(data)
            copied += len(data)
            on_progress(done)
        if len(hashes) < len(known):
            raise CopyError(f"ends at byte {done}, before its time")
        os.fsync(out.fileno())
    return Copied(whole.hexdigest(), hashes, copied)


def _noted(notes: Path) -> list[str]:
    """The hashes that an earlier run noted; a torn last line is none of any chunk, and ends them."""
    try:
        return notes.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _chunks(source: Path, start: int) -> Iterator[bytes]:
    """The chunks of the source from a byte on; its faults are told apart from those of the target."""
    at = start
    file: BinaryIO
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(source.open("rb"))
            file.seek(start)
            while data := file.read(CHUNK_BYTES):
                at += len(data)
                yield data
        except OSError as error:
            raise CopyError(f"cannot be read at byte {at} ({error.strerror or error})") from error
