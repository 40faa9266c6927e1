"""The key of a profile's history, and what it lies in: an owner-only file, or a wrap that a passphrase opens.

The data key is 32 random bytes, made once. A passphrase, and the recovery key that is printed with it, only
wrap it (scrypt, then AES-256-GCM), so that changing them never writes the history anew. Without a passphrase
whoever can read the file can read the history; the screen says so.
"""

import binascii
import contextlib
import hashlib
import os
import re
import secrets
import unicodedata
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ophtimus_edge import locations
from ophtimus_edge.errors import (
    FormatVersionError,
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryLockedError,
    PassphraseTooShortError,
    RecoveryKeyMistypedError,
)

KEY_BYTES = 32
SHORTEST_PASSPHRASE = 8  # characters
_VERSION = 1
_SCRYPT_N = 1 << 17  # with r = 8: 128 MiB and a third of a second a try
_SCRYPT_R, _SCRYPT_P = 8, 1
_MOST_BYTES = 64 << 10
_RECOVERY_BYTES = 20
_GROUP = 4
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: no I, L, O or U
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})

RecoveryKey = str
"""160 random bits and a checksum, as they are printed: nine groups of four characters with hyphens."""


class _Wrap(msgspec.Struct, frozen=True):
    """The data key behind a secret; the limits keep a file from elsewhere from taking all memory."""

    n: Annotated[int, msgspec.Meta(ge=2, le=1 << 20)]
    r: Annotated[int, msgspec.Meta(ge=1, le=8)]
    p: Annotated[int, msgspec.Meta(ge=1, le=4)]
    salt: bytes
    nonce: bytes
    ciphertext: bytes


class _KeyFile(msgspec.Struct, frozen=True):
    """What key.json holds: the data key itself, or the two wraps.

    Attributes:
        check: of the plain key, so that a damaged file is told from a damaged history.
    """

    version: int = _VERSION
    plain: bytes | None = None
    check: str = ""
    passphrase: _Wrap | None = None
    recovery: _Wrap | None = None


def create(path: Path) -> bytes:
    """Make a data key and keep it in a file that only its owner can read.

    Raises:
        HistoryError: there is a file already.
        HistoryFullError: the disk is full, or the file cannot be written.
    """
    if path.exists():
        raise HistoryError(
            f"there is a key already: {path}.", "Leave it where it is: without it the history cannot be read."
        )
    key = secrets.token_bytes(KEY_BYTES)
    _write(path, _KeyFile(plain=key, check=_check(key)))
    return key


def is_locked(path: Path) -> bool:
    """Whether a passphrase is needed.

    Raises:
        HistoryDamagedError: the file is missing or damaged.
        FormatVersionError: a newer release wrote it.
    """
    return _read(path).plain is None


def unlock(path: Path, passphrase: str | None = None, recovery: RecoveryKey | None = None) -> bytes:
    """The data key.

    Every try with a secret costs the same time, and ends with the same sentence whatever was wrong.

    Args:
        passphrase, recovery: at most one of them; neither is needed where the history is not locked.

    Raises:
        HistoryLockedError: the secret does not open it, or one is needed.
        RecoveryKeyMistypedError: what was given is no recovery key at all.
        HistoryDamagedError: the file is missing or damaged.
        FormatVersionError: a newer release wrote it.
    """
    kept = _read(path)
    if kept.plain is not None:
        return kept.plain
    if recovery is not None:
        return _unwrap(kept.recovery, _recovery_secret(recovery))
    if passphrase is not None:
        return _unwrap(kept.passphrase, _secret(passphrase))
    raise HistoryLockedError("the history is locked.", "Give its passphrase or its recovery key.")


def set_passphrase(
    path: Path, new: str, old: str | None = None, recovery: RecoveryKey | None = None
) -> RecoveryKey:
    """Lock the history with a passphrase, or with another one; the history itself is not written anew.

    Args:
        old, recovery: what opens it now; neither where it is not locked.

    Returns:
        The recovery key, to be printed and kept elsewhere; one from before opens nothing any more.

    Raises:
        PassphraseTooShortError: it has fewer than SHORTEST_PASSPHRASE characters.
        HistoryLockedError: the old secret does not open it.
        HistoryFullError: the disk is full, or the file cannot be written; what it held stays.
    """
    _check_length(new)
    return _lock(path, unlock(path, old, recovery), new)


def create_locked(path: Path, key: bytes, passphrase: str) -> RecoveryKey:
    """Keep a data key that exists in a new file behind a passphrase, for a backup.

    Returns:
        Its own recovery key.

    Raises:
        PassphraseTooShortError: it has fewer than SHORTEST_PASSPHRASE characters.
        HistoryFullError: the disk is full, or the file cannot be written.
    """
    _check_length(passphrase)
    return _lock(path, key, passphrase)


def remove_passphrase(path: Path, passphrase: str | None = None, recovery: RecoveryKey | None = None) -> None:
    """Unlock the history for good: from now on whoever can read the file can read it.

    Raises:
        HistoryLockedError: the secret does not open it.
        HistoryFullError: the disk is full, or the file cannot be written; what it held stays.
    """
    key = unlock(path, passphrase, recovery)
    _write(path, _KeyFile(plain=key, check=_check(key)))


def check_recovery_key(typed: str) -> RecoveryKey:
    """A recovery key as it was printed, from what somebody typed: case, spaces, hyphens, O for 0, I for 1.

    Raises:
        RecoveryKeyMistypedError: a character is missing or wrong.
    """
    return _printed(_recovery_secret(typed))


def _check_length(passphrase: str) -> None:
    if len(passphrase.strip()) < SHORTEST_PASSPHRASE:
        raise PassphraseTooShortError(
            f"the passphrase has fewer than {SHORTEST_PASSPHRASE} characters.",
            "Take several words that others would not guess.",
        )


def _lock(path: Path, key: bytes, passphrase: str) -> RecoveryKey:
    digits = secrets.token_bytes(_RECOVERY_BYTES)
    _write(path, _KeyFile(passphrase=_wrap(key, _secret(passphrase)), recovery=_wrap(key, digits)))
    return _printed(digits)


def _read(path: Path) -> _KeyFile:
    advice = "Put the file back from a backup of the history; without it the history cannot be read."
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        version = msgspec.json.decode(data, type=dict[str, object]).get("version")
        if isinstance(version, int) and version > _VERSION:
            raise FormatVersionError(
                f"a newer release wrote the key {path}.", "Install that release, or a later one, to read it."
            )
        kept = msgspec.json.decode(data, type=_KeyFile)
    except FileNotFoundError:
        raise HistoryDamagedError(f"the key of the history is missing: {path}.", advice) from None
    except OSError as error:
        raise HistoryDamagedError(
            f"the key of the history {path} cannot be read: {error.strerror or error}.",
            "See to it that it is a file that you may read.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error):
        raise HistoryDamagedError(f"the key of the history is damaged: {path}.", advice) from None
    whole = (
        kept.passphrase is not None and kept.recovery is not None
        if kept.plain is None
        else len(kept.plain) == KEY_BYTES and secrets.compare_digest(kept.check, _check(kept.plain))
    )
    if not whole:
        raise HistoryDamagedError(f"the key of the history is damaged: {path}.", advice)
    return kept


def _write(path: Path, kept: _KeyFile) -> None:
    try:
        with contextlib.ExitStack() as stack:
            before = None
            if os.name != "nt" and path.exists():  # Windows renames over no file that is open
                before = stack.enter_context(path.open("rb+"))
            with locations.staged(path) as part:
                part.touch(mode=0o600)
                part.chmod(0o600)
                part.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
            locations.sync_folder(path.parent)
            if before is not None:
                # A key that lay open must not stay in the free blocks behind a passphrase; a disk that
                # moves its blocks (SSD) may keep it all the same.
                length = before.seek(0, os.SEEK_END)
                before.seek(0)
                before.write(bytes(length))
                before.flush()
                os.fsync(before.fileno())
    except OSError as error:
        raise HistoryFullError(
            f"the key of the history cannot be written: {path}: {error.strerror or error}.",
            "Free some space on its disk, and do it again. What was kept is as it was.",
        ) from error


def _check(key: bytes) -> str:
    return hashlib.sha256(b"ophtimus history key" + key).hexdigest()[:16]


def _secret(passphrase: str) -> bytes:
    # The same Korean syllable comes as one character or as its parts, as the keyboard will have it.
    return unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")


def _derive(secret: bytes, n: int, r: int, p: int, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(secret))


def _wrap(key: bytes, secret: bytes) -> _Wrap:
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = _derive(secret, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P, salt).encrypt(nonce, key, None)
    return _Wrap(_SCRYPT_N, _SCRYPT_R, _SCRYPT_P, salt, nonce, sealed)


def _unwrap(wrap: _Wrap | None, secret: bytes) -> bytes:
    try:
        if wrap is not None:
            cipher = _derive(secret, wrap.n, wrap.r, wrap.p, wrap.salt)
            key = cipher.decrypt(wrap.nonce, wrap.ciphertext, None)
            if len(key) == KEY_BYTES:
                return key
    except (InvalidTag, ValueError):
        pass
    except MemoryError:
        raise HistoryError(
            "there is not enough free memory to open the history.", "Close other programs and try again."
        ) from None
    raise HistoryLockedError(
        "that does not open the history.",
        "Check the language of the keyboard and Caps Lock and try again, or give the recovery key.",
    )


def _printed(digits: bytes) -> RecoveryKey:
    value = int.from_bytes(digits, "big")
    signs = "".join(_ALPHABET[value >> shift & 31] for shift in range(8 * len(digits) - 5, -1, -5))
    signs += _checksum(digits)
    return "-".join(signs[at : at + _GROUP] for at in range(0, len(signs), _GROUP))


def _checksum(digits: bytes) -> str:
    value = int.from_bytes(hashlib.sha256(b"ophtimus recovery" + digits).digest()[:4], "big")
    return "".join(_ALPHABET[value >> 5 * place & 31] for place in range(_GROUP))


def _recovery_secret(typed: str) -> bytes:
    signs = re.sub(r"[\s\-‐-―−]", "", unicodedata.normalize("NFKC", typed)).upper().translate(_READ_AS)
    length = _RECOVERY_BYTES * 8 // 5
    if len(signs) == length + _GROUP and not set(signs) - set(_ALPHABET):
        value = 0
        for sign in signs[:length]:
            value = value << 5 | _ALPHABET.index(sign)
        digits = value.to_bytes(_RECOVERY_BYTES, "big")
        if _checksum(digits) == signs[length:]:
            return digits
    raise RecoveryKeyMistypedError(
        "this is no recovery key: a character is missing or wrong.",
        f"It has {length // _GROUP + 1} groups of {_GROUP} characters. Compare them with the printed ones.",
    )
