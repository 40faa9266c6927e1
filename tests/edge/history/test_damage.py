"""Files that are cut, flipped, somebody else's or from a newer release: said in words, and left as they are."""

import random
from pathlib import Path

import pytest
from histories import KEY, opened, talk_of

from ophtimus_edge.errors import HistoryDamagedError, HistoryNewerError
from ophtimus_edge.history import database, migrations
from ophtimus_edge.history.migrations import MIGRATIONS, Migration, statements
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Talk


@pytest.fixture
def talks() -> list[Talk]:
    return [talk_of(*(f"{number} {at} " + "word " * 200 for at in range(4))) for number in range(20)]


@pytest.fixture
def folder(tmp_path: Path, talks: list[Talk]) -> Path:
    folder = tmp_path / "profile"
    with opened(folder) as store:
        for talk in talks:
            store.begin(talk)
    return folder


def test_a_wrong_key_opens_nothing_and_changes_nothing(
    folder: Path, talks: list[Talk], capfd: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "history.db").read_bytes()
    for wrong in (bytes(32), KEY[::-1]):
        with pytest.raises(HistoryDamagedError, match="its key"):
            Store(folder, wrong)
    assert (folder / "history.db").read_bytes() == before
    assert capfd.readouterr() == ("", "")  # SQLCipher writes its own errors unless it is told not to
    with opened(folder) as store:
        assert len(store.heads()) == len(talks)


@pytest.mark.parametrize("share", [0, 0.0001, 0.3, 0.9])
def test_a_file_that_was_cut_is_refused_and_left(folder: Path, talks: list[Talk], share: float) -> None:
    path = folder / "history.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    cut = path.read_bytes()
    with pytest.raises(HistoryDamagedError):
        opened(folder)
    assert path.read_bytes() == cut
    path.write_bytes(whole)
    with opened(folder) as store:
        assert store.open(talks[0].id) == talks[0]


def test_a_flipped_byte_costs_what_stands_on_its_page_and_nothing_is_written_any_more(
    folder: Path, talks: list[Talk], capfd: pytest.CaptureFixture[str]
) -> None:
    path = folder / "history.db"
    whole = path.read_bytes()
    moments = random.Random(5)
    read = 0
    for _ in range(20):
        data = bytearray(whole)
        data[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
        path.write_bytes(data)
        try:
            store = opened(folder)
        except HistoryDamagedError:
            assert path.read_bytes() == data
            continue
        damage = False
        for talk in talks:
            try:
                assert store.open(talk.id) == talk
                read += 1
            except HistoryDamagedError:
                damage = True
        if damage:
            with pytest.raises(HistoryDamagedError):
                store.begin(talk_of("new", "new"))
        store.close()
        if damage:
            assert path.read_bytes() == data
    assert read
    assert capfd.readouterr().err == ""


def test_something_else_in_its_place_is_refused(folder: Path) -> None:
    path = folder / "history.db"
    for other in (
        b"SQLite format 3\0" + bytes(8176),
        b"a letter\n" * 1000,
        random.Random(1).randbytes(40960),
    ):
        path.write_bytes(other)
        with pytest.raises(HistoryDamagedError):
            opened(folder)
        assert path.read_bytes() == other


LATER = Migration(
    statements("""
    ALTER TABLE talks ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey';
    ALTER TABLE replies ADD COLUMN audited_by TEXT;
    CREATE TABLE labels(talk TEXT NOT NULL, label TEXT NOT NULL)
    """)
)


def test_a_release_that_was_put_back_opens_what_a_newer_one_wrote_and_the_newer_one_finds_its_own_again(
    folder: Path, talks: list[Talk]
) -> None:
    newer = [*MIGRATIONS, LATER]
    with Store(folder, KEY, newer) as store:
        assert store.open(talks[0].id) == talks[0]
        fresh = talk_of("written under the newer release", "yes")
        store.begin(fresh)
    connection = database.connect(folder / "history.db", KEY)
    reply = talks[0].questions[0].replies[0]
    connection.execute("UPDATE talks SET colour = 'red' WHERE id = ?", (talks[0].id,))
    connection.execute("INSERT INTO labels VALUES(?, 'teaching')", (talks[0].id,))
    connection.execute(
        "UPDATE replies SET audited_by = 'an eye', provenance = json_set(provenance, '$.later', 7) WHERE id = ?",
        (reply.id,),
    )
    connection.close()
    with opened(folder) as store:  # this release
        assert store.open(fresh.id) == fresh
        assert store.open(talks[0].id) == talks[0]
        talks[0].title = reply.text = "changed under this release"
        store.keep_reply(talks[0], talks[0].questions[0], reply)
        old = talk_of("written under this release", "yes")
        store.begin(old)
    with Store(folder, KEY, newer) as store:
        assert store.open(old.id) == old
        assert store.open(talks[0].id) == talks[0]
        assert [hit.talk_id for hit in store.search("written under this release")] == [old.id]
    connection = database.connect(folder / "history.db", KEY)
    assert connection.execute("SELECT colour FROM talks WHERE id = ?", (talks[0].id,)).fetchone() == ("red",)
    assert connection.execute("SELECT label FROM labels").fetchall() == [("teaching",)]
    assert connection.execute(
        "SELECT audited_by, json_extract(provenance, '$.later') FROM replies WHERE id = ?", (reply.id,)
    ).fetchone() == ("an eye", 7)
    connection.close()


def test_a_change_that_this_release_cannot_follow_is_refused_by_name(folder: Path, talks: list[Talk]) -> None:
    newer = [*MIGRATIONS, Migration(LATER.apply, compatible_from=2)]
    Store(folder, KEY, newer).close()
    before = (folder / "history.db").read_bytes()
    with pytest.raises(HistoryNewerError, match="newer release"):
        opened(folder)
    assert (folder / "history.db").read_bytes() == before
    with Store(folder, KEY, newer) as store:
        assert len(store.heads()) == len(talks)


def test_a_step_that_fails_leaves_the_file_as_it_was_and_a_copy_beside_it(
    folder: Path, talks: list[Talk]
) -> None:
    def broken(connection: database.Connection) -> None:
        LATER.apply(connection)
        connection.execute("INSERT INTO no_such_table VALUES(1)")

    with pytest.raises(HistoryDamagedError):
        Store(folder, KEY, [*MIGRATIONS, Migration(broken)])
    with opened(folder) as store:
        assert store.open(talks[0].id) == talks[0]
        assert not store.read_only
    (copy,) = migrations.backup_files(folder / "backups")
    (folder / "history.db").unlink()
    copy.rename(folder / "history.db")
    with opened(folder) as store:
        assert [store.open(talk.id) for talk in talks] == talks
    with Store(folder, KEY, [*MIGRATIONS, LATER]) as store:
        assert [store.open(talk.id) for talk in talks] == talks
