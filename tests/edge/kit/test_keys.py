"""Keys: written so that only their owner reads them, read back, and read by OpenSSL; what is no key is refused."""

import os
import subprocess
from pathlib import Path

import pytest

from ophtimus_edge.errors import KitSignatureError
from ophtimus_edge.kit import keys

PASSPHRASE = "five words of my own"


def nothing() -> str:
    raise AssertionError("no passphrase is needed")


def test_a_key_is_read_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    made = keys.create_key(tmp_path / "key")
    read = keys.read_signing_key(tmp_path / "key", nothing)
    assert read.public == made.public == keys.read_public_key(tmp_path / "key.pub")
    assert keys.is_signed(made.public, read.sign(b"text"), b"text")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.pub"]


def test_a_key_with_a_passphrase_is_opened_by_it_alone(tmp_path: Path) -> None:
    made = keys.create_key(tmp_path / "key", PASSPHRASE)
    assert keys.read_signing_key(tmp_path / "key", lambda: PASSPHRASE).public == made.public
    for wrong in ("", "five words of my owm", PASSPHRASE + "\n"):
        with pytest.raises(KitSignatureError, match="not opened by this passphrase"):
            keys.read_signing_key(tmp_path / "key", lambda wrong=wrong: wrong)  # type: ignore[misc]


def test_a_key_whose_passphrase_openssl_made_slower_to_guess_is_read(tmp_path: Path) -> None:
    made = keys.create_key(tmp_path / "key")
    words = ["pkcs8", "-topk8", "-scrypt", "-in", "key", "-out", "slow", "-passout", f"pass:{PASSPHRASE}"]
    subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)
    assert keys.read_signing_key(tmp_path / "slow", lambda: PASSPHRASE).public == made.public


def test_a_short_passphrase_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for wrong in ("word", "x" * (keys.SHORTEST_PASSPHRASE - 1), "눈" * 400):
        with pytest.raises(KitSignatureError, match="too short or too long"):
            keys.create_key(tmp_path / "key", wrong)
    assert not list(tmp_path.iterdir())
    keys.create_key(tmp_path / "key", "x" * keys.SHORTEST_PASSPHRASE)


@pytest.mark.parametrize("there", ["key", "key.pub"])
def test_no_key_is_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("the only one")
    with pytest.raises(KitSignatureError, match="there already"):
        keys.create_key(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "the only one"


def test_where_no_file_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(KitSignatureError, match="cannot be written"):
        keys.create_key(tmp_path / "no folder" / "key")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="modes mean nothing there")
def test_a_key_that_others_can_read_is_refused_until_it_is_closed(tmp_path: Path) -> None:
    keys.create_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KitSignatureError, match="others on this machine can read"):
        keys.read_signing_key(tmp_path / "key", nothing)
    (tmp_path / "key").chmod(0o600)
    keys.read_signing_key(tmp_path / "key", nothing)
    keys.create_key(tmp_path / "locked", PASSPHRASE).sign(b"")
    (tmp_path / "locked").chmod(0o644)  # its passphrase keeps it
    keys.read_signing_key(tmp_path / "locked", lambda: PASSPHRASE)


def test_what_is_no_private_key_of_kits_is_refused(tmp_path: Path) -> None:
    keys.create_key(tmp_path / "key")
    pem = (tmp_path / "key").read_bytes()
    rsa = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "X25519"], check=True, capture_output=True
    ).stdout
    for data in (b"", b"text", pem[: len(pem) // 2], rsa, keys.public_line(b"x" * 32).encode()):
        other = tmp_path / "other"
        other.write_bytes(data)
        other.chmod(0o600)
        with pytest.raises(KitSignatureError, match="is no private key"):
            keys.read_signing_key(other, nothing)
    with pytest.raises(KitSignatureError, match="cannot be read"):
        keys.read_signing_key(tmp_path / "missing", nothing)


def test_a_public_key_has_one_form(tmp_path: Path) -> None:
    public = keys.create_key(tmp_path / "key").public
    line = keys.public_line(public)
    path = tmp_path / "other.pub"
    path.write_text(line, encoding="ascii")
    assert keys.read_public_key(path) == public
    wrong = [
        "", line.strip(), line * 2, line.replace("ophtimus", "other"), line.replace(" ", "  "),
        line.replace("=", ""), keys.public_line(public[:31]), keys.public_line(public + b"x"), "눈 " + line,
    ]  # fmt: skip
    for text in wrong:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(KitSignatureError, match="is no public key of kits"):
            keys.read_public_key(path)


def test_a_fingerprint_is_the_sha256_in_groups_of_four() -> None:
    groups = keys.fingerprint(b"\0" * 32).split(" ")
    assert len(groups) == 16
    assert {len(group) for group in groups} == {4}
    assert "".join(groups) == "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"


def test_only_the_key_itself_has_signed(tmp_path: Path) -> None:
    one, other = keys.generate_key(), keys.generate_key()
    signed = one.sign(b"text")
    assert keys.is_signed(one.public, signed, b"text")
    assert not keys.is_signed(other.public, signed, b"text")
    assert not keys.is_signed(one.public, signed, b"text.")
    assert not keys.is_signed(one.public, signed[:-1], b"text")
    assert not keys.is_signed(one.public[:-1], signed, b"text")


def test_a_signature_of_rfc_8032_is_one() -> None:
    """The second test of its section 7.1."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signed = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert keys.is_signed(public, signed, b"\x72")
    assert not keys.is_signed(public, signed, b"\x73")


def test_a_signature_has_no_second_form() -> None:
    """The same point with the group's order added to its scalar would verify in a careless library."""
    order = 2**252 + 27742317777372353535851937790883648493
    key = keys.generate_key()
    signed = key.sign(b"text")
    scalar = int.from_bytes(signed[32:], "little")
    for other in (scalar + order, scalar + 2 * order):
        again = signed[:32] + other.to_bytes(32, "little")
        assert not keys.is_signed(key.public, again, b"text")
    assert keys.is_signed(key.public, signed[:32] + scalar.to_bytes(32, "little"), b"text")
