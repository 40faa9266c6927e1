"""The histories of all people of this computer at once: copied before a newer program changes them, and put back.

They are copied as they lie, encrypted, with their keys as those are locked: nothing is opened for it.
"""

import contextlib
import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ophtimus_edge import locations
from ophtimus_edge.errors import HistoryBusyError, HistoryFullError
from ophtimus_edge.history import profiles
from ophtimus_edge.history.migrations import MIGRATIONS

_LOCKS = ("lock", ".lock")


def steps() -> int:
    """How many steps a history has taken that this release has opened."""
    return len(MIGRATIONS)


def compatible_from() -> int:
    """How many steps a release must know to read such a history."""
    return max(step.compatible_from for step in MIGRATIONS)


def copy_to(target: Path) -> None:
    """Copy everything that is kept into a new folder: it is there whole, or not there.

    Args:
        target: where nothing may be; an empty folder stands for a computer on which nothing is kept.

    Raises:
        HistoryBusyError: a program has a history open.
        HistoryFullError: the copy cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    _check_closed()
    with _saying(target):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        _copy(locations.history_folder(), part)
        part.rename(target)
        locations.sync_folder(target.parent)


def put_back(kept: Path, name: str) -> Path | None:
    """Put a copy in the place of what is there, which is kept beside it under another name.

    Broken off, it can be done again: what was there is in its place or beside it.

    Args:
        kept: what :func:`copy_to` made; it stays.
        name: what is there is called so from now on, with a number where that is taken.

    Returns:
        Where what was there lies now; None where there was nothing, or nothing else than the copy.

    Raises:
        HistoryBusyError: a program has a history open.
        HistoryFullError: the folder cannot be changed.
    """
    home = locations.history_folder()
    part = home.with_name(f".{home.name}.part")
    _check_closed()
    with _saying(home):
        if _same(kept, home):
            return None
        shutil.rmtree(part, ignore_errors=True)
        _copy(kept, part)
        beside, number = home.with_name(name), 1
        if _files(home):
            while beside.exists():
                number += 1
                beside = home.with_name(f"{name}-{number}")
            home.rename(beside)
        elif home.exists():
            shutil.rmtree(home)
        part.rename(home)
        locations.sync_folder(home.parent)
    return beside if beside.exists() else None


def remove_all() -> None:
    """Delete all histories for good, each person's key first; without their keys, the rest cannot be read.

    Raises:
        HistoryBusyError: a program has a history open.
        HistoryFullError: the folder cannot be changed.
    """
    home = locations.history_folder()
    for profile in profiles.list_profiles():
        profiles.remove(profile)
    with _saying(home):
        if home.is_dir():
            shutil.rmtree(home)
        locations.draft_file().unlink(missing_ok=True)
        for folder in home.parent.glob(f"{home.name}-of-*"):
            remove_copy(folder)


def remove_copy(folder: Path) -> None:
    """Delete a copy for good, the keys in it first.

    Raises:
        HistoryFullError: the folder cannot be changed.
    """
    with _saying(folder):
        for key in folder.rglob("key.json"):
            with key.open("rb+") as file:
                file.write(bytes(os.fstat(file.fileno()).st_size))
                file.flush()
                os.fsync(file.fileno())
        if folder.is_dir():
            shutil.rmtree(folder)


def set_aside_name(version: str) -> str:
    """What the histories of a version are called when those of the version before it are put back."""
    return f"{locations.history_folder().name}-of-{version}"


def _check_closed() -> None:
    """See that no program has a history open: whoever calls has closed them, and nobody opens one in this moment."""
    import filelock

    for profile in profiles.list_profiles():
        with _saying(profile.folder):
            try:
                with filelock.FileLock(profile.folder / _LOCKS[0], timeout=0, mode=0o600):
                    pass
            except filelock.Timeout:
                raise HistoryBusyError(
                    f"a program has the history of {profile.name} open.", "Close it, and try again."
                ) from None


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with everything in it onto the disk; a folder that is not there is an empty one."""
    target.mkdir(mode=0o700, parents=True)
    for name in sorted(_files(source)):
        copy = target / name
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy.touch(mode=0o600)
        with (source / name).open("rb") as file, copy.open("r+b") as out:
            shutil.copyfileobj(file, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        locations.sync_folder(folder)


def _files(folder: Path) -> set[Path]:
    """All files of a folder, by their paths in there."""
    paths = folder.rglob("*") if folder.is_dir() else ()
    return {path.relative_to(folder) for path in paths if path.is_file()}


def _same(one: Path, other: Path) -> bool:
    """Whether two folders keep the same; files that only say that a program is at work do not count."""
    names, others = ({name for name in _files(folder) if name.name not in _LOCKS} for folder in (one, other))
    return names == others and all(filecmp.cmp(one / name, other / name, shallow=False) for name in names)


@contextlib.contextmanager
def _saying(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryFullError(
            f"the histories cannot be copied or moved: {error.filename or folder}: {error.strerror or error}.",
            "Free some space on that disk, and see to it that you may write there. Nothing of them is lost.",
        ) from error
