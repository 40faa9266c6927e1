"""Talks that are deleted for good, and those whose time is over."""

import datetime
from pathlib import Path

import pytest
from histories import KEY, opened, plain_bytes, talk_of

from ophtimus_edge.history import database, deletion
from ophtimus_edge.history.keeping import Forgetting
from ophtimus_edge.history.migrations import MIGRATIONS, Migration, statements
from ophtimus_edge.history.retention import due
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Talk, now

GONE = [f"gonemarker{number}qx" for number in range(60)]
KOREAN = "뷁쉛쪣"


def filled(store: Store) -> tuple[list[Talk], Talk]:
    gone = [talk_of(GONE[at], f"{GONE[at + 1]} {KOREAN} " + "long " * 2000) for at in range(0, len(GONE), 2)]
    stays = talk_of("staymarker", "staysanswer " * 10)
    for talk in [*gone[:15], stays, *gone[15:]]:
        store.begin(talk)
    return gone, stays


def traces(folder: Path) -> list[str]:
    found = plain_bytes(folder)
    assert b"staymarker" in found  # the look finds what is there
    pairs = [KOREAN[at : at + 2] for at in range(len(KOREAN) - 1)]
    return [word for word in [*GONE, KOREAN, *pairs] if word.encode() in found]


def test_nothing_of_a_deleted_talk_is_left_in_any_file_decrypted_too(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        gone, stays = filled(store)
        assert len(traces(tmp_path)) == len(GONE) + 3
        store.delete([talk.id for talk in gone])
        assert traces(tmp_path) == []
        assert store.talks() == [stays]
        assert store.search(GONE[0]) == store.search(KOREAN) == []
        assert [hit.talk_id for hit in store.search("staymarker")] == [stays.id]
    assert traces(tmp_path) == []
    connection = database.connect(tmp_path / "history.db", KEY)
    assert connection.execute("SELECT talks, messages FROM deletions").fetchall() == [(30, 60)]
    connection.close()


def test_copies_from_before_a_step_go_too(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        gone, _ = filled(store)
    with Store(tmp_path, KEY, [*MIGRATIONS, Migration(statements("CREATE TABLE later(a)"))]) as store:
        assert list((tmp_path / "backups").iterdir())
        store.delete([talk.id for talk in gone])
        assert list((tmp_path / "backups").iterdir()) == []
    assert traces(tmp_path) == []


def test_a_deletion_that_was_killed_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    store = opened(tmp_path)
    gone, stays = filled(store)
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "clean", killed)
        with pytest.raises(KilledError):
            store.delete([talk.id for talk in gone])
    assert traces(tmp_path)
    store.close()
    with opened(tmp_path) as store:
        assert store.talks() == [stays]
        assert traces(tmp_path) == []


def test_what_is_deleted_while_another_program_reads_is_gone_when_nobody_does(tmp_path: Path) -> None:
    with opened(tmp_path) as store, opened(tmp_path) as reader:
        gone, stays = filled(store)
        assert len(reader.heads()) == len(gone) + 1
        store.delete([talk.id for talk in gone])
        assert [head.id for head in reader.heads()] == [stays.id]
        assert traces(tmp_path) == []


def test_deleting_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        _, stays = filled(store)
        before = store.heads()
        store.delete(["no such talk"])
        store.delete([])
        assert store.heads() == before
        assert store.open(stays.id) == stays


def test_a_limit_in_days_names_the_old_and_spares_the_pinned_the_held_and_the_new() -> None:
    history = Forgetting()
    today = now()
    for title, age in {
        "new": 1,
        "kept by a day": 29,
        "old": 32,
        "pinned": 50,
        "held": 50,
        "oldest": 60,
    }.items():
        talk = talk_of(title, "an answer")
        talk.begun_at = talk.questions[0].asked_at = talk.questions[0].replies[0].begun_at = (
            today - datetime.timedelta(days=age)
        )
        talk.pinned, talk.held = title == "pinned", title == "held"
        history.begin(talk)
    assert [head.title for head in due(history, 30, today)] == ["oldest", "old"]
    assert due(history, 0, today) == due(history, -1, today) == due(history, 90, today) == []


def aged(history: Forgetting, title: str, at: datetime.datetime) -> None:
    talk = talk_of(title, "an answer")
    talk.begun_at = talk.questions[0].asked_at = talk.questions[0].replies[0].begun_at = at
    history.begin(talk)


def test_a_talk_that_was_kept_while_the_clock_was_ahead_makes_no_other_one_old() -> None:
    history, today = Forgetting(), now()
    aged(history, "new", today - datetime.timedelta(days=1))
    aged(history, "old", today - datetime.timedelta(days=32))
    assert [head.title for head in due(history, 30, today)] == ["old"]
    aged(history, "of a clock set ahead", today + datetime.timedelta(days=3650))
    assert [head.title for head in due(history, 30, today)] == ["old"]
    later = today + datetime.timedelta(days=3650 + 31)
    assert [head.title for head in due(history, 30, later)] == ["old", "new", "of a clock set ahead"]


def test_while_the_clock_is_set_back_nothing_is_due_too_early() -> None:
    history, today = Forgetting(), now()
    aged(history, "new", today - datetime.timedelta(days=1))
    aged(history, "old", today - datetime.timedelta(days=32))
    for days in (3, 40, 3650):
        back = today - datetime.timedelta(days=days)
        assert due(history, 30, back) == []
        assert due(history, 1 << 40, back) == []
    assert [head.title for head in due(history, 30, today)] == ["old"]


def test_an_old_talk_that_was_gone_on_with_is_not_old() -> None:
    history = Forgetting()
    talk = talk_of("old", "an answer")
    talk.begun_at = talk.questions[0].asked_at = talk.questions[0].replies[0].begun_at = (
        now() - datetime.timedelta(days=90)
    )
    history.begin(talk)
    assert [head.id for head in due(history, 30, now())] == [talk.id]
    talk.ask("and today?")
    assert due(history, 30, now()) == []
