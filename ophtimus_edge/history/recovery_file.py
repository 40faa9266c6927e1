"""A recovery key in a text file, to be printed: for its writer alone, and never inside the history that it opens."""

import os
from pathlib import Path

from ophtimus_edge import locations
from ophtimus_edge.errors import RecoveryKeyPlaceError
from ophtimus_edge.history.saving import save


def save_recovery(path: Path, page: str, overwrite: bool = False) -> None:
    """Write the page with a recovery key; it appears whole under its name, or not at all.

    Args:
        overwrite: a file that is there may be replaced.

    Raises:
        RecoveryKeyPlaceError: it would lie in the folder of the histories.
        HistoryExportError: the file exists already, or its disk is full.
        FolderNotWritableError: the folder is missing, or cannot be written.
    """
    if _within(path, locations.history_folder()):
        raise RecoveryKeyPlaceError(
            f"{path} lies in the folder of the histories, beside what the recovery key opens.",
            "Name a place outside of it, on a stick that is kept elsewhere for example.",
        )
    save(path, page.encode() + b"\n", overwrite)


def lies_with(path: Path, other: Path) -> bool:
    """Whether whoever finds one of two files finds the other: in the same folder, or on the same disk or stick."""
    try:
        here, there = path.resolve().parent, other.resolve().parent
        return here == there or here.stat().st_dev == there.stat().st_dev
    except OSError:
        return False  # writing says what is amiss with the place


def _within(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder, by whatever name or link."""
    try:
        real = folder.stat()
        found = [_stat(place) for place in path.resolve().parents]
        return any(one is not None and os.path.samestat(one, real) for one in found)
    except (OSError, ValueError):
        return False


def _stat(folder: Path) -> os.stat_result | None:
    try:
        return folder.stat()
    except OSError:
        return None
