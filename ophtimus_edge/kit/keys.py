"""Ed25519 keys (RFC 8032): a kit is signed with one, and a clinic pins the one that its first kit came with.

The private key is a PEM file (PKCS #8) that only its owner can read, as OpenSSL reads it too; beside it lies
``.pub``, one line that says what it is. A public key is 32 bytes everywhere in the program.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ophtimus_edge.errors import KitSignatureError
from ophtimus_edge.locations import staged, sync_folder

# Only who signs or verifies waits for cryptography: `ophtimus --help` does not.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
SHORTEST_PASSPHRASE = 12  # characters
PUBLIC_SUFFIX = ".pub"

_WORD = "ophtimus-kit-key"
_LARGEST_KEY_FILE = 16 << 10
_LONGEST_PASSPHRASE = 1023  # bytes, as OpenSSL takes them


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A private key, to sign with.

    Attributes:
        public: its public key, 32 bytes.
        private: the key itself, to this file alone.
    """

    public: bytes
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        return self.private.sign(message)


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is the key's own, of exactly this message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):  # ValueError: not 32 bytes
        return False
    return True


def in_groups(sha256: str) -> str:
    """Hexadecimal digits in groups of four, to be read aloud or compared with paper."""
    return " ".join(sha256[at : at + 4] for at in range(0, len(sha256), 4))


def fingerprint(public: bytes) -> str:
    """The SHA-256 of a public key, in groups of four."""
    return in_groups(hashlib.sha256(public).hexdigest())


def generate_key() -> SigningKey:
    """A new key, which is nowhere yet."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    return SigningKey(private.public_key().public_bytes_raw(), private)


def check_new(path: Path, passphrase: str = "") -> None:
    """Refuse what :func:`write_key` would refuse, before anything is written.

    Raises:
        KitSignatureError: there is a file of that name, or the passphrase is too short or too long.
    """
    if passphrase and not (
        len(passphrase) >= SHORTEST_PASSPHRASE and len(passphrase.encode()) <= _LONGEST_PASSPHRASE
    ):
        raise KitSignatureError(
            "this passphrase is too short or too long to protect a key.",
            f"Take one of {SHORTEST_PASSPHRASE} characters or more, such as five words. Nothing was written.",
        )
    for file in (path, public_file(path)):
        if os.path.lexists(file):
            raise KitSignatureError(
                f"{file} is there already, and a key is never written over.",
                "Name a new file. Whoever loses a key can sign no more kits for the clinics that know it.",
            )


def write_key(path: Path, key: SigningKey, passphrase: str = "") -> None:
    """Write a private key, and its ``.pub`` beside it.

    Args:
        path: of the private key; nothing may be there.
        passphrase: that it is encrypted with (AES-256, PBKDF2 of 2,048 rounds, which slows guessing down little);
            "" for none.

    Raises:
        KitSignatureError: there is a file of that name, it cannot be written, or the passphrase is too short or long.
    """
    from cryptography.hazmat.primitives import serialization

    check_new(path, passphrase)
    pem = key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption(),
    )
    try:
        with staged(public_file(path)) as part:
            part.write_text(public_line(key.public), encoding="ascii", newline="\n")
        with staged(path) as part:
            part.touch(0o600, exist_ok=False)  # made with its mode: it is at no time readable by others
            part.write_bytes(pem)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            public_file(path).unlink(missing_ok=True)  # of a key that nobody has
        raise KitSignatureError(
            f"{path} cannot be written: {error.strerror or error}.", "Name a file in a folder of your own."
        ) from error


def create_key(path: Path, passphrase: str = "") -> SigningKey:
    """Make a key and write it; as :func:`write_key`."""
    key = generate_key()
    write_key(path, key, passphrase)
    return key


def public_file(path: Path) -> Path:
    """Where the public key of a private key's file lies."""
    return path.with_name(path.name + PUBLIC_SUFFIX)


def public_line(public: bytes) -> str:
    """What is in a ``.pub`` file: one line with its end."""
    return f"{_WORD} {base64.b64encode(public).decode('ascii')}\n"


def read_signing_key(path: Path, ask_passphrase: Callable[[], str]) -> SigningKey:
    """A private key from its file.

    Args:
        ask_passphrase: called where the key is encrypted, and only there.

    Raises:
        KitSignatureError: there is none, it is no Ed25519 key, others can read it, or the passphrase is not its.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _read(path)
    encrypted = b"ENCRYPTED" in pem
    if not encrypted:
        _check_secret(path)
    secret = ask_passphrase().encode() if encrypted else None
    try:
        private = load_pem_private_key(pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise KitSignatureError(
                f"{path} is not opened by this passphrase, or is damaged.", "Try again, or take a copy of it."
            ) from error
        raise _no_key(path) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _no_key(path)
    return SigningKey(private.public_key().public_bytes_raw(), private)


def read_public_key(path: Path) -> bytes:
    """A public key from its ``.pub`` file, 32 bytes.

    Raises:
        KitSignatureError: there is none, or it is no such file.
    """
    data = _read(path)
    try:
        word, coded = data.decode("ascii").split()
        public = base64.b64decode(coded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _no_public_key(path) from error
    if word != _WORD or len(public) != PUBLIC_BYTES or data.decode("ascii") != public_line(public):
        raise _no_public_key(path)
    return public


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_KEY_FILE)
    except OSError as error:
        raise KitSignatureError(
            f"{path} cannot be read: {error.strerror or error}.",
            "A key is made with: ophtimus kit keygen -o FILE.",
        ) from error


def _check_secret(path: Path) -> None:
    """Refuse a private key without a passphrase that others on this machine may have read."""
    if os.name == "nt":
        return  # its modes say nothing of who can read a file
    if path.stat().st_mode & 0o077:
        raise KitSignatureError(
            f"others on this machine can read the private key {path}.",
            f"If nobody has, close it with: chmod 600 {path}. Else make a new key that succeeds it.",
        )


def _no_key(path: Path) -> KitSignatureError:
    return KitSignatureError(
        f"{path} is no private key that kits are signed with (Ed25519, PEM).",
        "A key is made with: ophtimus kit keygen -o FILE.",
    )


def _no_public_key(path: Path) -> KitSignatureError:
    return KitSignatureError(
        f"{path} is no public key of kits.",
        f"It is one line that begins with {_WORD}, and lies beside the private key as FILE{PUBLIC_SUFFIX}.",
    )
