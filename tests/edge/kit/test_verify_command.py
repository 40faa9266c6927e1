"""``ophtimus kit keygen`` and ``ophtimus kit verify``, as a developer and a clinic run them."""

import json
import subprocess
from pathlib import Path

import pytest
from commands import in_terminal, two_lines
from conftest import Command
from kits import SMALL, make_kit, state_of

from ophtimus_edge import locations
from ophtimus_edge.kit import keys, signature, state, verifying
from ophtimus_edge.kit.keys import SigningKey

PASSPHRASE = "five words of my own"


def nothing() -> str:
    raise AssertionError("no passphrase is needed")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return keys.create_key(tmp_path / "key")


@pytest.fixture
def kit(key: SigningKey, tmp_path: Path) -> Path:
    return make_kit(tmp_path / "kit", key)


def install(kit: Path) -> None:
    """Have the installation's state say that this kit was installed."""
    locations.kit_root().mkdir(parents=True)
    state.write_state(locations.kit_root(), state_of(verifying.verify(kit, None)))


def test_a_key_is_made_and_says_its_fingerprint(ophtimus: Command, tmp_path: Path) -> None:
    made = ophtimus("kit", "keygen", "-o", str(tmp_path / "key"))
    assert made.returncode == 0, made.stderr
    assert "no passphrase" in made.stderr
    public = keys.read_signing_key(tmp_path / "key", nothing).public
    assert keys.fingerprint(public) in made.stdout
    again = two_lines(ophtimus("kit", "keygen", "-o", str(tmp_path / "key")))
    assert "never written over" in again
    assert keys.read_signing_key(tmp_path / "key", nothing).public == public


def test_a_key_succeeds_another_and_that_one_a_third(ophtimus: Command, tmp_path: Path) -> None:
    made = [keys.create_key(tmp_path / "key 1").public]
    for number in (2, 3):
        new = tmp_path / f"key {number}"
        words = ["kit", "keygen", "-o", str(new), "--succeeds", str(tmp_path / f"key {number - 1}"), "--json"]
        told = ophtimus(*words)
        record = json.loads(told.stdout)
        made.append(keys.read_public_key(Path(record["public_key_file"])))
        assert record["fingerprint"] == keys.fingerprint(made[-1])
        assert record["succeeds"] == keys.fingerprint(made[-2])
    chain = signature.read_succession(tmp_path / "key 3")
    assert [link.old_key for link in chain] == made[:2]
    last = keys.read_signing_key(tmp_path / "key 3", nothing)
    for pinned in made:
        signature.check(b"{}", signature.sign(b"{}", last, chain), pinned)


def test_a_key_s_passphrase_is_asked_for_twice_and_never_shown(ophtimus: Command, tmp_path: Path) -> None:
    path = str(tmp_path / "key")
    again = ("The same again:", PASSPHRASE)
    first = ("(Enter for none):", PASSPHRASE)
    code, _, shown = in_terminal(
        "kit", "keygen", "-o", path, typed=[first, (again[0], "other words of mine")]
    )
    assert code == 2
    assert "not the same" in shown
    assert not (tmp_path / "key").exists()
    code, output, shown = in_terminal("kit", "keygen", "-o", path, typed=[first, again])
    assert code == 0, shown
    assert PASSPHRASE not in shown + output
    assert keys.read_signing_key(tmp_path / "key", lambda: PASSPHRASE).sign(b"")
    refused = two_lines(ophtimus("kit", "keygen", "-o", f"{path} 2", "--succeeds", path), 2)
    assert "no terminal" in refused
    assert not (tmp_path / "key 2").exists()


def test_a_whole_kit_is_unverified_until_a_key_is_pinned(
    ophtimus: Command, kit: Path, tmp_path: Path
) -> None:
    sha256 = verifying.read_signed(kit, None).manifest_sha256
    told = ophtimus("kit", "verify", str(kit))
    assert told.returncode == 0, told.stderr
    assert "whole" in told.stdout
    assert "unverified: no key is pinned here" in told.stdout
    assert keys.in_groups(sha256) in told.stdout
    record = json.loads(ophtimus("kit", "verify", str(kit), "--json").stdout)
    assert (record["result"], record["signature"]) == ("whole", "unverified")
    assert record["manifest_sha256"] == sha256
    told = ophtimus("kit", "verify", str(kit), "--key", str(tmp_path / "key.pub"))
    assert told.returncode == 0, told.stderr
    assert "\nverified: " in told.stdout
    assert "unverified:" not in told.stdout
    install(kit)
    record = json.loads(ophtimus("kit", "verify", str(kit), "--json").stdout)
    assert (record["result"], record["signature"], record["may_follow"]) == ("whole", "verified", True)


def test_in_a_terminal_a_bar_shows_how_far_it_is_and_leaves_the_result_alone(kit: Path) -> None:
    code, output, shown = in_terminal("kit", "verify", str(kit), typed=[])
    assert code == 0, shown
    assert "reading eye-clinic 1.2.0" in shown
    assert output.startswith("eye-clinic 1.2.0: whole.")
    assert "\x1b" not in output


def test_a_changed_kit_names_every_fault_and_ends_with_1(ophtimus: Command, kit: Path) -> None:
    (kit / "extra\x1b[31m").write_bytes(b"")
    (kit / "install.sh").unlink()
    for words in ([], ["--key", str(kit.parent / "key.pub")]):
        told = ophtimus("kit", "verify", str(kit), *words)
        assert "2 faults" in two_lines(told)
        assert "CHANGED" in told.stdout
        assert "install.sh  is missing" in told.stdout
        assert "extra" in told.stdout
        assert "\x1b" not in told.stdout + told.stderr
    told = ophtimus("kit", "verify", str(kit), "--json")
    two_lines(told)
    record = json.loads(told.stdout)
    assert record["result"] == "changed"
    assert {fault["path"] for fault in record["faults"]} == {"extra\x1b[31m", "install.sh"}
    (kit / "extra\x1b[31m").unlink()
    (kit / "install.sh").write_bytes(SMALL["install.sh"])
    assert ophtimus("kit", "verify", str(kit)).returncode == 0


def test_a_kit_of_another_key_ends_with_1_whatever_is_in_it(
    ophtimus: Command, kit: Path, tmp_path: Path
) -> None:
    install(kit)
    stranger = make_kit(tmp_path / "stranger", keys.generate_key(), version="9.9.9")
    refused = ophtimus("kit", "verify", str(stranger))
    assert "not trusted here" in two_lines(refused)
    assert not refused.stdout
    assert ophtimus("kit", "verify", str(kit)).returncode == 0


def test_an_older_kit_is_whole_and_said_to_be_older(
    ophtimus: Command, kit: Path, key: SigningKey, tmp_path: Path
) -> None:
    install(kit)
    older = make_kit(tmp_path / "older", key, version="1.1.0")
    told = ophtimus("kit", "verify", str(older))
    assert told.returncode == 0, told.stderr
    assert "would not be installed here: version 1.1.0 of this kit is older than 1.2.0" in told.stdout
    assert not json.loads(ophtimus("kit", "verify", str(older), "--json").stdout)["may_follow"]


def test_a_damaged_state_is_not_taken_for_no_pinned_key(ophtimus: Command, kit: Path, tmp_path: Path) -> None:
    install(kit)
    path = locations.kit_root() / "state.json"
    path.write_bytes(path.read_bytes()[:-9])
    refused = ophtimus("kit", "verify", str(kit))
    assert "is damaged" in two_lines(refused)
    assert not refused.stdout
    assert "unverified" in ophtimus("kit", "verify", str(kit), "--to", str(tmp_path / "elsewhere")).stdout


@pytest.mark.parametrize("words", [[], ["verify"], ["keygen"], ["open", "x"]])
def test_words_that_do_not_fit_end_with_2(ophtimus: Command, words: list[str]) -> None:
    result: subprocess.CompletedProcess[str] = ophtimus("kit", *words)
    assert result.returncode == 2
    assert "usage: ophtimus kit" in result.stderr


def test_what_is_no_kit_or_no_key_is_said_in_two_lines(ophtimus: Command, kit: Path, tmp_path: Path) -> None:
    assert "is no kit" in two_lines(ophtimus("kit", "verify", str(tmp_path)))
    assert "cannot be read" in two_lines(ophtimus("kit", "verify", str(kit), "--key", str(tmp_path / "gone")))
    assert "no public key" in two_lines(ophtimus("kit", "verify", str(kit), "--key", str(tmp_path / "key")))
