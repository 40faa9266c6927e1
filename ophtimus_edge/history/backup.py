"""A profile in one file, for a stick or a new computer: encrypted, consistent, and checked after it was written.

The file is a zip archive with nothing compressed: the encrypted database, the locked key, the profile's name
and settings, and a manifest with the hash of each. A key that lies open at home never travels so: a lost
stick must read nothing, so such a backup takes a passphrase of its own.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import (
    BackupError,
    FormatVersionError,
    HistoryError,
    HistoryFullError,
    OphtimusError,
)
from ophtimus_edge.history import database, keys, migrations, profiles
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import FILE, Store
from ophtimus_edge.history.workplace import workplace

_VERSION = 1
_MANIFEST = "manifest.json"
_NEEDED, _OPTIONAL = (FILE, "key.json", "profile.toml"), ("settings.toml",)
_MOST_MANIFEST_BYTES = 64 << 10
_BLOCK_BYTES = 1 << 20


Show = Callable[[str, int, int], None]
"""Told of a step, and how many of how many bytes of it are done; 0 of 0 where that is not known."""


def _show_nothing(_step: str, _done: int, _total: int) -> None:
    pass


class _Manifest(msgspec.Struct, frozen=True):
    """The hashes of the members by name."""

    version: int
    sha256: dict[str, str]


def backup(
    profile: Profile, key: bytes, file: Path, passphrase: str | None = None, show: Show = _show_nothing
) -> keys.RecoveryKey | None:
    """Write a backup of a profile, which may be in use meanwhile; a backup of that name is replaced by a whole one.

    The new file is read back from the disk and checked before it takes its name.

    Args:
        key: of the history, as it is unlocked.
        passphrase: what opens the backup, where the profile has none; otherwise its own does.
        show: told how far it is.

    Returns:
        The backup's own recovery key, to be printed, where it has a passphrase of its own.

    Raises:
        BackupError: a passphrase is needed, or the file cannot be written, or is not whole after writing.
        PassphraseTooShortError: the passphrase is too short.
        HistoryBusyError: another program makes a backup of this profile just now.
        HistoryError: the history cannot be read.
    """
    if not profile.locked and passphrase is None:
        raise BackupError(
            "this history has no passphrase: whoever finds the backup could read it.",
            "Give a passphrase for the backup.",
        )
    if not (profile.folder / FILE).exists():
        raise BackupError(
            f"nothing was kept in the history of {profile.name} yet.", "Ask something in the app first."
        )
    recovery = None
    with _saying(file), workplace(profile.folder) as work:
        try:
            _copy_database(profile.folder / FILE, work / FILE, key, show)
        except HistoryFullError as error:
            raise BackupError(
                f"the disk of {profile.folder} has no room for the copy that a backup is made of.",
                "Free as much space there as the history takes, and do it again. The history is as it was.",
            ) from error
        if profile.locked:
            shutil.copyfile(profile.key_file, work / "key.json")
        elif passphrase is not None:
            recovery = keys.create_locked(work / "key.json", key, passphrase)
        for name in ("profile.toml", *_OPTIONAL):
            if (profile.folder / name).exists():
                shutil.copyfile(profile.folder / name, work / name)
        _clear_parts(file)
        with locations.staged(file) as part:
            part.touch(mode=0o600)
            _pack(work, part, show)
            _forget_cached(part)
            again = work / "again"
            again.mkdir(mode=0o700)
            try:
                _unpack(part, again, "checking the file", show)
                show("checking the history", 0, 0)
                _check_database(again / FILE, key)
            except HistoryError as error:
                raise BackupError(
                    f"the backup {file} was not whole when it was read back.",
                    "Take another stick: this one may be failing. The history is as it was.",
                ) from error
        locations.sync_folder(file.parent)
    return recovery


def look(file: Path) -> None:
    """See that a file is a backup that this release can read, without reading all of it.

    Raises:
        BackupError: the file is missing, cut, or no backup.
        FormatVersionError: a newer release wrote it.
    """
    with _saying(file), _reading(file) as archive:
        _members(file, archive)


def restore(
    file: Path,
    passphrase: str | None = None,
    recovery: keys.RecoveryKey | None = None,
    name: str | None = None,
    show: Show = _show_nothing,
) -> Profile:
    """Make a new profile from a backup; those that are there stay as they are.

    Args:
        passphrase, recovery: one of them opens the backup; it opens the profile from then on.
        name: of the new profile; without it the one that it had, with a number where that is taken.
        show: told how far it is.

    Raises:
        BackupError: the file is missing, damaged, or no backup.
        FormatVersionError: a newer release wrote it.
        HistoryLockedError: the passphrase or the recovery key does not open it.
        ProfileError: the name is empty, too long, or another one's.
        HistoryError: what is in it is damaged, or the disk is full.
    """
    with profiles.beginning(name or profiles.free_name(file.stem)) as profile:
        with _saying(file):
            _unpack(file, profile.folder, "reading the file", show)
        if not profile.locked:
            raise _not_whole(file)  # no backup has its key lying open
        key = keys.unlock(profile.key_file, passphrase, recovery)
        show("checking the history", 0, 0)
        _check_database(profile.folder / FILE, key)
        Store(profile.folder, key).close()  # that this release can read it
        name = name or profiles.free_name(profiles.name_of(profile.folder))
        return profiles.finished(profiles.rename(profile, name))


def _copy_database(source: Path, target: Path, key: bytes, show: Show) -> None:
    """Copy one state of a database, whatever is written to it meanwhile."""
    target.touch(mode=0o600)
    with contextlib.ExitStack() as stack, database.translated(source):
        reading = database.connect(source, key, read_only=True)
        stack.callback(reading.close)
        writing = database.connect(target, key)
        stack.callback(writing.close)
        reading.execute("BEGIN")
        if not migrations.version(reading):
            raise database.damaged(source)  # an empty file, which SQLite takes for an empty database
        database.check_length(reading, source)
        page = int(reading.execute("PRAGMA page_size").fetchone()[0])  # SQLCipher gives it as text
        reading.backup(
            writing,
            pages=_BLOCK_BYTES // page,
            progress=lambda _, left, total: show("copying the history", (total - left) * page, total * page),
        )
        reading.execute("COMMIT")
        writing.execute("PRAGMA journal_mode = WAL")


def _check_database(path: Path, key: bytes) -> None:
    with contextlib.ExitStack() as stack, database.translated(path):
        connection = database.connect(path, key)
        stack.callback(connection.close)
        wrong = connection.execute("PRAGMA cipher_integrity_check").fetchall()
        if wrong or connection.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise database.damaged(path)


def _pack(folder: Path, target: Path, show: Show) -> None:
    names = [name for name in (*_NEEDED, *_OPTIONAL) if (folder / name).exists()]
    total = sum((folder / name).stat().st_size for name in names)
    done, sums = 0, {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            with (folder / name).open("rb") as source, archive.open(name, "w", force_zip64=True) as member:
                sums[name], done = _copied(source, member, "writing the file", done, total, show)
        archive.writestr(_MANIFEST, msgspec.json.encode(_Manifest(_VERSION, sums)))


def _forget_cached(path: Path) -> None:
    """Have a file's bytes on the disk, and read from there: a bad stick gives back what it never kept."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        if sys.platform == "linux":
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _clear_parts(file: Path) -> None:
    """Remove what a program left that was killed while it wrote a file of this name."""
    for left in file.parent.iterdir():
        if left.name.startswith(f".{file.name}.") and left.name.endswith(".part"):
            left.unlink(missing_ok=True)


def _unpack(file: Path, folder: Path, step: str, show: Show) -> None:
    """Take out what belongs to a backup, and see that every byte is as it was written."""
    with _reading(file) as archive:
        members, manifest = _members(file, archive)
        total = sum(members[name].file_size for name in manifest.sha256)
        done = 0
        for name, expected in manifest.sha256.items():
            path = folder / name
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            with archive.open(name) as member, path.open("wb") as target:
                found, done = _copied(member, target, step, done, total, show)
                os.fsync(target.fileno())
            if found != expected:
                raise _not_whole(file)


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _not_whole(file) from error


def _members(file: Path, archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], _Manifest]:
    members = {info.filename: info for info in archive.infolist()}
    if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
        raise _not_whole(file)
    with archive.open(_MANIFEST) as member:
        manifest = _manifest(file, member.read(_MOST_MANIFEST_BYTES))
    if set(_NEEDED) - set(manifest.sha256) or set(manifest.sha256) - {*_NEEDED, *_OPTIONAL}:
        raise _not_whole(file)
    if set(manifest.sha256) - set(members):
        raise _not_whole(file)
    return members, manifest


def _manifest(file: Path, data: bytes) -> _Manifest:
    version = msgspec.json.decode(data, type=dict[str, object]).get("version")
    if isinstance(version, int) and version > _VERSION:
        raise FormatVersionError(
            f"a newer release wrote the backup {file}.",
            "Install that release, or a later one, to restore it.",
        )
    return msgspec.json.decode(data, type=_Manifest)


def _copied(
    source: IO[bytes], target: IO[bytes], step: str, done: int, total: int, show: Show
) -> tuple[str, int]:
    """Copy a file; its hash, and how many bytes of all files are done."""
    digest = hashlib.sha256()
    while block := source.read(_BLOCK_BYTES):
        digest.update(block)
        target.write(block)
        done += len(block)
        show(step, done, total)
    return digest.hexdigest(), done


def _not_whole(file: Path) -> BackupError:
    return BackupError(
        f"{file} is no whole backup of a history.",
        "Copy it again from where it was made, or take an older one.",
    )


@contextlib.contextmanager
def _saying(file: Path) -> Iterator[None]:
    try:
        yield
    except OphtimusError:
        raise
    except OSError as error:
        raise BackupError(
            f"the backup {file} cannot be written or read: {error.strerror or error}.",
            "See that its disk is connected and has room, and do it again. The history is as it was.",
        ) from error
