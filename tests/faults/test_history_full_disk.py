"""A disk that fills while the history is written: what was kept is read, and what comes is refused in words."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Disk
from histories import HOW, fill, opened, talk_of

from ophtimus_edge.errors import HistoryBusyError, HistoryFullError, HistoryReadOnlyError
from ophtimus_edge.history import database, profiles
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Talk, new_talk

POINTS = 100 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 6
INDEX_BYTES = 32768


def stream(store: Store, kept: list[Talk]) -> None:
    """Write talks until the disk is full; what was acknowledged goes into the list as far as it was."""
    drawn = random.Random(3)
    with pytest.raises(HistoryFullError, match="disk") as error:
        while True:
            talk = new_talk()
            store.begin(talk)
            question = talk.ask("a question " * drawn.randint(1, 40))
            store.keep_question(talk, question)
            kept.append(store.open(talk.id))
            reply = talk.begin_reply(question, HOW)
            for _ in range(drawn.randint(1, 8)):
                reply.text += "and an answer that grows " * drawn.randint(1, 100)
                store.keep_reply(talk, question, reply)
                kept[-1] = store.open(talk.id)
            reply.finish = "stop"
            store.keep_reply(talk, question, reply)
            kept[-1] = store.open(talk.id)
    assert "Free some space" in error.value.hint


def same(store: Store, kept: list[Talk]) -> None:
    for talk in kept:
        again = store.open(talk.id)
        for question in talk.questions:
            for reply in question.replies:
                reply.finish = "cancelled" if reply.finish == "writing" else reply.finish
        for question in again.questions:
            for reply in question.replies:
                reply.finish = "cancelled" if reply.finish == "writing" else reply.finish
        assert again == talk


def test_at_every_point_at_which_the_disk_fills_the_old_talks_are_read(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_S", 0.1)
    small = disk(tmp_path / "disk", 4)
    folder = small / "profile"
    old = talk_of("an old question", "an old answer")
    with opened(folder) as store:
        store.begin(old)
    for point in range(POINTS):
        left = 4096 * (1 + point * 240 // POINTS)
        filler = fill(small, left)
        kept = [old]
        store = opened(folder)
        stream(store, kept)
        same(store, kept)
        assert store.search("old")
        index = folder / "history.db-shm"
        shared = index.exists() and index.stat().st_size >= INDEX_BYTES
        assert shared or left <= INDEX_BYTES  # where exactly it fits depends on the disk
        if shared:
            with opened(folder) as reader:
                same(reader, kept)
        else:  # the writer does without the index that two programs share
            with pytest.raises(HistoryBusyError):
                opened(folder)
        fill(small)
        store.close()
        with opened(folder) as store:  # the next start finds the disk full to the last byte
            same(store, kept)
            assert store.search("old")
            stream(store, [])
            filler.unlink()
            fresh = talk_of("there is room again", "yes")
            store.begin(fresh)
            same(store, [*kept, fresh])
            store.delete([talk.id for talk in store.heads() if talk.id != old.id])


def test_a_history_that_cannot_be_begun_is_said_and_leaves_nothing_that_looks_like_one(
    disk: Disk, tmp_path: Path
) -> None:
    small = disk(tmp_path / "disk", 1)
    folder = small / "profile"
    folder.mkdir()
    filler = fill(small, leave=20_000)
    with pytest.raises(HistoryFullError):
        opened(folder)
    assert not (folder / "history.db").exists()
    filler.unlink()
    opened(folder).close()


def test_a_profile_that_cannot_be_made_is_said(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = disk(tmp_path / "disk", 1)
    monkeypatch.setenv("OPHTIMUS_HOME", str(small))
    filler = fill(small)
    with pytest.raises(HistoryFullError):
        profiles.create("one")
    assert profiles.list_profiles() == []
    filler.unlink()
    profiles.create("one")
    assert [path.name for path in (small / "history").glob("[!.]*")] == [profiles.list_profiles()[0].id]


@pytest.mark.parametrize("killed", [False, True])
def test_a_stick_that_takes_no_changes_is_read_and_says_so(disk: Disk, tmp_path: Path, killed: bool) -> None:
    small = disk(tmp_path / "disk", 4)
    folder, talk = small / "profile", talk_of("an old question", "an old answer")
    store = opened(tmp_path / "home")
    store.begin(talk)
    if not killed:
        store.close()
    shutil.copytree(tmp_path / "home", folder, ignore=shutil.ignore_patterns("*-shm"))  # as a kill leaves it
    assert (folder / "history.db-wal").exists() == killed
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    if killed:
        with pytest.raises(HistoryReadOnlyError, match="half put"):
            opened(folder)
        folder = shutil.copytree(folder, tmp_path / "copy")
        with opened(folder) as store:
            assert store.open(talk.id) == talk
        return
    with opened(folder) as reader:
        assert reader.read_only
        assert reader.open(talk.id) == talk
        assert reader.search("old")
        with pytest.raises(HistoryReadOnlyError, match="takes no changes"):
            reader.begin(talk_of("new", "new"))
