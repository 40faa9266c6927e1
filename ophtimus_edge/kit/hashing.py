"""The SHA-256 of a kit's files on all cores: pieces of files, the largest files first, in bounded memory."""

import hashlib
import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ophtimus_edge.kit.manifest import KitFile
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.digests import page_buffer
from ophtimus_edge.models.hardware import usable_cores

_CHUNKS = 4  # of a piece: a stick reads them in one go
_WAIT_S = 0.2  # Windows does not notice Ctrl+C in a longer wait


class Piece(NamedTuple):
    """A part of a file that one thread hashes.

    Attributes:
        start, end: its bytes; the end is not in it.
        sha256: of its chunks, or of the whole file.
        step: bytes of a chunk.
    """

    file: KitFile
    start: int
    end: int
    sha256: list[str]
    step: int


def pieces(file: KitFile) -> Iterator[Piece]:
    """The parts of a file that may be hashed apart: its chunks where the manifest has their hashes, else the whole.

    The chunks of a signed manifest are as good as the hash of the whole, and a file of many GiB does not leave all
    cores but one without work.
    """
    size, chunks = file.size_bytes, file.chunk_sha256
    if not chunks:
        yield Piece(file, 0, size, [file.sha256], max(size, 1))
    for first in range(0, len(chunks), _CHUNKS):
        end = min(size, (first + _CHUNKS) * CHUNK_BYTES)
        yield Piece(file, first * CHUNK_BYTES, end, chunks[first : first + _CHUNKS], CHUNK_BYTES)


def open_regular(path: Path) -> BinaryIO:
    """Open a file that is one, and no link, named pipe or device, which could lead elsewhere or never end.

    Raises:
        OSError: it is not there, is none, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(None, "it is not a file")
        return open(opened, "rb", buffering=0)  # noqa: PTH123 - it is open
    except BaseException:
        os.close(opened)
        raise


def hash_pieces(root: Path, work: list[Piece], on_progress: Callable[[int, int], None]) -> dict[str, str]:
    """Hash pieces of files on all cores.

    Args:
        root: the folder that the files' paths are in.
        on_progress: told the bytes that were read, and how many there are.

    Returns:
        What is wrong, by the file's path; of a file with several faults, the first.
    """
    total = sum(piece.end - piece.start for piece in work)
    # Whole files without chunks keep a core the longest: they begin first.
    waiting = iter(sorted(work, key=lambda piece: (piece.start - piece.end, piece.file.path, piece.start)))
    told = queue.SimpleQueue[int | tuple[Piece, int, str] | BaseException | None]()
    stopped, taking = threading.Event(), threading.Lock()

    def run() -> None:
        buffer = page_buffer()
        try:
            while not stopped.is_set():
                with taking:
                    piece = next(waiting, None)
                if piece is None:
                    return
                fault = _hash_piece(root, piece, buffer, told.put, stopped)
                if fault:
                    told.put((piece, *fault))
        except BaseException as error:  # what nobody expects must not pass for a sound file
            told.put(error)
        finally:
            told.put(None)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(usable_cores(), len(work)))]
    found = dict[str, tuple[int, str]]()
    done, running = 0, len(threads)
    try:
        for thread in threads:
            thread.start()
        while running:
            try:
                news = told.get(timeout=_WAIT_S)
            except queue.Empty:
                continue
            if news is None:
                running -= 1
            elif isinstance(news, int):
                done += news
                on_progress(done, total)
            elif isinstance(news, BaseException):
                raise news
            else:
                piece, at, fault = news
                found[piece.file.path] = min(found.get(piece.file.path, (at, fault)), (at, fault))
    finally:
        stopped.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    return {path: fault for path, (_, fault) in found.items()}


def _hash_piece(
    root: Path, piece: Piece, buffer: memoryview, on_bytes: Callable[[int], None], stopped: threading.Event
) -> tuple[int, str] | None:
    """Where a piece's first fault is, and which; None where it has none."""
    at = piece.start
    try:
        with open_regular(root / piece.file.path) as file:
            file.seek(at)
            for wanted in piece.sha256:
                begin, end = at, min(at + piece.step, piece.end)
                digest = hashlib.sha256()
                while at < end:
                    count = file.readinto(buffer[: end - at])  # type: ignore[attr-defined]
                    if not count:
                        return at, f"ends at byte {at}"
                    digest.update(buffer[:count])
                    at += count
                    if stopped.is_set():
                        return None
                on_bytes(end - begin)
                if digest.hexdigest() != wanted:
                    part = f" between its bytes {begin} and {end}" if piece.file.chunk_sha256 else ""
                    return begin, f"was changed{part}"
    except OSError as error:
        return at, f"cannot be read at byte {at}: {error.strerror or error}"
    return None
