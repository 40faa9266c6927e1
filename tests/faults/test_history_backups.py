"""Backups while another process writes, that are killed, and on sticks that fill or are pulled out."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import two_lines
from conftest import BIN, Command, Disk
from histories import fill, talk_of

from ophtimus_edge.errors import BackupError
from ophtimus_edge.history import database, keys, profiles
from ophtimus_edge.history.backup import backup, restore
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Talk

LONG = os.environ.get("OPHTIMUS_CAMPAIGN") == "long"
ROUNDS, KILLS = (50, 30) if LONG else (3, 3)
PASSPHRASE = "각막 수정체 망막 시신경"

# Writes to a history as fast as the disk takes it, and says after each step what was kept.
WRITING = """
import json, sys
from pathlib import Path
from histories import HOW
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import new_talk

store = Store(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]))
while True:
    talk = new_talk()
    store.begin(talk)
    for number in range(5):
        question = talk.ask(f"question {number}")
        store.keep_question(talk, question)
        reply = talk.begin_reply(question, HOW)
        for _ in range(4):
            reply.text += "answer 백내장 " * 100
            store.keep_reply(talk, question, reply)
        reply.finish = "stop"
        store.keep_reply(talk, question, reply)
        sys.stdout.write(json.dumps([question.id, reply.id, reply.text]) + "\\n")
        sys.stdout.flush()
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE, encoding="utf-8")
    return file


def large(name: str, megabytes: int = 2) -> tuple[Profile, list[Talk]]:
    """A profile whose history takes some time to copy: text that is not the same twice."""
    drawn = random.Random(5)
    profile = profiles.create(name)
    talks = [
        talk_of("a question", " ".join(str(drawn.random()) for _ in range(5000)))
        for _ in range(10 * megabytes)
    ]
    with Store(profile.folder, keys.unlock(profile.key_file)) as store:
        store.begin_all(talks)
    return profile, talks


def kept(profile: Profile, **secret: str) -> dict[str, Talk]:
    with Store(profile.folder, keys.unlock(profile.key_file, **secret)) as store:
        return {talk.id: talk for talk in store.talks()}


def the_lines(file: Path) -> Iterator[list[str]]:
    for line in file.read_text(encoding="utf-8").split("\n")[:-1]:  # the last may be cut
        yield json.loads(line)


@pytest.mark.usefixtures("cheap_passphrases")
def test_every_backup_that_is_made_while_another_process_writes_is_sound_and_has_all_that_was_kept_before(
    tmp_path: Path,
) -> None:
    profile = profiles.create("a")
    key, said = keys.unlock(profile.key_file), tmp_path / "said"
    Store(profile.folder, key).close()
    counts = []
    with (
        said.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(profile.folder), key.hex()],
            stdout=output,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as writer,
    ):
        try:
            for number in range(ROUNDS):
                before, deadline = len(counts) and counts[-1], time.monotonic() + 60
                while len(lines := list(the_lines(said))) <= before and time.monotonic() < deadline:
                    time.sleep(0.01)
                counts.append(len(lines))
                backup(profile, key, tmp_path / f"{number}.backup", PASSPHRASE)
                assert writer.poll() is None
        finally:
            writer.kill()
    assert counts == sorted(set(counts))  # each had more to keep than the last
    acknowledged = list(the_lines(said))
    for number, count in enumerate(counts):
        again = restore(tmp_path / f"{number}.backup", PASSPHRASE)
        talks = kept(again, passphrase=PASSPHRASE).values()
        answers = {reply.id: reply.text for talk in talks for q in talk.questions for reply in q.replies}
        questions = {question.id for talk in talks for question in talk.questions}
        for question, reply, text in acknowledged[:count]:
            assert question in questions
            assert answers[reply] == text
        connection = database.connect(again.folder / "history.db", key)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA cipher_integrity_check").fetchall() == []
        connection.close()
        profiles.remove(again)


def killed_after(words: list[str], begun: Path, pattern: str, seconds: float) -> None:
    """Run a command, and kill it some time after a file that it works with has appeared."""
    with subprocess.Popen(
        [str(BIN / "ophtimus"), "history", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not list(begun.glob(pattern)):
            time.sleep(0.002)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


def test_a_killed_backup_leaves_the_old_file_or_a_whole_new_one(
    ophtimus: Command, tmp_path: Path, secret: Path
) -> None:
    profile, _ = large("a")
    stick = tmp_path / "stick"
    stick.mkdir()
    file = stick / "a.backup"
    words = ["backup", str(file), "--replace", "--passphrase-file", str(secret)]
    moments = random.Random(17)
    before = b""
    for _ in range(KILLS):
        # what an earlier kill left would be taken for the work of this one
        shutil.rmtree(profile.folder / "gone", ignore_errors=True)
        for left in profile.folder.glob(".backup.work.*"):
            left.rename(profile.folder / f"left-{left.name.lstrip('.')}")
        killed_after(words, profile.folder, ".backup.work.*", moments.random() * 1.2)
        after = file.read_bytes() if file.exists() else b""
        if after != before:
            again = restore(file, PASSPHRASE)
            assert kept(again, passphrase=PASSPHRASE) == kept(profile)
            profiles.remove(again)
            before = after
        for left in profile.folder.glob("left-*"):
            shutil.rmtree(left)
    killed_after(words, profile.folder, ".backup.work.*", 0)
    assert list(profile.folder.glob(".backup.work.*"))
    result = ophtimus("history", *words)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in stick.iterdir()] == ["a.backup"]
    assert not list(profile.folder.glob(".backup.work.*"))


def test_what_a_killed_backup_left_is_gone_when_a_conversation_is_deleted_for_good(
    tmp_path: Path, secret: Path
) -> None:
    profile, talks = large("a")
    words = ["backup", str(tmp_path / "a.backup"), "--passphrase-file", str(secret)]
    killed_after(words, profile.folder, ".backup.work.*", 0)
    assert list(profile.folder.glob(".backup.work.*"))
    key = keys.unlock(profile.key_file)
    with Store(profile.folder, key, only_read=True):
        assert list(profile.folder.glob(".backup.work.*"))  # who only reads changes nothing
    with Store(profile.folder, key) as store:
        assert not list(profile.folder.glob(".backup.work.*"))
        (profile.folder / ".backup.work.left").mkdir()
        store.delete([talks[0].id])
        assert not list(profile.folder.glob(".backup.work.*"))


def test_a_killed_restore_leaves_no_profile_or_a_whole_one(
    ophtimus: Command, tmp_path: Path, secret: Path
) -> None:
    profile, _ = large("a")
    file = tmp_path / "a.backup"
    backup(profile, keys.unlock(profile.key_file), file, PASSPHRASE)
    words = ["restore", str(file), "--passphrase-file", str(secret)]
    home, whole = profile.folder.parent, kept(profile)
    moments = random.Random(19)
    for _ in range(KILLS):
        for left in home.glob(".*.part"):
            left.rename(home / f"left{left.name}")
        killed_after(words, home, ".*.part", moments.random() * 1.2)
        for again in profiles.list_profiles():
            if again.id != profile.id:
                assert kept(again, passphrase=PASSPHRASE) == whole
                profiles.remove(again)
        for left in home.glob("left.*"):
            shutil.rmtree(left)
    killed_after(words, home, ".*.part", 0)
    assert list(home.glob(".*.part"))
    assert [other.id for other in profiles.list_profiles()] == [profile.id]
    assert ophtimus("history", *words).returncode == 0
    assert not list(home.glob(".*.part"))
    assert len(profiles.list_profiles()) == 2
    assert kept(profile) == whole


def test_a_backup_that_is_stopped_leaves_nothing(tmp_path: Path, secret: Path) -> None:
    profile, _ = large("a")
    words = ["backup", str(tmp_path / "a.backup"), "--passphrase-file", str(secret)]
    with subprocess.Popen(
        [str(BIN / "ophtimus"), "history", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not list(profile.folder.glob(".backup.work.*")):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("*a.backup*"))
    assert not list(profile.folder.glob(".backup.work.*"))


@pytest.mark.usefixtures("cheap_passphrases")
@pytest.mark.parametrize("step", ["copying the history", "writing the file", "checking the file"])
def test_a_stick_that_is_pulled_out_in_the_middle_is_said(tmp_path: Path, step: str) -> None:
    profile, _ = large("a", 1)
    key, stick = keys.unlock(profile.key_file), tmp_path / "stick"
    stick.mkdir()

    def pull(now: str, _done: int, _total: int) -> None:
        if now == step:
            shutil.rmtree(stick, ignore_errors=True)

    with pytest.raises(BackupError, match="cannot be written or read") as error:
        backup(profile, key, stick / "a.backup", PASSPHRASE, pull)
    assert "connected" in error.value.hint
    assert not list(profile.folder.glob(".backup.work.*"))
    stick.mkdir()
    backup(profile, key, stick / "a.backup", PASSPHRASE)
    assert kept(restore(stick / "a.backup", PASSPHRASE), passphrase=PASSPHRASE) == kept(profile)


@pytest.mark.usefixtures("cheap_passphrases")
@pytest.mark.parametrize("step", ["copying the history", "checking the file"])
def test_a_stick_that_turns_read_only_in_the_middle_is_said_and_its_old_backup_stays(
    disk: Disk, tmp_path: Path, step: str
) -> None:
    profile, _ = large("a", 1)
    key, stick = keys.unlock(profile.key_file), disk(tmp_path / "stick", 16)
    file = stick / "a.backup"
    backup(profile, key, file, PASSPHRASE)
    before = file.read_bytes()

    def seal(now: str, _done: int, _total: int) -> None:
        if now == step:
            subprocess.run(["mount", "-o", "remount,ro", str(stick)], check=True)

    with pytest.raises(BackupError, match="Read-only"):
        backup(profile, key, file, PASSPHRASE, seal)
    assert file.read_bytes() == before
    subprocess.run(["mount", "-o", "remount,rw", str(stick)], check=True)
    backup(profile, key, file, PASSPHRASE)
    assert [path.name for path in stick.iterdir()] == ["a.backup"]
    assert file.read_bytes() != before


def test_a_stick_without_room_is_said_and_nothing_is_left_on_it(
    ophtimus: Command, disk: Disk, tmp_path: Path, secret: Path
) -> None:
    profile, talks = large("a")
    stick = disk(tmp_path / "stick", 1)
    words = ["backup", str(stick / "a.backup"), "--passphrase-file", str(secret)]
    assert "No space left" in two_lines(ophtimus("history", *words))
    exported = ["export", "--all", "--format", "json", "-o", str(stick / "a.json")]
    assert "its disk is full" in two_lines(ophtimus("history", *exported))
    assert list(stick.iterdir()) == []
    assert kept(profile) == {talk.id: talk for talk in talks}
    assert ophtimus("history", "export", talks[0].id, "-o", str(stick / "a.md")).returncode == 0


def test_where_the_history_has_no_room_what_cannot_be_done_is_said_and_nothing_is_lost(
    ophtimus: Command, disk: Disk, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = disk(tmp_path / "small", 8)
    monkeypatch.setenv("OPHTIMUS_HOME", str(small))
    profile, talks = large("a", 1)
    file, exported = tmp_path / "a.backup", tmp_path / "a.json"
    locked = ["--passphrase-file", str(secret)]
    assert ophtimus("history", "export", "--all", "--format", "json", "-o", str(exported)).returncode == 0
    assert ophtimus("history", "backup", str(file), *locked).returncode == 0
    filler = fill(small, leave=200_000)
    assert "takes nothing new" in two_lines(ophtimus("history", "import", str(exported)))
    assert "no room for the copy" in two_lines(ophtimus("history", "backup", str(file), "--replace", *locked))
    assert "cannot be written" in two_lines(ophtimus("history", "restore", str(file), *locked))
    assert kept(profile) == {talk.id: talk for talk in talks}
    said = two_lines(ophtimus("history", "delete", talks[0].id, "--yes"))
    assert "the talks are deleted" in said
    filler.unlink()
    assert kept(profile) == {talk.id: talk for talk in talks[1:]}
    assert ophtimus("history", "import", str(exported)).returncode == 0
    assert len(kept(profile)) == 2 * len(talks) - 1
    assert [path.name for path in (small / "history").glob("[!.]*")] == [profile.id]
