"""The people of one computer: each has a folder with an own key, history, settings and draft.

A folder's name is a number, so that a person's name can be anything, and change.
"""

import contextlib
import os
import re
import secrets
import shutil
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import filelock
import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import HistoryBusyError, HistoryFullError, ProfileError
from ophtimus_edge.history import keys
from ophtimus_edge.text import sanitize

LONGEST_NAME = 60  # characters
_ID = re.compile(r"[0-9a-f]{8}")
_LOCK = "lock"
_NAMED = "profile.toml"


class Profile(msgspec.Struct, frozen=True):
    """One person's folder.

    Attributes:
        id: eight hexadecimal digits, which name the folder.
        name: as it is shown; the id where it cannot be read.
    """

    id: str
    name: str
    folder: Path

    @property
    def key_file(self) -> Path:
        """What :mod:`ophtimus_edge.history.keys` reads."""
        return self.folder / "key.json"

    @property
    def draft_file(self) -> Path:
        """The question that was begun and not sent, encrypted."""
        return self.folder / "draft"

    @property
    def settings_file(self) -> Path:
        """What this person has set."""
        return self.folder / "settings.toml"

    @property
    def locked(self) -> bool:
        """Whether a passphrase is needed.

        Raises:
            HistoryDamagedError: the key is missing or damaged.
            FormatVersionError: a newer release wrote it.
        """
        return keys.is_locked(self.key_file)


def list_profiles() -> list[Profile]:
    """All profiles, by name."""
    try:
        folders = [path for path in locations.history_folder().iterdir() if _ID.fullmatch(path.name)]
    except OSError:
        return []
    profiles = [Profile(path.name, name_of(path), path) for path in folders if path.is_dir()]
    return sorted(profiles, key=lambda profile: (_compared(profile.name), profile.id))


def create(name: str) -> Profile:
    """Make a profile with a new key, without a passphrase.

    Raises:
        ProfileError: the name is empty, too long, or another one's.
        HistoryFullError: the folder cannot be written.
    """
    with beginning(name) as profile:
        keys.create(profile.key_file)
        return finished(profile)


@contextlib.contextmanager
def beginning(name: str) -> Iterator[Profile]:
    """A profile that is being made, in a folder that is none yet; gone again when the block raises.

    The block puts it in its place with :func:`finished`: as long as it runs, no other program that makes a
    profile takes the folder for one that was left half made.

    Raises:
        ProfileError: the name is empty, too long, or another one's.
        HistoryBusyError: another program makes one just now.
        HistoryFullError: the folder cannot be written.
    """
    name = _checked(name, list_profiles())
    home = locations.history_folder()
    id_ = secrets.token_hex(4)
    part = home / f".{id_}.part"
    try:
        with _saying(home):
            home.mkdir(parents=True, exist_ok=True)
            home.chmod(0o700)
            with _alone(home):
                _clear(home)
                part.mkdir(mode=0o700)
                _write_name(part, name)
                (part / _LOCK).touch(mode=0o600)
                yield Profile(id_, name, part)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def finished(profile: Profile) -> Profile:
    """Put a profile that was begun in its place: it is whole there, or not there."""
    home = locations.history_folder()
    with _saying(home):
        locations.sync_folder(profile.folder)
        profile.folder.rename(home / profile.id)
        locations.sync_folder(home)
    return Profile(profile.id, profile.name, home / profile.id)


def free_name(name: str) -> str:
    """A name, with a number where another profile has it."""
    taken = {_compared(other.name) for other in list_profiles()}
    name = _single_line(name)[: LONGEST_NAME - 5] or "1"
    number = 1
    while _compared(free := name if number == 1 else f"{name} ({number})") in taken:
        number += 1
    return free


def rename(profile: Profile, name: str) -> Profile:
    """Give a profile another name.

    Raises:
        ProfileError: the name is empty, too long, or another one's.
        HistoryFullError: the folder cannot be written.
    """
    name = _checked(name, [other for other in list_profiles() if other.id != profile.id])
    with _saying(profile.folder):
        _write_name(profile.folder, name)
    return msgspec.structs.replace(profile, name=name)


def remove(profile: Profile) -> None:
    """Delete a profile with everything in it: its key first, without which the rest cannot be read.

    Raises:
        ProfileError: it is not there.
        HistoryBusyError: a program has its history open.
        HistoryFullError: the folder cannot be changed.
    """
    if not profile.folder.is_dir():
        raise ProfileError("that profile is not there any more.", "Choose another one.")
    gone = profile.folder.with_name(f".{profile.id}.removed")
    with _saying(profile.folder):
        lock = filelock.FileLock(profile.folder / _LOCK, timeout=0, mode=0o600)
        try:
            with lock:
                pass
        except filelock.Timeout:
            raise HistoryBusyError(
                "a program has the history of this profile open.", "Close it, and delete the profile then."
            ) from None
        profile.folder.rename(gone)  # no program finds it from here on
        with contextlib.suppress(FileNotFoundError), (gone / "key.json").open("rb+") as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
        shutil.rmtree(gone)


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let no other program clear away what is being made."""
    try:
        with filelock.FileLock(home / ".lock", timeout=0, mode=0o600):
            yield
    except filelock.Timeout:
        raise HistoryBusyError(
            "another program makes a profile just now.", "Try again in a moment."
        ) from None


def _clear(home: Path) -> None:
    """Finish what a program that was killed left half made or half deleted."""
    for left in [*home.glob(".*.removed"), *home.glob(".*.part")]:
        shutil.rmtree(left, ignore_errors=True)


def name_of(folder: Path) -> str:
    """The name that stands in a profile's folder; the folder's own where it cannot be read."""
    try:
        value = tomllib.loads((folder / _NAMED).read_text(encoding="utf-8")).get("name", "")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        value = ""
    return _single_line(value)[:LONGEST_NAME] or folder.name if isinstance(value, str) else folder.name


def _write_name(folder: Path, name: str) -> None:
    import tomlkit

    path = folder / _NAMED
    document = tomlkit.document()
    with contextlib.suppress(OSError, ValueError):
        document = tomlkit.parse(path.read_text(encoding="utf-8"))  # what a later release keeps there stays
    document["name"] = name
    with locations.staged(path) as part:
        part.touch(mode=0o600)
        part.write_text(document.as_string(), encoding="utf-8", newline="\n")


def _checked(name: str, others: list[Profile]) -> str:
    name = _single_line(name)
    if not name:
        raise ProfileError("a profile needs a name.", "Give it one, such as the person's.")
    if len(name) > LONGEST_NAME:
        raise ProfileError(
            f"the name of the profile has more than {LONGEST_NAME} characters.", "Give it a shorter one."
        )
    if _compared(name) in {_compared(other.name) for other in others}:
        raise ProfileError(f"there is a profile {name} already.", "Give this one another name.")
    return name


def _single_line(name: str) -> str:
    return " ".join(sanitize(name).split())


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@contextlib.contextmanager
def _saying(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryFullError(
            f"the folder {folder} cannot be changed: {error.strerror or error}.",
            "Free some space on its disk, and see to it that you may write there.",
        ) from error
