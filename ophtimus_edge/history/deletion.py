"""Deleting for good: nothing of a talk's text is left in the database, its index, its log or its copies.

The rows go first, in one transaction that also notes that the cleaning is due; a program that ends before it
is done does it when the history is opened again. What the file system or the disk itself keeps of blocks
that were given back is encrypted with the history's key.
"""

from collections.abc import Sequence
from pathlib import Path

from ophtimus_edge.errors import HistoryBusyError
from ophtimus_edge.history import migrations, workplace
from ophtimus_edge.history.database import Connection, transaction
from ophtimus_edge.history.talk import now

_DUE = "cleaning_due"


def delete_rows(connection: Connection, talk_ids: Sequence[str]) -> None:
    """Delete talks and what the index holds of them, and note when and how many; inside a transaction."""
    talks = messages = 0
    for talk_id in talk_ids:
        numbers = connection.execute(
            "SELECT number FROM questions WHERE talk = ? UNION ALL SELECT number FROM replies WHERE talk = ?",
            (talk_id, talk_id),
        ).fetchall()
        connection.executemany("DELETE FROM search WHERE rowid = ?", numbers)
        connection.execute("DELETE FROM replies WHERE talk = ?", (talk_id,))
        connection.execute("DELETE FROM questions WHERE talk = ?", (talk_id,))
        talks += connection.execute("DELETE FROM talks WHERE id = ?", (talk_id,)).rowcount
        messages += len(numbers)
    if talks:
        connection.execute(
            "INSERT INTO deletions(at, talks, messages) VALUES(?, ?, ?)", (now().isoformat(), talks, messages)
        )
        connection.execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?, '1')", (_DUE,))


def is_cleaning_due(connection: Connection) -> bool:
    """Whether rows were deleted whose text may still stand somewhere."""
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (_DUE,)).fetchone() is not None


def clean(connection: Connection, path: Path, backups: Path) -> None:
    """Write the database anew without what was deleted, empty its log, and delete the copies of earlier forms.

    Raises:
        HistoryBusyError: another program reads just now; it stays due.
        HistoryFullError: there is no room to write it anew; it stays due.
    """
    # The index keeps the words of deleted messages in its older parts until they are made one.
    connection.execute("INSERT INTO search(search) VALUES('optimize')")
    connection.execute("VACUUM")
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise HistoryBusyError(
            f"the talks are deleted; traces of them go when no other program reads the history {path}.",
            "Close the other program. What is left goes when this one is started the next time.",
        )
    for file in migrations.backup_files(backups):
        file.unlink(missing_ok=True)
    workplace.clear(path.parent)
    with transaction(connection):
        connection.execute("DELETE FROM meta WHERE key = ?", (_DUE,))
