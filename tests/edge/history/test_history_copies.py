"""``ophtimus history backup`` and ``restore``, and what cannot be read or written where it is."""

import os
import subprocess
from pathlib import Path

import pytest
from commands import in_terminal, two_lines
from conftest import BIN, Command
from histories import kept_in
from stored_models import json_lines

from ophtimus_edge.history import profiles
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.talk import Talk

PASSPHRASE = "각막 수정체 망막 시신경"  # what the file of the fixture ``secret`` holds


def restored(name: str) -> Profile:
    return next(profile for profile in profiles.list_profiles() if profile.name == name)


def test_a_history_without_a_passphrase_is_backed_up_with_one_and_comes_back(
    ophtimus: Command, kim: Profile, secret: Path, tmp_path: Path
) -> None:
    file = tmp_path / "kim.backup"
    (made,) = json_lines(ophtimus("history", "backup", str(file), "--json", "--passphrase-file", str(secret)))
    assert made["size_bytes"] == file.stat().st_size
    back = ophtimus("history", "restore", str(file), "--passphrase-file", str(secret), "--profile", "다시")
    assert back.returncode == 0, back.stderr
    assert kept_in(restored("다시"), passphrase=PASSPHRASE) == kept_in(kim)
    assert "another" in two_lines(
        ophtimus("history", "restore", str(file), "--passphrase-file", str(secret), "--profile", "다시")
    )
    recovery = tmp_path / "recovery"
    recovery.write_text(made["recovery_key"])
    (again,) = json_lines(
        ophtimus("history", "restore", str(file), "--json", "--recovery-key-file", str(recovery))
    )
    assert again["profile"] == "김 간호사 (2)"
    assert kept_in(restored("김 간호사 (2)"), recovery=made["recovery_key"]) == kept_in(kim)


def test_a_backup_is_locked_in_the_terminal_and_a_mistyped_passphrase_writes_nothing(
    kim: Profile, tmp_path: Path
) -> None:
    file = tmp_path / "kim.backup"
    prompt = "Passphrase for the backup"
    code, output, shown = in_terminal(
        "history", "backup", str(file), typed=[(prompt, PASSPHRASE), ("The same again", PASSPHRASE + "x")]
    )
    assert (code, output, file.exists()) == (2, "", False)
    assert "not the same" in shown
    code, _, shown = in_terminal(
        "history", "backup", str(file), typed=[(prompt, "short"), ("The same again", "short")]
    )
    assert (code, file.exists()) == (1, False)
    assert "fewer than" in shown
    code, output, shown = in_terminal(
        "history", "backup", str(file), typed=[(prompt, PASSPHRASE), ("The same again", PASSPHRASE)]
    )
    assert (code, file.exists()) == (0, True), shown
    assert "recovery key: " in output
    assert PASSPHRASE not in shown + output
    code, output, shown = in_terminal("history", "restore", str(file), typed=[("Passphrase of", PASSPHRASE)])
    assert (code, "김 간호사 (2)" in output) == (0, True), shown


def test_a_backup_opens_only_with_its_secret_and_replaces_no_file_by_chance(
    ophtimus: Command, kim: Profile, secret: Path, tmp_path: Path
) -> None:
    file = tmp_path / "kim.backup"
    words = ["history", "backup", str(file), "--passphrase-file", str(secret)]
    file.write_text("mine")
    assert "exists already" in two_lines(ophtimus(*words))
    assert file.read_text() == "mine"
    restore = ["history", "restore", str(file), "--passphrase-file", str(secret)]
    assert "no whole backup" in two_lines(ophtimus(*restore))
    assert ophtimus(*words, "--replace").returncode == 0
    secret.write_text("not this one")
    assert "does not open" in two_lines(ophtimus(*restore))
    whole = file.read_bytes()
    secret.write_text(PASSPHRASE, encoding="utf-8")
    for broken in (whole[:-5], whole[: len(whole) // 2], whole[:5000] + b"\x00" + whole[5001:], b""):
        file.write_bytes(broken)
        assert "no whole backup" in two_lines(ophtimus(*restore))
    assert [profile.id for profile in profiles.list_profiles()] == [kim.id]
    file.write_bytes(whole)
    assert ophtimus(*restore).returncode == 0


# Where it cannot be done


def as_another(*words: str, unwritable: Path, secret: Path) -> "subprocess.CompletedProcess[str]":
    """Run as a user who may not write to a folder, nor read what is the tests' own; both are asserted first."""
    command = [str(BIN / "ophtimus"), "history", *words]
    if os.geteuid() == 0:
        for place in (secret.parent, *secret.parent.parents):
            if place.stat().st_mode & 0o005 != 0o005 and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o055)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        probe = subprocess.run(
            [*command[:4], "touch", str(unwritable / "probe")], capture_output=True, check=False
        )
        assert probe.returncode != 0, "the folder is writable: this test proves nothing"
    return subprocess.run(command, capture_output=True, text=True, check=False)


def owned_by_another(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)


def test_a_folder_that_cannot_be_written_is_said(
    kim: Profile, glaucoma: Talk, home: Path, tmp_path: Path, secret: Path
) -> None:
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o555)
    owned_by_another(home)
    secret.chmod(0o644)
    locked = ["--passphrase-file", str(secret)]
    for words in (
        ["backup", str(sealed / "kim.backup"), *locked],
        ["export", glaucoma.id, "-o", str(sealed / "talk.md")],
    ):
        result = as_another(*words, unwritable=sealed, secret=secret)
        assert "cannot be written" in two_lines(result)
        assert list(sealed.iterdir()) == []
    sealed.chmod(0o777)
    for words in (
        ["backup", str(sealed / "kim.backup"), *locked],
        ["export", glaucoma.id, "-o", str(sealed / "talk.md")],
    ):
        result = as_another(*words, unwritable=Path("/"), secret=secret)
        assert result.returncode == 0, result.stderr
    assert {path.name for path in sealed.iterdir()} == {"kim.backup", "talk.md"}


def test_the_history_of_another_account_is_not_called_missing(kim: Profile, home: Path, secret: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has another account to read as")
    result = as_another("list", unwritable=home / "history", secret=secret)
    assert "cannot be read" in two_lines(result)
    owned_by_another(home)
    result = as_another("list", unwritable=Path("/"), secret=secret)
    assert result.returncode == 0, result.stderr
    assert "녹내장" in result.stdout


def test_a_folder_in_the_place_of_a_file_is_said(
    ophtimus: Command, kim: Profile, glaucoma: Talk, secret: Path, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    locked = ["--passphrase-file", str(secret)]
    for words in (
        ["backup", str(stick), "--replace", *locked],
        ["export", glaucoma.id, "--replace", "-o", str(stick)],
        ["restore", str(stick), *locked],
        ["import", str(stick)],
    ):
        two_lines(ophtimus("history", *words))
    assert list(stick.iterdir()) == []
    assert ophtimus("history", "backup", str(stick / "history.backup"), *locked).returncode == 0


def test_a_damaged_history_and_a_damaged_key_are_said_and_left_as_they_are(
    ophtimus: Command, kim: Profile, glaucoma: Talk, tmp_path: Path, secret: Path
) -> None:
    database, key = kim.folder / "history.db", kim.key_file
    whole, key_file = database.read_bytes(), key.read_bytes()
    file = tmp_path / "kim.backup"
    backup = ["backup", str(file), "--passphrase-file", str(secret)]
    for broken in (whole[:-4096], whole[:100] + b"\x00" + whole[101:], b""):
        database.write_bytes(broken)
        for words in (["list"], ["delete", glaucoma.id, "--yes"], backup):
            two_lines(ophtimus("history", *words))
        assert database.read_bytes() == broken
    database.write_bytes(whole)
    key.write_bytes(key_file[:-40])
    assert "damaged" in two_lines(ophtimus("history", "list"))
    key.unlink()
    assert "missing" in two_lines(ophtimus("history", "list"))
    key.write_bytes(key_file)
    database.unlink()
    assert "nothing was kept" in two_lines(ophtimus("history", *backup))
    database.write_bytes(whole)
    assert not file.exists()
    assert ophtimus("history", *backup).returncode == 0
    assert len(kept_in(kim)) == 2
