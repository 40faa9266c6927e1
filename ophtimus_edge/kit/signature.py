"""``manifest.sig``: who vouches for a kit's manifest, and how that key succeeded the ones before it.

The signature is Ed25519 over the exact bytes of ``manifest.json``. A key is succeeded by a new one when the old one
signs the new one; each kit carries the chain of those signatures up to the key that signed it, so that a clinic that
pinned an earlier key can follow. The file has one form only: what does not come back byte for byte when it is
written again is refused, so that not one bit of it can be another one.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from ophtimus_edge.errors import InvalidModelError, KitSignatureError
from ophtimus_edge.kit import keys
from ophtimus_edge.kit.keys import PUBLIC_BYTES, SIGNATURE_BYTES, SigningKey
from ophtimus_edge.locations import staged
from ophtimus_edge.models.formats import Document, decode, encode

LARGEST_SIGNATURE_BYTES = 64 << 10  # over 150 successions
SUCCESSION_SUFFIX = ".succession.json"

_SUCCESSION = (
    b"ophtimus-kit key succession\0"  # no manifest begins so, nor does anything else that a key signs
)

PublicKey = Annotated[bytes, msgspec.Meta(min_length=PUBLIC_BYTES, max_length=PUBLIC_BYTES)]
SignatureBytes = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class Succession(msgspec.Struct, frozen=True, kw_only=True):
    """A key that takes another's place; all three in base64 in the file.

    Attributes:
        signature: by the old key, of :func:`succession_message`.
    """

    old_key: PublicKey
    new_key: PublicKey
    signature: SignatureBytes


class Signature(Document, kw_only=True):
    """``manifest.sig`` of a kit.

    Attributes:
        public_key: that the manifest is signed with.
        signature: of the manifest's bytes.
        succession: from the first key there was to ``public_key``, each link signed by the key before; empty where
            that is the first one.
    """

    public_key: PublicKey
    signature: SignatureBytes
    succession: list[Succession] = []  # noqa: RUF012


class SuccessionFile(Document, kw_only=True):
    """``KEY.succession.json`` beside a private key: how it came to take the place of the ones before it."""

    succession: list[Succession]


def succession_message(old_key: bytes, new_key: bytes) -> bytes:
    """What an old key signs to have a new one take its place."""
    return _SUCCESSION + old_key + new_key


def succeed(old: SigningKey, new_key: bytes, earlier: list[Succession]) -> list[Succession]:
    """The chain to a new key.

    Args:
        earlier: the chain to the old key; empty where that is the first.

    Raises:
        KitSignatureError: the earlier chain is not the old key's, or the new key is in it already.
    """
    signed = old.sign(succession_message(old.public, new_key))
    chain = [*earlier, Succession(old_key=old.public, new_key=new_key, signature=signed)]
    check_chain(chain, new_key)
    return chain


def check_chain(succession: list[Succession], last: bytes) -> None:
    """Refuse a chain that is not whole, or holds what nobody needs.

    Args:
        last: the key that it leads to.

    Raises:
        KitSignatureError: a link is not signed by the key before it, does not go on where that one ended, leads back
            to an earlier key, or the last one leads elsewhere.
    """
    if not succession:
        return
    chain = [succession[0].old_key, *(link.new_key for link in succession)]
    sound = (
        len(set(chain)) == len(chain)
        and all(link.old_key == before for link, before in zip(succession, chain, strict=False))
        and chain[-1] == last
        and all(
            keys.is_signed(link.old_key, link.signature, succession_message(link.old_key, link.new_key))
            for link in succession
        )
    )
    if not sound:
        raise KitSignatureError("the kit's chain of keys is broken.", _NOT_THIS_KIT)


def sign(manifest: bytes, key: SigningKey, succession: list[Succession]) -> bytes:
    """The bytes of ``manifest.sig`` for the bytes of a manifest.

    Raises:
        KitSignatureError: the chain does not lead to this key, or is longer than a kit may carry.
    """
    check_chain(succession, key.public)
    data = encode(Signature(public_key=key.public, signature=key.sign(manifest), succession=list(succession)))
    if len(data) > LARGEST_SIGNATURE_BYTES:
        raise KitSignatureError(
            "the chain of keys is longer than a kit may carry.", "Begin a new kit with a key of its own."
        )
    return data


def check(manifest: bytes, signature: bytes, pinned: bytes | None) -> Signature:
    """Check a manifest's signature, the whole chain, and that the pinned key vouches for the one that signed.

    Args:
        manifest, signature: the two files' bytes.
        pinned: the key that is trusted here, 32 bytes; None where there is none yet: the signature then proves that
            the manifest is as some key signed it, and not whose that is.

    Raises:
        KitSignatureError: the signature is damaged, not of this manifest, or by a key that is not trusted here.
        FormatVersionError: it was written by a newer release.
    """
    read = _decoded(signature)
    if not keys.is_signed(read.public_key, read.signature, manifest):
        raise KitSignatureError("the kit's manifest is not the one that was signed.", _NOT_THIS_KIT)
    check_chain(read.succession, read.public_key)
    trusted = {read.public_key, *(link.old_key for link in read.succession)}
    if pinned is not None and pinned not in trusted:
        raise KitSignatureError(
            f"the kit is signed by a key that is not trusted here: {keys.fingerprint(read.public_key)}.",
            f"Trusted is {keys.fingerprint(pinned)}. Ask who gave you the kit, and do not use it.",
        )
    return read


def _decoded(data: bytes) -> Signature:
    if len(data) > LARGEST_SIGNATURE_BYTES:
        raise KitSignatureError("the kit's signature is larger than any can be.", _NOT_THIS_KIT)
    try:
        read = decode(data, Signature, "manifest.sig")
    except InvalidModelError as error:
        raise KitSignatureError("the kit's signature is damaged.", _NOT_THIS_KIT) from error
    if read.schema_version != Signature.latest_version or encode(read) != data:
        raise KitSignatureError("the kit's signature is not as it was written.", _NOT_THIS_KIT)
    return read


def succession_file(key: Path) -> Path:
    """Where the chain to a private key lies: beside its file."""
    return key.with_name(key.name + SUCCESSION_SUFFIX)


def read_succession(key: Path) -> list[Succession]:
    """The chain to a private key, from beside its file; empty where there is no such file.

    Raises:
        KitSignatureError: it cannot be read, or is damaged.
        FormatVersionError: it was written by a newer release.
    """
    path = succession_file(key)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_SIGNATURE_BYTES)
        return decode(data, SuccessionFile, str(path)).succession
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KitSignatureError(
            f"{path} cannot be read: {error.strerror or error}.", "See to it that you may read it."
        ) from error
    except InvalidModelError as error:
        raise KitSignatureError(error.message, "Take a copy of it from where the key is kept.") from error


def write_succession(key: Path, succession: list[Succession]) -> None:
    """Write the chain to a private key beside its file.

    Raises:
        KitSignatureError: it cannot be written.
    """
    path = succession_file(key)
    try:
        with staged(path) as part:
            part.write_bytes(encode(SuccessionFile(succession=succession)))
    except OSError as error:
        raise KitSignatureError(
            f"{path} cannot be written: {error.strerror or error}.", "Name a file in a folder of your own."
        ) from error


_NOT_THIS_KIT = "Do not use this kit; copy the whole kit again from its source, or ask who gave it to you."
