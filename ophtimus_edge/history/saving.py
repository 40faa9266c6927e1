"""A file for a person: an export or a handout, whole or not there, and never in the place of another by chance."""

import errno
import os
from pathlib import Path

from ophtimus_edge.errors import FolderNotWritableError, HistoryExportError
from ophtimus_edge.locations import staged

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def save(path: Path, content: bytes, overwrite: bool = False) -> None:
    """Write a file that its writer alone can read; it appears whole under its name, or not at all.

    The name is taken first, as an empty file, so that no other program's file can come in between.

    Args:
        overwrite: a file that is there may be replaced.

    Raises:
        HistoryExportError: the file exists already, or its disk is full.
        FolderNotWritableError: the folder is missing, or cannot be written.
    """
    taken = False
    try:
        if not overwrite:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            taken = True
        with staged(path) as part:
            part.touch(mode=0o600)
            part.write_bytes(content)
        taken = False
    except FileExistsError as error:
        raise HistoryExportError(
            f"{path} exists already, and was left as it is.",
            "Name another file, or say that this one may be replaced.",
        ) from error
    except OSError as error:
        raise _failure(path, len(content), error) from error
    finally:
        if taken:
            path.unlink(missing_ok=True)


def _failure(path: Path, size: int, error: OSError) -> HistoryExportError | FolderNotWritableError:
    if error.errno in _FULL:
        return HistoryExportError(
            f"{path} was not written: its disk is full.",
            f"Free {size / (1 << 20):.1f} MiB there, or name a file on another disk. Nothing was changed.",
        )
    return FolderNotWritableError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Name a file in a folder that is there and can be written.",
    )
