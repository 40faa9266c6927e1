"""manifest.sig: what is sound is accepted by every clinic that may follow; nothing else by anyone."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ophtimus_edge.errors import FormatVersionError, KitSignatureError, OphtimusError
from ophtimus_edge.kit import keys, signature
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.signature import Signature, Succession
from ophtimus_edge.models.formats import encode

MANIFEST = b'{"name": "eye-clinic", "version": "1.2.0"}\n'
FIRST, SECOND, THIRD, STRANGER = (keys.generate_key() for _ in range(4))
CHAIN_2 = signature.succeed(FIRST, SECOND.public, [])
CHAIN_3 = signature.succeed(SECOND, THIRD.public, CHAIN_2)


def link(old: SigningKey, new: SigningKey, signer: SigningKey | None = None) -> Succession:
    """A link of a chain, as its old key signed it, or somebody else."""
    signed = (signer or old).sign(signature.succession_message(old.public, new.public))
    return Succession(old_key=old.public, new_key=new.public, signature=signed)


def written(key: SigningKey, chain: list[Succession], manifest: bytes = MANIFEST) -> bytes:
    """A signature with a chain that nobody checked."""
    return encode(Signature(public_key=key.public, signature=key.sign(manifest), succession=chain))


def changed(data: bytes, **fields: Any) -> bytes:
    """A signature with other fields, in the same form."""
    plain = msgspec.json.decode(data) | fields
    return msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"


@pytest.mark.parametrize(
    ("signer", "chain", "pinned"),
    [
        (FIRST, [], None), (FIRST, [], FIRST),
        (SECOND, CHAIN_2, None), (SECOND, CHAIN_2, FIRST), (SECOND, CHAIN_2, SECOND), (SECOND, [], SECOND),
        (THIRD, CHAIN_3, None), (THIRD, CHAIN_3, FIRST), (THIRD, CHAIN_3, SECOND), (THIRD, CHAIN_3, THIRD),
        (THIRD, CHAIN_3[1:], SECOND),
    ],
)  # fmt: skip
def test_a_sound_signature_is_accepted(
    signer: SigningKey, chain: list[Succession], pinned: SigningKey | None
) -> None:
    signed = signature.sign(MANIFEST, signer, chain)
    assert signature.check(MANIFEST, signed, pinned.public if pinned else None).public_key == signer.public
    assert signed == written(signer, chain)


@pytest.mark.parametrize(
    ("signer", "chain", "pinned"),
    [
        (STRANGER, [], FIRST), (SECOND, [], FIRST), (THIRD, CHAIN_3[1:], FIRST),
        (SECOND, CHAIN_2, THIRD), (FIRST, [], SECOND), (THIRD, CHAIN_3, STRANGER),
    ],
)  # fmt: skip
def test_a_key_that_the_pinned_one_does_not_vouch_for_is_refused(
    signer: SigningKey, chain: list[Succession], pinned: SigningKey
) -> None:
    signed = signature.sign(MANIFEST, signer, chain)
    signature.check(MANIFEST, signed, None)
    with pytest.raises(KitSignatureError, match="not trusted here"):
        signature.check(MANIFEST, signed, pinned.public)


@pytest.mark.parametrize("pinned", [None, FIRST, SECOND, THIRD, STRANGER])
@pytest.mark.parametrize(
    ("signer", "chain"),
    [
        (SECOND, [link(FIRST, SECOND, STRANGER)]),  # forged
        (SECOND, [link(FIRST, SECOND, SECOND)]),
        (THIRD, [link(FIRST, SECOND, STRANGER), CHAIN_3[1]]),  # forged before the pinned one
        (THIRD, CHAIN_3[::-1]),  # out of order
        (THIRD, CHAIN_2),  # ends too early
        (SECOND, CHAIN_3),  # goes on too long
        (FIRST, CHAIN_2),
        (THIRD, [CHAIN_3[1], CHAIN_3[1]]),  # a link twice
        (THIRD, [CHAIN_3[0], CHAIN_3[0], CHAIN_3[1]]),
        (SECOND, [*CHAIN_3, link(THIRD, SECOND)]),  # around in a circle
        (FIRST, [*CHAIN_2, link(SECOND, FIRST)]),
        (FIRST, [link(FIRST, FIRST)]),
        (THIRD, [CHAIN_3[0], link(STRANGER, THIRD)]),  # a gap
        (THIRD, [link(FIRST, STRANGER), CHAIN_3[1]]),
        (THIRD, [msgspec.structs.replace(CHAIN_3[0], old_key=STRANGER.public), CHAIN_3[1]]),
        (THIRD, [CHAIN_3[0], msgspec.structs.replace(CHAIN_3[1], signature=CHAIN_3[0].signature)]),
    ],
)
def test_a_broken_chain_is_refused_whatever_is_pinned(
    signer: SigningKey, chain: list[Succession], pinned: SigningKey | None
) -> None:
    with pytest.raises(KitSignatureError):
        signature.check(MANIFEST, written(signer, chain), pinned.public if pinned else None)
    with pytest.raises(KitSignatureError):
        signature.sign(MANIFEST, signer, chain)


def test_a_manifest_signature_is_no_succession_and_the_other_way_round() -> None:
    """What a key once signed cannot be shown for something else."""
    message = signature.succession_message(FIRST.public, SECOND.public)
    as_link = Succession(old_key=FIRST.public, new_key=SECOND.public, signature=FIRST.sign(MANIFEST))
    with pytest.raises(KitSignatureError, match="chain"):
        signature.check(MANIFEST, written(SECOND, [as_link]), FIRST.public)
    swapped = Succession(old_key=SECOND.public, new_key=FIRST.public, signature=CHAIN_2[0].signature)
    with pytest.raises(KitSignatureError, match="chain"):
        signature.check(MANIFEST, written(FIRST, [swapped]), FIRST.public)
    assert not message.startswith(b"{")  # as every manifest does


def test_forged_and_foreign_signatures_are_refused() -> None:
    sound = written(FIRST, [])
    others = [
        changed(sound, public_key=base64.b64encode(STRANGER.public).decode()),
        changed(sound, signature=base64.b64encode(STRANGER.sign(MANIFEST)).decode()),
        changed(sound, signature=base64.b64encode(FIRST.sign(MANIFEST + b"\n")).decode()),
        changed(sound, signature=base64.b64encode(bytes(64)).decode()),
        changed(sound, public_key=base64.b64encode(bytes(32)).decode()),
    ]
    for data in others:
        for pinned in (None, FIRST.public):
            with pytest.raises(KitSignatureError):
                signature.check(MANIFEST, data, pinned)
    with pytest.raises(KitSignatureError, match="not the one that was signed"):
        signature.check(MANIFEST + b" ", sound, FIRST.public)
    signature.check(MANIFEST, changed(sound), FIRST.public)


def test_the_file_has_one_form_only() -> None:
    sound = written(SECOND, CHAIN_2)
    signature.check(MANIFEST, sound, FIRST.public)
    coded = base64.b64encode(SECOND.public).decode()
    at = coded.rindex("=") - 1  # its last letter has two bits that are of no byte
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = coded[:at] + letters[letters.index(coded[at]) ^ 1] + coded[at + 1 :]
    assert base64.b64decode(twin) == SECOND.public
    plain = msgspec.json.decode(sound)
    others = [
        sound.replace(coded.encode(), twin.encode()),
        changed(sound, public_key=coded.rstrip("=")),
        changed(sound, public_key=coded + "\n"),
        changed(sound, public_key=coded.replace("=", "==")),
        changed(sound, comment="more"),
        changed(sound, schema_version=0),
        changed(sound, schema_version=-1),
        changed(sound, succession=None),
        msgspec.json.encode(plain),
        msgspec.json.format(msgspec.json.encode(plain), indent=4) + b"\n",
        msgspec.json.format(msgspec.json.encode(dict(reversed(plain.items()))), indent=2) + b"\n",
        sound + b"\n", sound.rstrip(b"\n"), b"\xef\xbb\xbf" + sound, b" " + sound, sound + sound,
        sound.replace(b"\n", b"\r\n"), sound.replace(b'"succession"', b'"\\u0073uccession"'),
        sound.replace(b'"public_key"', b'"public_key": "", "public_key"', 1),
    ]  # fmt: skip
    for data in others:
        assert data != sound
        with pytest.raises(KitSignatureError):
            signature.check(MANIFEST, data, FIRST.public)


def test_no_byte_of_it_can_be_missing_or_another_one() -> None:
    sound = written(THIRD, CHAIN_3)
    for at in range(len(sound)):
        for data in (sound[:at], sound[:at] + bytes([sound[at] ^ 1 << at % 8]) + sound[at + 1 :]):
            with pytest.raises(OphtimusError):
                signature.check(MANIFEST, data, FIRST.public)
    signature.check(MANIFEST, sound, FIRST.public)


def test_a_newer_form_says_so_and_a_huge_one_is_not_read() -> None:
    sound = written(FIRST, [])
    with pytest.raises(FormatVersionError):
        signature.check(MANIFEST, changed(sound, schema_version=2), FIRST.public)
    with pytest.raises(KitSignatureError, match="larger than any can be"):
        signature.check(MANIFEST, b"[" * (1 << 20), FIRST.public)
    for data in (b"", b"[" * 60_000, b"null", b"\xff\xfe", b"{}"):
        with pytest.raises(KitSignatureError, match="damaged"):
            signature.check(MANIFEST, data, FIRST.public)


def test_a_chain_grows_to_a_hundred_keys_and_a_kit_carries_no_more_than_it_may() -> None:
    key, chain = keys.generate_key(), list[Succession]()
    first = key
    while len(chain) < 100:
        new = keys.generate_key()
        key, chain = new, [*chain, link(key, new)]
    signed = signature.sign(MANIFEST, key, chain)
    assert signature.check(MANIFEST, signed, first.public).public_key == key.public
    while len(chain) < 300:
        new = keys.generate_key()
        key, chain = new, [*chain, link(key, new)]
    with pytest.raises(KitSignatureError, match="longer than a kit may carry"):
        signature.sign(MANIFEST, key, chain)


def test_a_chain_is_read_back_from_beside_its_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert signature.read_succession(path) == []
    signature.write_succession(path, CHAIN_3)
    assert signature.read_succession(path) == CHAIN_3
    beside = signature.succession_file(path)
    beside.write_bytes(beside.read_bytes()[:-20])
    with pytest.raises(KitSignatureError, match="damaged"):
        signature.read_succession(path)


def test_a_key_that_is_in_the_chain_already_takes_no_place() -> None:
    with pytest.raises(KitSignatureError):
        signature.succeed(SECOND, FIRST.public, CHAIN_2)
    with pytest.raises(KitSignatureError):
        signature.succeed(THIRD, STRANGER.public, CHAIN_2)  # not its chain


def test_openssl_accepts_the_same_signature_and_refuses_the_same_change(tmp_path: Path) -> None:
    """Whoever does not trust this program can check a kit with another one."""
    key = keys.create_key(tmp_path / "key")
    words = ["openssl", "pkey", "-in", "key", "-pubout", "-out", "public.pem"]
    subprocess.run(words, cwd=tmp_path, check=True)
    signed = signature.check(MANIFEST, signature.sign(MANIFEST, key, []), key.public).signature
    (tmp_path / "signature.bin").write_bytes(signed)
    codes = []
    words = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public.pem"]
    words += ["-sigfile", "signature.bin", "-in", "manifest.json"]
    for data in (MANIFEST, MANIFEST + b" "):
        (tmp_path / "manifest.json").write_bytes(data)
        codes.append(subprocess.run(words, cwd=tmp_path, capture_output=True).returncode)
    assert codes == [0, 1]
