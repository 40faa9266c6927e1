"""The question that was begun and not sent: kept in a file that only its writer can read, until it is sent.

A crash, a power cut or a closed window must not cost a long question. The file is gone as soon as the
question is sent or the box is empty. With the key of a history it is encrypted as the history is.
"""

import secrets
from pathlib import Path

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError
from ophtimus_edge.text import sanitize

_MOST_BYTES = 4 << 20
_MARK = b"ophtimus draft 1"  # of an encrypted one
_NONCE_BYTES = 12


class Draft:
    """One draft in one file."""

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        """Name the file.

        Args:
            key: 32 bytes to encrypt it with; None writes it in plain.
        """
        self._path = path
        self._key = key

    def read(self) -> str:
        """What was begun; "" where there is nothing, or nothing that can be read, or another key wrote it."""
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return ""
            data = self._path.read_bytes()
        except OSError:
            return ""
        return sanitize(self._opened(data).decode("utf-8", "replace"))

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
                part.write_bytes(self._sealed(text.encode("utf-8", "replace")))
        except OSError as error:
            raise FolderNotWritableError(
                f"the draft cannot be kept in {self._path}: {error.strerror or error}.",
                "Free some space on its disk, and send the question before you close the app.",
            ) from error

    def _sealed(self, data: bytes) -> bytes:
        if self._key is None:
            return data
        # Loaded here, as the app without a history needs none of it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _MARK + nonce + AESGCM(self._key).encrypt(nonce, data, _MARK)

    def _opened(self, data: bytes) -> bytes:
        if self._key is None:
            return b"" if data.startswith(_MARK) else data
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, sealed = data[len(_MARK) :][:_NONCE_BYTES], data[len(_MARK) + _NONCE_BYTES :]
        if not data.startswith(_MARK) or len(nonce) < _NONCE_BYTES:
            return b""
        try:
            return AESGCM(self._key).decrypt(nonce, sealed, _MARK)
        except InvalidTag:
            return b""
