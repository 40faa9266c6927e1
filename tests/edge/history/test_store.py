"""The history on disk: what was kept comes back, whole and as it was, and by one writer at a time."""

import datetime
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from histories import HOW, KEY, opened, plain_bytes, replied, talk_of

from ophtimus_edge.errors import (
    HistoryBusyError,
    HistoryDamagedError,
    HistoryError,
    HistoryLockedError,
    HistoryReadOnlyError,
    TalkNotFoundError,
)
from ophtimus_edge.history import database
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Flag, Talk, new_talk, now

MARKED = 10_000 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 100  # messages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "profile"
    folder.mkdir()
    return folder


def kept(folder: Path, talk: Talk) -> Talk:
    with opened(folder) as store:
        return store.open(talk.id)


def test_a_talk_comes_back_as_it_was(folder: Path) -> None:
    with opened(folder) as store:
        talk = new_talk()
        store.begin(talk)
        one = talk.ask("67세 여성, 갑자기\n오른쪽 눈이 아픕니다")
        store.keep_question(talk, one)
        reply = replied(talk, one, "급성 폐쇄각 녹내장일 수 있습니다. 💧")
        reply.notices, reply.dropped, reply.note = ["a notice"], ["x"], "a note"
        reply.prompt_tokens, reply.completion_tokens, reply.tokens_per_s = 12, 34, 5.6
        store.keep_reply(talk, one, reply)
        store.keep_reply(talk, one, replied(talk, one, "other"))
        two = talk.ask("two")
        store.keep_question(talk, two)
        store.keep_question(talk, talk.ask("edited", instead_of=one))
        talk.show_reply(one, -1)
        talk.pinned = talk.held = reply.keep = True
        talk.title = "제목"
        reply.flag = Flag(kind="unsafe", correction="바로 의뢰합니다", at=now())
        store.keep_view(talk)
        assert store.open(talk.id) == talk
    assert kept(folder, talk) == talk
    with opened(folder) as store:
        (head,) = store.heads()
        assert head == (talk.id, "제목", talk.begun_at, talk.questions[-1].asked_at, True, True, 5)
        assert store.talks() == [talk]


def test_a_mark_that_is_taken_away_is_gone(folder: Path) -> None:
    talk = talk_of("one", "first")
    reply = talk.questions[0].replies[0]
    reply.flag, talk.pinned = Flag(kind="wrong", correction="", at=now()), True
    with opened(folder) as store:
        store.begin(talk)
        reply.flag, talk.pinned = None, False
        store.keep_view(talk)
    assert kept(folder, talk) == talk


def test_what_could_command_a_terminal_or_no_encoding_carries_is_kept_without_that(folder: Path) -> None:
    talk = talk_of("red \x1b[31m \ud800", "blue \x1b[34m")
    talk.questions[0].replies[0].notices = ["\ud800!"]
    with opened(folder) as store:
        store.begin(talk)
    again = kept(folder, talk)
    assert (again.questions[0].text, again.title) == ("red [31m ", "red [31m ")
    assert (again.questions[0].replies[0].text, again.questions[0].replies[0].notices) == ("blue [34m", ["!"])


def test_an_answer_is_kept_as_it_grows_and_is_a_stopped_one_when_the_program_ended_meanwhile(
    folder: Path,
) -> None:
    store = opened(folder)
    talk = new_talk()
    store.begin(talk)
    question = talk.ask("one")
    store.keep_question(talk, question)
    reply = talk.begin_reply(question, HOW)
    for word in ("glaucoma ", "is ", "treated"):
        reply.text += word
        store.keep_reply(talk, question, reply)
        assert store.open(talk.id) == talk
    store.close()  # in mid-answer
    again = kept(folder, talk)
    assert again.questions[0].replies[0].text == "glaucoma is treated"
    assert again.questions[0].replies[0].finish == "cancelled"
    with opened(folder) as store:
        assert [hit.message_id for hit in store.search("glaucoma")] == [reply.id]


def test_a_talk_that_is_not_there_takes_no_question(folder: Path) -> None:
    talk = talk_of("one", "first")
    with opened(folder) as store:
        with pytest.raises(TalkNotFoundError):
            store.keep_question(talk, talk.questions[0])
        with pytest.raises(TalkNotFoundError):
            store.open(talk.id)
        store.begin(talk)
        store.keep_question(talk, talk.ask("two"))
        assert store.open(talk.id) == talk


def test_an_answer_that_comes_after_its_talk_was_deleted_does_not_bring_it_back(folder: Path) -> None:
    talk = talk_of("one", "first")
    with opened(folder) as store:
        store.begin(talk)
        store.delete([talk.id])
        store.keep_reply(talk, talk.questions[0], talk.questions[0].replies[0])
        store.keep_view(talk)
        assert store.heads() == []


def test_a_second_program_reads_and_says_so_and_the_next_one_writes(folder: Path) -> None:
    talk = talk_of("one", "first")
    with opened(folder) as first:
        first.begin(talk)
        with opened(folder) as second:
            assert (first.read_only, second.read_only) == (False, True)
            first.keep_question(talk, talk.ask("two"))
            assert second.open(talk.id) == talk
            for keep in (
                lambda: second.begin(talk),
                lambda: second.keep_question(talk, talk.questions[0]),
                lambda: second.keep_reply(talk, talk.questions[0], talk.questions[0].replies[0]),
                lambda: second.keep_view(talk),
                lambda: second.delete([talk.id]),
            ):
                with pytest.raises(HistoryReadOnlyError, match="another program"):
                    keep()
    with opened(folder) as third:
        assert not third.read_only
        third.keep_question(talk, talk.questions[0])


def test_a_second_process_reads_too(folder: Path) -> None:
    talk = talk_of("one", "first")
    script = (
        "import sys; from pathlib import Path; from ophtimus_edge.history.store import Store\n"
        f"store = Store(Path(sys.argv[1]), bytes.fromhex('{KEY.hex()}'))\n"
        "print(store.read_only, store.heads()[0].messages)"
    )
    with opened(folder) as store:
        store.begin(talk)
        result = subprocess.run(
            [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True
        )
    assert (result.stdout, result.stderr) == ("True 2\n", "")


def test_a_history_that_another_tool_holds_is_said_to_be_in_use(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_S", 0.1)
    talk = talk_of("one", "first")
    with opened(folder) as store:
        store.begin(talk)
        other = database.connect(folder / "history.db", KEY)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryBusyError):
            store.keep_question(talk, talk.ask("two"))
        other.execute("ROLLBACK")
        store.keep_question(talk, talk.questions[-1])
        other.close()


def test_threads_wait_for_one_another(folder: Path) -> None:
    talks = [talk_of("one", "first") for _ in range(4)]
    with opened(folder) as store:

        def stream(talk: Talk) -> None:
            store.begin(talk)
            for number in range(10):
                question = talk.ask(f"question {number}")
                store.keep_question(talk, question)
                store.keep_reply(talk, question, replied(talk, question, "answer"))

        threads = [threading.Thread(target=stream, args=[talk]) for talk in talks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.open(talk.id) for talk in talks] == talks


def test_what_does_not_fit_is_refused_whole_and_the_next_is_kept(folder: Path) -> None:
    wrong, right = talk_of("one", "first", "two", "second"), talk_of("three", "third")
    wrong.questions[1].replies[0].prompt_tokens = None  # type: ignore[assignment]
    with opened(folder) as store:
        with pytest.raises(HistoryError, match="does not fit"):
            store.begin(wrong)
        assert store.heads() == []
        store.begin(right)
        assert store.talks() == [right]


def test_a_closed_history_takes_nothing(folder: Path) -> None:
    talk = talk_of("one", "first")
    store = opened(folder)
    store.begin(talk)
    store.close()
    with pytest.raises(HistoryLockedError):
        store.keep_question(talk, talk.ask("two"))
    with pytest.raises(HistoryLockedError):
        store.heads()


def test_no_text_stands_anywhere_in_plain_and_the_files_are_their_owners_alone(folder: Path) -> None:
    store = opened(folder)
    for _ in range(MARKED // 20):
        talk = talk_of(*["markerzq"] * 20)
        talk.title = "markerzq"
        store.begin(talk)
    store.search("markerzq")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"history.db", "history.db-wal", "history.db-shm"}
    assert not [path.name for path in files if b"markerzq" in path.read_bytes()]
    assert plain_bytes(folder).count(b"markerzq") >= MARKED  # the look finds what is there
    if sys.platform != "win32":
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    store.close()


def test_heads_stand_by_when_something_was_last_said_whatever_the_clock_says(folder: Path) -> None:
    old, new = talk_of("old", "first"), talk_of("new", "first")
    with opened(folder) as store:
        store.begin(old)
        store.begin(new)
        assert [head.title for head in store.heads()] == ["new", "old"]
        question = old.ask("more")
        store.keep_question(old, question)
        assert [head.title for head in store.heads()] == ["old", "new"]
        back = old.ask("after the clock was set back", instead_of=question)
        back.asked_at -= datetime.timedelta(days=4000)
        store.keep_question(old, back)
        assert store.heads()[0].changed_at == question.asked_at
        assert store.open(old.id).path()[-1].text == back.text


def test_an_old_sqlite_is_refused() -> None:
    with pytest.raises(HistoryError, match=r"3\.51\.2 is too old"):
        database.check_version((3, 51, 2))
    database.check_version((3, 51, 3))
    database.check_version()


def test_the_log_of_a_database_that_is_gone_is_not_written_over(folder: Path) -> None:
    opened(folder).close()
    (folder / "history.db").rename(folder / "elsewhere")
    (folder / "history.db-wal").write_bytes(b"all that is left")
    with pytest.raises(HistoryDamagedError):
        opened(folder)
    assert (folder / "history.db-wal").read_bytes() == b"all that is left"
    (folder / "history.db-wal").unlink()
    (folder / "elsewhere").rename(folder / "history.db")
    Store(folder, KEY).close()


def test_a_folder_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(HistoryReadOnlyError, match="none can be begun"):
        Store(folder / "pulled", KEY)
    Store(folder, KEY).close()


def test_several_talks_are_begun_all_or_none(folder: Path) -> None:
    first, second = talk_of("one", "first"), talk_of("two", "second")

    def cut_off() -> Iterator[Talk]:
        yield first
        raise RuntimeError("cut off")

    with opened(folder) as store:
        with pytest.raises(RuntimeError, match="cut off"):
            store.begin_all(cut_off())
        assert store.heads() == []
        assert store.ids() == set()
        store.begin_all([first, second])
        assert {talk.id for talk in store.talks()} == {first.id, second.id}
        assert len(store.ids()) == 6
