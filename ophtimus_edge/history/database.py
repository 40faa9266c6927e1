"""An encrypted database and what it may say: opened with a raw key, every error in words that help.

This is the one module that imports SQLCipher. Its errors carry no text of a talk.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher

from ophtimus_edge.errors import (
    HistoryBusyError,
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryReadOnlyError,
)

Connection = Any  # of sqlcipher3, which has no types
Row = tuple[Any, ...]

OLDEST_SQLITE = (3, 51, 3)  # earlier ones can damage a database in WAL mode under rare timing
PAGE_BYTES = 4096
_BUSY_S = 5
_CACHE_KIB = 64 << 10

_FULL = {13}  # SQLite's result codes, without their extended part
_BUSY = {5, 6}
_READ_ONLY = {8}
_DAMAGED = {11, 26}
_REFUSED = {18, 19, 20}  # too large, against a rule of a table, of a wrong type
_UNREADABLE = {10, 14}  # an error of the disk, or of the folder
_CODES = {  # SQLite's own words (sqlite3_errstr), where its copying of a database gives no code
    "database is locked": 5,
    "attempt to write a readonly database": 8,
    "disk I/O error": 10,
    "database disk image is malformed": 11,
    "database or disk is full": 13,
    "unable to open database file": 14,
    "file is not a database": 26,
}


def check_version(version: tuple[int, ...] = sqlcipher.sqlite_version_info) -> None:
    """See that the SQLite in use is one that keeps its promises.

    Raises:
        HistoryError: it is older.
    """
    if version < OLDEST_SQLITE:
        raise HistoryError(
            f"the installed SQLite {'.'.join(map(str, version))} is too old to keep a history safely.",
            "Install this release of Ophtimus Edge again, with the packages that it names.",
        )


def connect(path: Path, key: bytes, *, read_only: bool = False) -> Connection:
    """Open a database that exists, or will at its first change, with settings that keep what is committed.

    A file that nothing was read of yet may still turn out to be damaged. Where the disk is too full for the
    shared index of the write-ahead log, or the folder takes no file, it is opened without one.

    Args:
        key: 32 bytes, used as they are: SQLCipher derives none.

    Raises:
        HistoryError: it cannot be opened; the subclass says why.
    """
    check_version()
    ways = ["", "alone"]
    fixed = read_only and not os.access(path.parent, os.W_OK)
    if fixed and not _has_log(path):
        ways.append("still")  # nobody can write there
    for way in ways:
        try:
            with translated(path):
                return _opened(path, key, way, read_only)
        except (HistoryFullError, HistoryReadOnlyError) as error:
            if way != ways[-1]:
                continue
            if fixed:
                raise HistoryReadOnlyError(
                    f"the history {path} cannot be opened where it is: its last change is half put in its place.",
                    "Copy its folder to a disk that can be written, and open it there.",
                ) from error
            raise
    raise AssertionError("unreachable")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLCipher's errors into those of a history."""
    try:
        yield
    except sqlcipher.Error as error:
        raise _meant(path, error) from error
    except OSError as error:
        raise HistoryFullError(
            f"the history {path} cannot be written: {error.strerror or error}.", _FREE
        ) from error


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All changes of a block, or none; they are on the disk when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(sqlcipher.Error):
                connection.execute("ROLLBACK")
        raise


_FREE = "Free some space on its disk. What was kept before can be read; what you write now is not kept."


def _opened(path: Path, key: bytes, way: str, read_only: bool) -> Connection:
    # as_uri gives three slashes and quotes what a URI cannot have, on Windows too
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlcipher.connect(
        uri + ("&immutable=1" if way == "still" else ""),
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA cipher_log_level = NONE")  # it would write over the screen
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        if way == "alone":
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # keeps the log's index in memory
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def check_length(connection: Connection, path: Path) -> None:
    """Refuse a file that was cut: its pages are counted in its first one, and in the log.

    Raises:
        HistoryDamagedError: it is shorter than it says.
    """
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    if _has_log(path):
        return  # the last pages may stand in the log alone
    if path.stat().st_size < pages * PAGE_BYTES:
        raise damaged(path)


def log_of(path: Path) -> Path:
    """The write-ahead log of a database: what was committed and does not stand in the file yet."""
    return path.with_name(f"{path.name}-wal")


def _has_log(path: Path) -> bool:
    try:
        return log_of(path).stat().st_size > 0
    except OSError:
        return False


def _meant(path: Path, error: Exception) -> HistoryError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else _CODES.get(str(error))
    if primary in _FULL:
        return HistoryFullError(f"the disk is full: the history {path} takes nothing new.", _FREE)
    if primary in _BUSY:
        return HistoryBusyError(
            f"another program is using the history {path}.", "Close the other one, or try again in a moment."
        )
    if primary in _READ_ONLY:
        return HistoryReadOnlyError(
            f"the history {path} cannot be changed: its file or folder is read-only.",
            "See to it that you may write there.",
        )
    if primary in _DAMAGED:
        return damaged(path)
    if primary in _REFUSED:
        return HistoryError(
            f"the history {path} cannot take this: it does not fit what is there.",
            "Nothing was changed. Begin a new conversation.",
        )
    if primary in _UNREADABLE:
        return HistoryFullError(
            f"the history {path} cannot be read or written: its disk is full, failing, or no longer there.",
            "Free some space on it, see that it is connected, and try again. What was kept stays as it is.",
        )
    return HistoryDamagedError(
        f"the history {path} is not as this program left it.",
        "Restore it from a backup. The file was not changed.",
    )


def damaged(path: Path) -> HistoryDamagedError:
    """What is said of a file that is cut, has wrong bytes, or belongs to another key."""
    return HistoryDamagedError(
        f"the history {path} is damaged, or its key belongs to another one.",
        "Restore it from a backup. The file is left as it is.",
    )
