"""The history on disk: an encrypted database with one writer, in which whatever was kept is kept.

Every change is one transaction, synced to the disk before its method returns. A program that is killed, or a
power cut, loses nothing that was kept before. A second program that opens the same history can read it.
"""

import contextlib
import datetime
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import filelock
import msgspec

from ophtimus_edge.errors import (
    HistoryBusyError,
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryLockedError,
    HistoryReadOnlyError,
    TalkNotFoundError,
)
from ophtimus_edge.history import database, deletion, finding, migrations, schema, workplace
from ophtimus_edge.history.database import Connection, damaged, transaction, translated
from ophtimus_edge.history.keeping import MOST_HITS, Head, Hit, changed_at, latest, newest_first, not_found
from ophtimus_edge.history.migrations import MIGRATIONS, Migration
from ophtimus_edge.history.talk import Question, Reply, Talk
from ophtimus_edge.text import sanitize

FILE = "history.db"
BACKUPS = "backups"
LOCK = "lock"
_NO_CHANGES = "its folder takes no changes."
_ONLY_READ = "it was opened to be read only."


class Store:
    """The talks of one profile, in its folder.

    It may be called from several threads; they wait for one another.
    """

    def __init__(
        self, folder: Path, key: bytes, steps: Sequence[Migration] = MIGRATIONS, only_read: bool = False
    ) -> None:
        """Open the history of a folder, or begin it.

        Args:
            folder: a profile's.
            key: what :func:`ophtimus_edge.history.keys.unlock` gives.
            steps: of the schema, as this release knows them.
            only_read: leave the writing to another program, which may begin it meanwhile.

        Raises:
            HistoryDamagedError: the file is cut or damaged, or the key is another one's; it is left as it is.
            HistoryNewerError: a newer release changed it.
            HistoryBusyError: an earlier release has it open, or another program begins it just now.
            HistoryFullError: the disk is full, and there is nothing to read yet or a new release has to
                change the file.
        """
        self._path = folder / FILE
        self._backups = folder / BACKUPS
        self._key = key
        self._steps = steps
        self._lock = threading.RLock()
        self._broken = False
        self._interrupted: set[str] = set()
        self._connection: Connection | None = None
        self._writer = filelock.FileLock(folder / LOCK, timeout=0, mode=0o600, thread_local=False)
        self._why_read_only = ""
        try:
            folder.stat()  # filelock would make it
            if only_read:
                self._why_read_only = _ONLY_READ
            else:
                self._writer.acquire()
        except filelock.Timeout:
            self._why_read_only = "another program has it open and writes to it."
        except OSError:
            self._why_read_only = _NO_CHANGES
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def read_only(self) -> bool:
        """Whether nothing can be kept, as another program has the history open."""
        return bool(self._why_read_only)

    def heads(self) -> list[Head]:
        """All talks without their messages, the last changed first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT id, title, begun_at, changed_at, pinned, held,"
                " (SELECT count(*) FROM questions WHERE talk = talks.id)"
                " + (SELECT count(*) FROM replies WHERE talk = talks.id) FROM talks"
            ).fetchall()
            return newest_first(
                Head(
                    id_, title, schema.moment(begun_at), schema.moment(changed), bool(pinned), bool(held), messages
                )
                for id_, title, begun_at, changed, pinned, held, messages in rows
            )  # fmt: skip

    def open(self, talk_id: str) -> Talk:
        """A talk, whole; an answer that was interrupted by the end of the program is a stopped one.

        Raises:
            TalkNotFoundError: there is none.
            HistoryDamagedError: the file is damaged where it stands.
        """
        with self._reading() as connection:
            connection.execute("BEGIN")  # one state of it, whatever another program writes meanwhile
            try:
                row = connection.execute(schema.READ_TALK, (talk_id,)).fetchone()
                if row is None:
                    raise not_found()
                questions = connection.execute(schema.READ_QUESTIONS, (talk_id,)).fetchall()
                replies = connection.execute(schema.READ_REPLIES, (talk_id,)).fetchall()
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            talk = schema.talk_of(row, questions, replies)
        for question in talk.questions if self._interrupted else []:
            for reply in question.replies:
                if reply.id in self._interrupted:
                    reply.finish = "cancelled"
        return talk

    def talks(self) -> list[Talk]:
        """All talks with everything in them, the newest first."""
        talks = []
        for head in sorted(self.heads(), key=lambda head: head.begun_at.timestamp(), reverse=True):
            with contextlib.suppress(TalkNotFoundError):  # deleted by the other program meanwhile
                talks.append(self.open(head.id))
        return talks

    def begin(self, talk: Talk) -> None:
        """Keep a new talk with what it holds, an imported one for example; it may be empty."""
        self.begin_all([talk])

    def begin_all(self, talks: Iterable[Talk]) -> None:
        """Keep new talks with what they hold, all of them or none.

        Raises:
            HistoryFullError: the disk is full; none is kept.
        """
        with self._writing() as connection:
            for talk in talks:
                connection.execute(schema.BEGIN_TALK, schema.begun_row(talk))
                self._keep_talk(connection, talk, changed_at(talk))
                for question in talk.questions:
                    self._keep_question(connection, talk, question)
                    for reply in question.replies:
                        self._keep_reply(connection, talk, question, reply)

    def ids(self) -> set[str]:
        """The ids of all talks, questions and answers."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT id FROM talks UNION ALL SELECT id FROM questions UNION ALL SELECT id FROM replies"
            )
            return {id_ for (id_,) in rows}

    def keep_question(self, talk: Talk, question: Question) -> None:
        """Keep a question, before it is sent, and which branch the talk shows.

        Raises:
            TalkNotFoundError: the talk was deleted, or never begun.
            HistoryFullError: the disk is full; the question is not kept.
        """
        with self._writing() as connection:
            if not self._keep_talk(connection, talk, question.asked_at):
                raise not_found()
            self._keep_question(connection, talk, question)

    def keep_reply(self, talk: Talk, question: Question, reply: Reply) -> None:
        """Keep an answer as far as it is written; nothing where its talk was deleted meanwhile.

        It is found by its words once it is whole.

        Raises:
            HistoryFullError: the disk is full; what was kept of it before stays.
        """
        with self._writing() as connection:
            if self._keep_talk(connection, talk, reply.begun_at):
                self._keep_question(connection, talk, question)
                self._keep_reply(connection, talk, question, reply)
        self._interrupted.discard(reply.id)

    def keep_view(self, talk: Talk) -> None:
        """Keep which branches and answers a talk shows, its title and its marks; nothing where it was deleted."""
        with self._writing() as connection:
            if not self._keep_talk(connection, talk):
                return
            shown = dict(connection.execute("SELECT id, shown FROM questions WHERE talk = ?", (talk.id,)))
            marks = {
                id_: (keep, flag)
                for id_, keep, flag in connection.execute(
                    "SELECT id, keep, flag FROM replies WHERE talk = ?", (talk.id,)
                )
            }
            for question in talk.questions:
                if shown.get(question.id, question.shown) != question.shown:
                    connection.execute(
                        "UPDATE questions SET shown = ? WHERE id = ?", (question.shown, question.id)
                    )
                for reply in question.replies:
                    now = (int(reply.keep), schema.flag_json(reply.flag))
                    if marks.get(reply.id, now) != now:
                        connection.execute(
                            "UPDATE replies SET keep = ?, flag = ? WHERE id = ?", (*now, reply.id)
                        )

    def delete(self, talk_ids: Sequence[str]) -> None:
        """Delete talks for good: nothing of their text is left in the history's files.

        Takes as long as writing the database anew: about a second for each 20,000 messages.

        Raises:
            HistoryBusyError: they are deleted, and what is left of their text goes at the next start.
            HistoryFullError: the disk is too full to write the database anew; the same holds.
        """
        with self._writing() as connection:
            deletion.delete_rows(connection, talk_ids)
        with self._reading() as connection:
            if deletion.is_cleaning_due(connection):
                try:
                    with translated(self._path):
                        deletion.clean(connection, self._path, self._backups)
                except HistoryFullError as error:
                    raise HistoryFullError(
                        f"the talks are deleted; the disk is too full to free {self._path} of their traces.",
                        "Free some space. What is left goes when the program is started the next time.",
                    ) from error

    def search(self, words: str, most: int = MOST_HITS) -> list[Hit]:
        """The messages that hold all words, the best first; see :func:`ophtimus_edge.history.finding.find`."""
        with self._reading() as connection:
            return finding.find(connection, words, most)

    def close(self) -> None:
        """Let go of the history, so that another program can write to it."""
        with self._lock:
            if self._connection is not None:
                if not self.read_only and not self._broken:
                    with contextlib.suppress(HistoryError), translated(self._path):
                        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.close()
                self._connection = None
            self._writer.release()
            self._key = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        if not self._path.exists():
            self._begin_file()
        elif self._path.stat().st_size == 0:
            raise damaged(self._path)  # a new one is never empty: it is renamed into its place
        with self._lock, self._noticing_damage():
            connection = self._connected()
            migrations.check(connection, self._path, self._steps)
            database.check_length(connection, self._path)
            if self.read_only:
                if migrations.version(connection) < len(self._steps):
                    raise HistoryBusyError(
                        f"an earlier release has the history {self._path} open.",
                        "Close it there; this release can open it afterwards.",
                    )
                return
            migrations.upgrade(connection, self._path, self._backups, self._steps)
            with contextlib.suppress(HistoryFullError), translated(self._path):
                self._take_up(connection)

    def _begin_file(self) -> None:
        """Make an empty history."""
        if self._why_read_only == _NO_CHANGES:
            raise HistoryReadOnlyError(
                f"there is no history at {self._path}, and none can be begun: its folder takes no changes.",
                "See that its disk is connected and that you may write there.",
            )
        if self.read_only:
            raise HistoryBusyError(
                f"another program begins the history {self._path} just now.", "Try again in a moment."
            )
        migrations.begin_file(self._path, self._key, self._backups, self._steps)

    def _take_up(self, connection: Connection) -> None:
        """Finish what a program that was killed left: answers that grew, text that was being deleted."""
        growing = connection.execute(
            "SELECT id, number, text FROM replies WHERE finish = 'writing'"
        ).fetchall()
        self._interrupted = {id_ for id_, _, _ in growing}
        if growing:
            with transaction(connection):
                for _, number, text in growing:
                    finding.index(connection, number, text)
                connection.execute("UPDATE replies SET finish = 'cancelled' WHERE finish = 'writing'")
            self._interrupted = set()
        workplace.clear(self._path.parent)
        if deletion.is_cleaning_due(connection):
            with contextlib.suppress(HistoryBusyError):
                deletion.clean(connection, self._path, self._backups)

    def _connected(self) -> Connection:
        if not self._key:
            raise HistoryLockedError("the history is closed.", "Open it again.")
        if self._connection is None:
            self._connection = database.connect(self._path, self._key, read_only=self.read_only)
        return self._connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._lock, self._noticing_damage():
            try:
                yield self._connected()
            except (msgspec.MsgspecError, ValueError) as error:  # a row that is not as it was written
                raise damaged(self._path) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self.read_only:
            raise HistoryReadOnlyError(
                f"nothing is kept in the history {self._path}: {self._why_read_only}",
                "Close the other program and open the history again, or see to it that you may write there.",
            )
        with self._lock, self._noticing_damage():
            if self._broken:
                raise damaged(self._path)
            connection = self._connected()
            with transaction(connection):
                yield connection

    @contextlib.contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        """After damage was met, write nothing more, and read the rest through a new connection."""
        try:
            with translated(self._path):
                yield
        except HistoryDamagedError:
            self._broken = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise

    def _keep_talk(self, connection: Connection, talk: Talk, *said_at: datetime.datetime) -> bool:
        """Keep a talk's own row; False where there is none."""
        row = connection.execute("SELECT changed_at FROM talks WHERE id = ?", (talk.id,)).fetchone()
        if row is None:
            return False
        at = latest(schema.moment(row[0]), *said_at)
        connection.execute(
            "UPDATE talks SET title = ?, pinned = ?, held = ?, chosen = ?, changed_at = ? WHERE id = ?",
            (
                sanitize(talk.title),
                talk.pinned,
                talk.held,
                schema.as_json(talk.chosen),
                at.isoformat(),
                talk.id,
            ),
        )
        return True

    def _keep_question(self, connection: Connection, talk: Talk, question: Question) -> None:
        known = connection.execute("SELECT 1 FROM questions WHERE id = ?", (question.id,)).fetchone()
        row = connection.execute(schema.KEEP_QUESTION, schema.question_row(talk, question)).fetchone()
        if known is None:
            finding.index(connection, row[0], question.text)

    def _keep_reply(self, connection: Connection, talk: Talk, question: Question, reply: Reply) -> None:
        before = connection.execute(
            "SELECT text = ? AND finish <> 'writing' FROM replies WHERE id = ?",
            (sanitize(reply.text), reply.id),
        ).fetchone()
        row = connection.execute(schema.KEEP_REPLY, schema.reply_row(talk, question, reply)).fetchone()
        if reply.finish != "writing" and not (before and before[0]):
            finding.index(connection, row[0], reply.text)
