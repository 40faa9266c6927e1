"""The question that was begun and not sent: kept in a file that only its writer can read, until it is sent.

A crash, a power cut or a closed window must not cost a long question. The file is gone as soon as the
question is sent or the box is empty.
"""

from pathlib import Path

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError
from ophtimus_edge.text import sanitize

_MOST_BYTES = 4 << 20


class Draft:
    """One draft in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """What was begun; "" where there is nothing, or nothing that can be read."""
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return ""
            return sanitize(self._path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return ""

    def keep(self, text: str) -> None:
        """Keep a draft in the place of the last one; an empty one leaves no file.

        Raises:
            FolderNotWritableError: it cannot be written.
        """
        try:
            if not text.strip():
                self._path.unlink(missing_ok=True)
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locations.staged(self._path) as part:
                part.touch(mode=0o600)  # its writer's alone from the start
                part.write_bytes(text.encode("utf-8", "replace"))
        except OSError as error:
            raise FolderNotWritableError(
                f"the draft cannot be kept in {self._path}: {error.strerror or error}.",
                "Free some space on its disk, and send the question before you close the app.",
            ) from error
