"""A folder beside a history for a copy that a backup needs for a moment; what a killed program left goes.

Such a copy is encrypted as the history is. It must not outlive its moment all the same: what is deleted for
good from the history would still stand in it.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from ophtimus_edge.errors import HistoryBusyError

_LOCK = ".backup.lock"
_PREFIX = ".backup.work."


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A new folder inside a profile's, for one program at a time; it is gone when the block ends.

    Raises:
        HistoryBusyError: another program makes a backup of this profile.
        OSError: the folder cannot be written.
    """
    try:
        with filelock.FileLock(folder / _LOCK, timeout=0, mode=0o600):
            _clear(folder)
            with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder, ignore_cleanup_errors=True) as work:
                yield Path(work)
    except filelock.Timeout:
        raise HistoryBusyError(
            "another program makes a backup of this history just now.", "Try again when it is done."
        ) from None


def clear(folder: Path) -> None:
    """Remove what a program left that was killed during a backup; nothing while one is being made."""
    if not any(folder.glob(f"{_PREFIX}*")):
        return
    with (
        contextlib.suppress(filelock.Timeout, OSError),
        filelock.FileLock(folder / _LOCK, timeout=0, mode=0o600),
    ):
        _clear(folder)


def _clear(folder: Path) -> None:
    for left in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
