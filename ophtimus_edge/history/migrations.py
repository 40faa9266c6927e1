"""The steps by which a history came to its present form, oldest first; each is taken once, whole or not at all.

A step adds (columns with a default, tables, indexes) and changes nothing that an earlier release reads, so
that a release that was put back still opens the history. One that cannot keep to this raises
``compatible_from`` to its own number: earlier releases then refuse the file by name.
"""

import contextlib
import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge import locations
from ophtimus_edge.errors import HistoryNewerError
from ophtimus_edge.history.database import (
    Connection,
    connect,
    damaged,
    log_of,
    transaction,
    translated,
)
from ophtimus_edge.history.schema import FIRST_TABLES


class Migration(NamedTuple):
    """One step.

    Attributes:
        apply: makes it, inside a transaction.
        compatible_from: the number of steps that a release must know to read and write the file after it.
    """

    apply: Callable[[Connection], None]
    compatible_from: int = 1


def statements(script: str) -> Callable[[Connection], None]:
    """A step of SQL statements, which hold no semicolon but at their ends."""

    def apply(connection: Connection) -> None:
        for statement in script.split(";"):
            if statement.strip():
                connection.execute(statement)

    return apply


MIGRATIONS: Sequence[Migration] = (Migration(statements(FIRST_TABLES)),)


def version(connection: Connection) -> int:
    """How many steps the file has taken."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: Connection, path: Path, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """See that this release can read a file, which may have taken more steps than it knows.

    Raises:
        HistoryNewerError: it cannot.
    """
    if version(connection) <= len(steps):
        return
    if _compatible_from(connection) > len(steps):
        raise HistoryNewerError(
            f"a newer release changed the history {path} so that this one cannot read it.",
            "Install that release again, or a later one. The history was not changed.",
        )


def upgrade(
    connection: Connection, path: Path, backups: Path, steps: Sequence[Migration] = MIGRATIONS
) -> None:
    """Take the steps that are missing, each in a transaction of its own, after a copy of the file as it is."""
    known = version(connection)
    if known and known < len(steps):
        _copy(connection, path, backups, known)
    for number in range(known + 1, len(steps) + 1):
        step = steps[number - 1]
        with transaction(connection):
            step.apply(connection)
            connection.execute(
                "INSERT OR REPLACE INTO meta(key, value) VALUES('compatible_from', ?)",
                (max(step.compatible_from, _compatible_from(connection)),),
            )
            connection.execute(f"PRAGMA user_version = {number}")


def begin_file(path: Path, key: bytes, backups: Path, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Make an empty history beside its place: one that is half made is never taken for one that was cut.

    Raises:
        HistoryDamagedError: there is the log of a history that is gone.
        HistoryFullError: the disk is full.
    """
    if log_of(path).exists():
        raise damaged(path)
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink()  # by a program that was killed here
    with translated(path):
        with locations.staged(path) as part:
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            connection = connect(part, key)
            try:
                upgrade(connection, part, backups, steps)
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
        locations.sync_folder(path.parent)


def backup_files(backups: Path) -> list[Path]:
    """The copies that were made before steps."""
    with contextlib.suppress(OSError):
        return sorted(backups.glob("*.db")) + sorted(backups.glob(".*.part"))
    return []


def _compatible_from(connection: Connection) -> int:
    row = connection.execute("SELECT value FROM meta WHERE key = 'compatible_from'").fetchone()
    return int(row[0]) if row else 1


def _copy(connection: Connection, path: Path, backups: Path, known: int) -> None:
    """Copy the encrypted file, when everything in its log has gone into it; nobody else may write."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backups.mkdir(mode=0o700, exist_ok=True)
    at = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    with locations.staged(backups / f"before-step-{known + 1}-{at}.db") as part:
        part.touch(mode=0o600)
        with path.open("rb") as source, part.open("wb") as copy:
            while block := source.read(1 << 20):
                copy.write(block)
    locations.sync_folder(backups)
