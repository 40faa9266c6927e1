"""Every path that the program reads or writes.

``OPHTIMUS_HOME`` puts everything under one folder (a USB stick, a test's temporary folder); without
it the platform's own places are used.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from ophtimus_edge.errors import FolderNotWritableError, OphtimusError

HOME_VARIABLE = "OPHTIMUS_HOME"


def _home() -> Path | None:
    value = os.environ.get(HOME_VARIABLE)
    return Path(value).expanduser() if value else None


def demo_folder() -> Path:
    """The embedded demonstration model: a model folder inside the package."""
    return Path(__file__).parent / "demo"


def specialty_folder(name: str) -> Path:
    """A medical field's data inside the package."""
    return Path(__file__).parent / "specialties" / name


def models_folder() -> Path:
    """The store of installed models: one model folder each."""
    home = _home()
    return home / "models" if home else Path(platformdirs.user_data_dir("ophtimus", False)) / "models"


def draft_file() -> Path:
    """The question that was begun and not sent."""
    home = _home()
    return (home if home else Path(platformdirs.user_data_dir("ophtimus", False))) / "draft.txt"


def installed_kit() -> Path | None:
    """The folder of the kit's version that this program runs from, None where it was not installed from a kit.

    Such a version has a Python environment of its own in it, beside its manifest.
    """
    folder = Path(sys.prefix).parent
    return folder if folder.parent.name == "versions" and (folder / "manifest.json").is_file() else None


def kit_root() -> Path:
    """Where a kit is installed, with its versions: where this program runs from, else the person's own place."""
    installed = installed_kit()
    if installed is not None:
        return installed.parent.parent
    home = _home()
    return (home if home else Path(platformdirs.user_data_dir("ophtimus", False))) / "program"


def applications_folder() -> Path:
    """Where the desktop looks for menu entries of one person's, on Linux."""
    home = _home()
    return (home if home else Path(platformdirs.user_data_dir())) / "applications"


def programs_folder() -> Path:
    """Where a terminal looks for one person's programs, on Linux."""
    home = _home()
    return home / "bin" if home else Path.home() / ".local" / "bin"


def history_folder() -> Path:
    """What was asked and answered: a folder for each profile; see :mod:`ophtimus_edge.history.profiles`."""
    home = _home()
    return home / "history" if home else Path(platformdirs.user_data_dir("ophtimus", False)) / "history"


def blind_tests_folder() -> Path:
    """Blind tests of the app, a folder each; see :mod:`ophtimus_edge.compare.votes.folder`."""
    home = _home()
    return (
        home / "blind-tests" if home else Path(platformdirs.user_data_dir("ophtimus", False)) / "blind-tests"
    )


def documents_folder() -> Path:
    """Where a file for a person is offered to go: their documents, else their home folder."""
    home = _home()
    folder = home if home else Path(platformdirs.user_documents_dir())
    return folder if folder.is_dir() else Path.home()


def settings_file() -> Path:
    """What a person has set; see :mod:`ophtimus_edge.settings`."""
    home = _home()
    return (home if home else Path(platformdirs.user_config_dir("ophtimus", False))) / "settings.toml"


def cache_folder() -> Path:
    """Files that may be deleted at any time: the engine's logs."""
    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir("ophtimus", False))


def engine_log() -> Path:
    """The log of the processes that run a model; never holds what anyone asked or was answered."""
    return cache_folder() / "logs" / "engine.log"


def ensure_writable(folder: Path) -> Path:
    """Make a folder where it is missing and prove that a file can be written into it.

    Raises:
        FolderNotWritableError: the folder cannot be made, or takes no file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"0")
    except OSError as error:
        reason = error.strerror or "it takes no file"
        raise FolderNotWritableError(
            f"the folder {folder} cannot be written: {reason}.",
            f"Free it, or name a folder that can be written: {HOME_VARIABLE}=/path/to/folder.",
        ) from error
    return folder


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Write a file beside its place, then rename it: readers see the old file or the whole new one.

    Yields:
        The path to write to, in the same folder. It is synced and renamed when the block ends, and
        removed when the block raises.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def held(lock: Path, taken: OphtimusError) -> Iterator[None]:
    """Hold something that one program at a time may work on, by a lock beside or in it; a kill releases it too.

    Args:
        lock: the file that stands for it, in a folder that is there.
        taken: raised where another program holds it.

    Raises:
        OphtimusError: ``taken``.
        OSError: the lock cannot be written.
    """
    import filelock

    file = filelock.FileLock(lock)
    try:
        file.acquire(timeout=0)
    except filelock.Timeout:
        raise taken from None
    try:
        yield
    finally:
        file.release()


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on the disk: a file that was renamed is there after a power cut.

    Windows writes them by itself, and cannot open a folder.
    """
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
