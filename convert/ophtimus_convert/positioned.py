"""Reading and writing at an offset, from several threads, on every system.

Memory maps would do it too, but mapped pages count as resident memory, and a checkpoint is larger
than the memory that a conversion may take.
"""

import os
import sys
import threading
from pathlib import Path

_seeking = threading.Lock()  # Windows has no pread: there a position belongs to the whole file


class PositionedFile:
    """An open file that is read and written at offsets."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        """Open an existing file."""
        flags = (os.O_RDWR if write else os.O_RDONLY) | getattr(os, "O_BINARY", 0)
        self.path = path
        self._file = os.open(path, flags)

    def close(self) -> None:
        """Close it."""
        os.close(self._file)

    def read(self, size: int, offset: int) -> bytes:
        """Exactly ``size`` bytes.

        Raises:
            OSError: the file cannot be read, or ends before.
        """
        pieces = []
        while size:
            piece = self._read(size, offset)
            if not piece:
                raise OSError(0, "the file ends too soon", str(self.path))
            pieces.append(piece)
            size, offset = size - len(piece), offset + len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """All of ``data``.

        Raises:
            OSError: the file cannot be written, or the disk is full.
        """
        view = memoryview(data)
        while view:  # a disk that fills up takes a part first, and fails the next time
            try:
                written = self._write(view, offset)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self.path)) from error
            view, offset = view[written:], offset + written

    def _read(self, size: int, offset: int) -> bytes:
        if sys.platform != "win32":
            return os.pread(self._file, size, offset)
        with _seeking:
            os.lseek(self._file, offset, os.SEEK_SET)
            return os.read(self._file, size)

    def _write(self, view: memoryview, offset: int) -> int:
        if sys.platform != "win32":
            return os.pwrite(self._file, view, offset)
        with _seeking:
            os.lseek(self._file, offset, os.SEEK_SET)
            return os.write(self._file, view)
