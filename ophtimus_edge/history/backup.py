"""A profile in one file, for a stick or a new computer: encrypted, consistent, and checked after it was written.

The file is a zip archive with nothing compressed: the encrypted database, the locked key, the profile's name
and settings, and a manifest with the hash of each. A key that lies open at home never travels so: a lost
stick must read nothing, so such a backup takes a passphrase of its own.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import BackupError, FormatVersionError, OphtimusError
from ophtimus_edge.history import database, keys, profiles
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import FILE, Store

_VERSION = 1
_MANIFEST = "manifest.json"
_NEEDED, _OPTIONAL = (FILE, "key.json", "profile.toml"), ("settings.toml",)
_MOST_MANIFEST_BYTES = 64 << 10
_BLOCK_BYTES = 1 << 20


class _Manifest(msgspec.Struct, frozen=True):
    """The hashes of the members by name."""

    version: int
    sha256: dict[str, str]


def backup(
    profile: Profile, key: bytes, file: Path, passphrase: str | None = None
) -> keys.RecoveryKey | None:
    """Write a backup of a profile, which may be in use meanwhile; a backup of that name is replaced by a whole one.

    Args:
        key: of the history, as it is unlocked.
        passphrase: what opens the backup, where the profile has none; otherwise its own does.

    Returns:
        The backup's own recovery key, to be printed, where it has a passphrase of its own.

    Raises:
        BackupError: a passphrase is needed, or the file cannot be written, or is not whole after writing.
        PassphraseTooShortError: the passphrase is too short.
        HistoryError: the history cannot be read.
    """
    if not profile.locked and passphrase is None:
        raise BackupError(
            "this history has no passphrase: whoever finds the backup could read it.",
            "Give a passphrase for the backup.",
        )
    recovery = None
    with _saying(file), _workplace(profile.folder) as work:
        _copy_database(profile.folder / FILE, work / FILE, key)
        if profile.locked:
            shutil.copyfile(profile.key_file, work / "key.json")
        elif passphrase is not None:
            recovery = keys.create_locked(work / "key.json", key, passphrase)
        for name in ("profile.toml", *_OPTIONAL):
            if (profile.folder / name).exists():
                shutil.copyfile(profile.folder / name, work / name)
        with locations.staged(file) as part:
            part.touch(mode=0o600)
            _pack(work, part)
        locations.sync_folder(file.parent)
        again = work / "again"
        again.mkdir(mode=0o700)
        _unpack(file, again)
        _check_database(again / FILE, key)
    return recovery


def restore(file: Path, passphrase: str | None = None, recovery: keys.RecoveryKey | None = None) -> Profile:
    """Make a new profile from a backup; those that are there stay as they are.

    Args:
        passphrase, recovery: one of them opens the backup; it opens the profile from then on.

    Raises:
        BackupError: the file is missing, damaged, or no backup.
        FormatVersionError: a newer release wrote it.
        HistoryLockedError: the passphrase or the recovery key does not open it.
        HistoryError: what is in it is damaged, or the disk is full.
    """
    with profiles.beginning(profiles.free_name(file.stem)) as profile:
        with _saying(file):
            _unpack(file, profile.folder)
        key = keys.unlock(profile.key_file, passphrase, recovery)
        _check_database(profile.folder / FILE, key)
        Store(profile.folder, key).close()  # that this release can read it
        name = profiles.free_name(profiles.name_of(profile.folder))
        profile = profiles.rename(profile, name)
    return profiles.finished(profile)


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A folder for what is encrypted already, in the profile's own."""
    with tempfile.TemporaryDirectory(prefix=".backup.", dir=folder) as work:
        yield Path(work)


def _copy_database(source: Path, target: Path, key: bytes) -> None:
    """Copy one state of a database, whatever is written to it meanwhile."""
    target.touch(mode=0o600)
    with contextlib.ExitStack() as stack, database.translated(source):
        reading = database.connect(source, key, read_only=True)
        stack.callback(reading.close)
        writing = database.connect(target, key)
        stack.callback(writing.close)
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode = WAL")


def _check_database(path: Path, key: bytes) -> None:
    with contextlib.ExitStack() as stack, database.translated(path):
        connection = database.connect(path, key)
        stack.callback(connection.close)
        wrong = connection.execute("PRAGMA cipher_integrity_check").fetchall()
        if wrong or connection.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise database.damaged(path)


def _pack(folder: Path, target: Path) -> None:
    names = [name for name in (*_NEEDED, *_OPTIONAL) if (folder / name).exists()]
    sums = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            with (folder / name).open("rb") as source, archive.open(name, "w", force_zip64=True) as member:
                sums[name] = _copied(source, member)
        archive.writestr(_MANIFEST, msgspec.json.encode(_Manifest(_VERSION, sums)))


def _unpack(file: Path, folder: Path) -> None:
    """Take out what belongs to a backup, and see that every byte is as it was written."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
                raise _not_whole(file)
            with archive.open(_MANIFEST) as member:
                manifest = _manifest(file, member.read(_MOST_MANIFEST_BYTES))
            if set(_NEEDED) - set(manifest.sha256) or set(manifest.sha256) - {*_NEEDED, *_OPTIONAL}:
                raise _not_whole(file)
            for name, expected in manifest.sha256.items():
                path = folder / name
                path.unlink(missing_ok=True)
                path.touch(mode=0o600)
                with archive.open(name) as member, path.open("wb") as target:
                    found = _copied(member, target)
                    os.fsync(target.fileno())
                if found != expected:
                    raise _not_whole(file)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _not_whole(file) from error


def _manifest(file: Path, data: bytes) -> _Manifest:
    version = msgspec.json.decode(data, type=dict[str, object]).get("version")
    if isinstance(version, int) and version > _VERSION:
        raise FormatVersionError(
            f"a newer release wrote the backup {file}.",
            "Install that release, or a later one, to restore it.",
        )
    return msgspec.json.decode(data, type=_Manifest)


def _copied(source: IO[bytes], target: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := source.read(_BLOCK_BYTES):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()


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
