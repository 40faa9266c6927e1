"""A profile in one file: whole, locked, and restored beside what is there."""

import hashlib
import json
import os
import shutil
import threading
import zipfile
from pathlib import Path

import pytest
from histories import replied, talk_of

from ophtimus_edge.errors import (
    BackupError,
    FormatVersionError,
    HistoryBusyError,
    HistoryError,
    HistoryLockedError,
    PassphraseTooShortError,
)
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.backup import backup, restore
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Talk
from ophtimus_edge.history.workplace import clear, workplace

PASSPHRASE = "각막 수정체 망막 시신경"
ROUNDS = 50 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 3


@pytest.fixture
def profile() -> Profile:
    return profiles.create("김 간호사")


@pytest.fixture
def talk(profile: Profile) -> Talk:
    talk = talk_of("markerquestion", "markeranswer")
    with Store(profile.folder, keys.unlock(profile.key_file)) as store:
        store.begin(talk)
    return talk


def kept(profile: Profile, **secret: str) -> list[Talk]:
    with Store(profile.folder, keys.unlock(profile.key_file, **secret)) as store:
        return store.talks()


def test_a_locked_profile_comes_back_with_its_passphrase_and_its_recovery_key(
    profile: Profile, talk: Talk, tmp_path: Path
) -> None:
    recovery = keys.set_passphrase(profile.key_file, PASSPHRASE)
    profile.settings_file.write_text('theme = "light"\n')
    file = tmp_path / "stick" / "history.backup"
    file.parent.mkdir()
    assert backup(profile, keys.unlock(profile.key_file, PASSPHRASE), file) is None
    assert [path.name for path in file.parent.iterdir()] == ["history.backup"]
    assert b"marker" not in file.read_bytes()
    assert {path.name for path in profile.folder.iterdir()} <= {
        "history.db", "history.db-wal", "history.db-shm", "key.json", "lock", "profile.toml", "settings.toml",
        ".backup.lock",
    }  # fmt: skip
    for secret in ({"passphrase": PASSPHRASE}, {"recovery": recovery}):
        again = restore(file, **secret)
        assert again.id != profile.id
        assert again.settings_file.read_text() == 'theme = "light"\n'
        assert kept(again, **secret) == [talk]
    assert [other.name for other in profiles.list_profiles()] == [
        "김 간호사",
        "김 간호사 (2)",
        "김 간호사 (3)",
    ]
    shutil.rmtree(profile.folder.parent)  # a new computer
    assert restore(file, PASSPHRASE).name == "김 간호사"


def test_a_key_that_lies_open_never_travels(profile: Profile, talk: Talk, tmp_path: Path) -> None:
    key, file = keys.unlock(profile.key_file), tmp_path / "history.backup"
    with pytest.raises(BackupError, match="passphrase"):
        backup(profile, key, file)
    with pytest.raises(PassphraseTooShortError):
        backup(profile, key, file, "short")
    assert not file.exists()
    recovery = backup(profile, key, file, PASSPHRASE)
    assert recovery is not None
    assert key not in file.read_bytes()
    assert not profile.locked
    assert kept(restore(file, recovery=recovery), recovery=recovery) == [talk]


def test_nothing_is_put_in_place_without_the_right_secret(
    profile: Profile, talk: Talk, tmp_path: Path
) -> None:
    file = tmp_path / "history.backup"
    backup(profile, keys.unlock(profile.key_file), file, PASSPHRASE)
    for secret in (None, "", "not this one"):
        with pytest.raises(HistoryLockedError):
            restore(file, secret)
    assert {path.name for path in profile.folder.parent.iterdir()} - {".lock"} == {profile.id}
    restore(file, PASSPHRASE)


def test_a_backup_that_is_not_whole_is_refused_and_leaves_nothing(
    profile: Profile, talk: Talk, tmp_path: Path
) -> None:
    file = tmp_path / "history.backup"
    backup(profile, keys.unlock(profile.key_file), file, PASSPHRASE)
    whole = file.read_bytes()
    steps = range(0, len(whole), len(whole) // 12)
    broken = [whole[:at] for at in steps] + [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        for at in range(200, len(whole), len(whole) // 12)
    ]
    refused = 0
    for data in broken:
        file.write_bytes(data)
        try:
            again = restore(file, PASSPHRASE)
        except HistoryError:
            refused += 1
        else:  # the byte that was changed is none of the members'
            assert kept(again, passphrase=PASSPHRASE) == [talk]
            profiles.remove(again)
    assert refused >= len(broken) - 1
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", '{"version": 2, "sha256": {}}')
    with pytest.raises(FormatVersionError):
        restore(file, PASSPHRASE)
    for hostile in ("../../escaped", "/etc/escaped"):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(hostile, "x")
            archive.writestr("manifest.json", f'{{"version": 1, "sha256": {{"{hostile}": "x"}}}}')
        with pytest.raises(BackupError):
            restore(file, PASSPHRASE)
    with pytest.raises(BackupError):
        restore(tmp_path / "not there", PASSPHRASE)
    assert {path.name for path in profile.folder.parent.iterdir()} - {".lock"} == {profile.id}
    file.write_bytes(whole)
    assert kept(restore(file, PASSPHRASE), passphrase=PASSPHRASE) == [talk]


def test_a_backup_whose_key_lies_open_is_none(profile: Profile, talk: Talk, tmp_path: Path) -> None:
    file, members = tmp_path / "history.backup", {}
    backup(profile, keys.unlock(profile.key_file), file, PASSPHRASE)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    for key_file in (profile.key_file.read_bytes(), members["key.json"]):
        members["key.json"] = key_file
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
            archive.writestr("manifest.json", json.dumps({"version": 1, "sha256": sums}))
        if key_file == profile.key_file.read_bytes():
            with pytest.raises(BackupError):
                restore(file, "any passphrase at all")
    assert kept(restore(file, PASSPHRASE), passphrase=PASSPHRASE) == [talk]


def test_two_backups_of_a_profile_at_once_wait_for_one_another(
    profile: Profile, talk: Talk, tmp_path: Path
) -> None:
    key = keys.unlock(profile.key_file)
    with workplace(profile.folder) as work:
        with pytest.raises(HistoryBusyError):
            backup(profile, key, tmp_path / "history.backup", PASSPHRASE)
        clear(profile.folder)
        assert work.is_dir()  # nobody clears away what is in use
    backup(profile, key, tmp_path / "history.backup", PASSPHRASE)
    assert not work.exists()


def test_a_stick_that_cannot_be_written_is_said_and_the_old_backup_stays(
    profile: Profile, talk: Talk, tmp_path: Path
) -> None:
    key, file = keys.unlock(profile.key_file), tmp_path / "history.backup"
    backup(profile, key, file, PASSPHRASE)
    before = file.read_bytes()
    with pytest.raises(BackupError, match="cannot be written"):
        backup(profile, key, tmp_path / "pulled" / "history.backup", PASSPHRASE)
    with pytest.raises(HistoryError):
        backup(profile, bytes(32), file, PASSPHRASE)  # cannot be read, so the old one is not replaced
    assert file.read_bytes() == before


def test_a_backup_that_is_made_while_answers_are_written_is_one_state_of_the_history(
    profile: Profile, talk: Talk, tmp_path: Path
) -> None:
    key = keys.unlock(profile.key_file)
    ending = threading.Event()
    with Store(profile.folder, key) as store:

        def stream() -> None:
            while not ending.is_set():
                question = talk.ask("question " * 50)
                store.keep_question(talk, question)
                store.keep_reply(talk, question, replied(talk, question, "answer " * 500))

        thread = threading.Thread(target=stream)
        thread.start()
        try:
            for number in range(ROUNDS):
                file = tmp_path / f"{number}.backup"
                backup(profile, key, file, PASSPHRASE)
                (again,) = kept(restored := restore(file, PASSPHRASE), passphrase=PASSPHRASE)
                asked = len(again.questions)
                assert again.questions[:-1] == talk.questions[: asked - 1]
                profiles.remove(restored)
        finally:
            ending.set()
            thread.join()
    assert len(talk.questions) > ROUNDS
