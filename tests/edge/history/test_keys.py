"""The key of a history: made once, wrapped by a passphrase and a recovery key, opened by nothing else."""

import stat
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ophtimus_edge.errors import (
    FormatVersionError,
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryLockedError,
    PassphraseTooShortError,
    RecoveryKeyMistypedError,
)
from ophtimus_edge.history import keys

PASSPHRASE = "각막 수정체 망막 시신경"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "key.json"


def test_a_new_key_is_its_owners_alone_and_never_made_twice(path: Path) -> None:
    key = keys.create(path)
    assert len(key) == keys.KEY_BYTES
    assert keys.unlock(path) == key
    assert not keys.is_locked(path)
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(HistoryError, match="already"):
        keys.create(path)
    assert keys.unlock(path) == key


def test_a_passphrase_and_its_recovery_key_open_it_and_nothing_else_does(path: Path) -> None:
    key = keys.create(path)
    recovery = keys.set_passphrase(path, PASSPHRASE)
    assert keys.is_locked(path)
    assert key not in path.read_bytes()
    assert keys.unlock(path, PASSPHRASE) == keys.unlock(path, recovery=recovery) == key
    said = set()
    for secret in (None, "", "각막 수정체 망막", PASSPHRASE + " ", recovery):
        with pytest.raises(HistoryLockedError) as error:
            keys.unlock(path, secret)
        said.add(str(error.value))
    assert len(said) == 2  # that one is needed, and one sentence for every wrong one
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_syllables_open_it_however_a_keyboard_writes_them(path: Path) -> None:
    key = keys.create(path)
    keys.set_passphrase(path, unicodedata.normalize("NFD", PASSPHRASE))
    assert keys.unlock(path, unicodedata.normalize("NFC", PASSPHRASE)) == key


def test_changing_the_passphrase_keeps_the_key_and_ends_the_old_secrets(path: Path) -> None:
    key = keys.create(path)
    first = keys.set_passphrase(path, PASSPHRASE)
    with pytest.raises(HistoryLockedError):
        keys.set_passphrase(path, "another one", old="not this")
    second = keys.set_passphrase(path, "another one", old=PASSPHRASE)
    for secret in ({"passphrase": PASSPHRASE}, {"recovery": first}):
        with pytest.raises(HistoryLockedError):
            keys.unlock(path, **secret)
    assert keys.unlock(path, "another one") == key
    keys.set_passphrase(path, "and another", recovery=second)
    assert keys.unlock(path, "and another") == key


def test_a_passphrase_can_be_taken_away_by_who_knows_it(path: Path) -> None:
    key = keys.create(path)
    keys.set_passphrase(path, PASSPHRASE)
    with pytest.raises(HistoryLockedError):
        keys.remove_passphrase(path, "not this one")
    assert keys.is_locked(path)
    keys.remove_passphrase(path, PASSPHRASE)
    assert keys.unlock(path) == key


def test_a_short_passphrase_is_refused(path: Path) -> None:
    keys.create(path)
    for short in ("", "seven77", "     1     "):
        with pytest.raises(PassphraseTooShortError):
            keys.set_passphrase(path, short)
    assert not keys.is_locked(path)
    keys.set_passphrase(path, "eight888")
    assert keys.is_locked(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames over no file that is open")
def test_the_blocks_of_a_key_that_lay_open_are_written_over(path: Path) -> None:
    keys.create(path)
    with path.open("rb") as before:
        keys.set_passphrase(path, PASSPHRASE)
        assert set(before.read()) == {0}


TYPINGS: list[Callable[[str], str]] = [
    str.lower,
    lambda key: key.replace("-", ""),
    lambda key: key.replace("-", " "),
    lambda key: f"  {key}\n",
    lambda key: key.replace("0", "o").replace("1", "l"),
    lambda key: key.replace("0", "O").replace("1", "I"),
    lambda key: key.replace("-", "–"),
]


def test_a_recovery_key_is_read_however_it_is_typed(path: Path) -> None:
    keys.create(path)
    recovery = keys.set_passphrase(path, PASSPHRASE)
    groups = recovery.split("-")
    assert [len(group) for group in groups] == [4] * 9
    for typing in TYPINGS:
        assert keys.check_recovery_key(typing(recovery)) == recovery
    for wrong in (
        "", recovery[:-1], recovery + "0", "-".join(groups[1:]), recovery.replace("-", "U", 1),
        "-".join([groups[1], groups[0], *groups[2:]]), ("1" if recovery[0] == "0" else "0") + recovery[1:],
    ):  # fmt: skip
        with pytest.raises(RecoveryKeyMistypedError):
            keys.unlock(path, recovery=wrong)


def test_a_damaged_file_is_said_and_left(path: Path) -> None:
    keys.create(path)
    plain = path.read_bytes()
    keys.set_passphrase(path, PASSPHRASE)
    locked = path.read_bytes()
    fields = msgspec.json.decode(plain)
    for broken in (
        b"", b"{}", b"[1]", b"\xff\xfe", plain[:-9], locked[: len(locked) // 2], b"[" * 100_000, b"{" * 70_000,
        plain.replace(fields["plain"][:4].encode(), b"AAAA"), msgspec.json.encode({**fields, "plain": "AAAA"}),
        locked.replace(b'"n": 1024', b'"n": 1073741824'),
    ):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(HistoryDamagedError):
            keys.unlock(path, PASSPHRASE)
        with pytest.raises(HistoryDamagedError):
            keys.is_locked(path)
        assert path.read_bytes() == broken
    path.unlink()
    with pytest.raises(HistoryDamagedError, match="missing"):
        keys.unlock(path)
    path.write_bytes(msgspec.json.encode({**fields, "version": 2}))
    with pytest.raises(FormatVersionError):
        keys.unlock(path)
    path.write_bytes(locked)
    assert len(keys.unlock(path, PASSPHRASE)) == keys.KEY_BYTES


def test_a_wrap_with_a_wrong_byte_gives_the_same_sentence_as_a_wrong_passphrase(path: Path) -> None:
    keys.create(path)
    keys.set_passphrase(path, PASSPHRASE)
    fields = msgspec.json.decode(path.read_bytes())
    with pytest.raises(HistoryLockedError) as wrong:
        keys.unlock(path, "not this one")
    for name in ("salt", "nonce", "ciphertext"):
        data = bytearray(msgspec.convert(fields["passphrase"][name], bytes, strict=False))
        data[0] ^= 1
        path.write_bytes(
            msgspec.json.encode({**fields, "passphrase": {**fields["passphrase"], name: bytes(data)}})
        )
        with pytest.raises(HistoryLockedError) as error:
            keys.unlock(path, PASSPHRASE)
        assert str(error.value) == str(wrong.value)


def test_a_key_that_cannot_be_written_is_said_and_the_old_one_stays(path: Path, tmp_path: Path) -> None:
    with pytest.raises(HistoryFullError):
        keys.create(tmp_path / "not there" / "key.json")
    keys.create(path)
    key = keys.unlock(path)
    (tmp_path / "away").mkdir()
    path.rename(tmp_path / "away" / "key.json")
    assert keys.unlock(tmp_path / "away" / "key.json") == key


def test_the_real_cost_of_a_try_is_the_one_that_is_told(
    tmp_path: Path, cheap_passphrases: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_SCRYPT_N", cheap_passphrases)  # as it is outside of the tests
    keys.create(tmp_path / "key.json")
    keys.set_passphrase(tmp_path / "key.json", PASSPHRASE)
    wrap = msgspec.json.decode((tmp_path / "key.json").read_bytes())["passphrase"]
    assert wrap["n"] * wrap["r"] * 128 == 128 << 20  # bytes that each try takes
    assert keys.unlock(tmp_path / "key.json", PASSPHRASE)
