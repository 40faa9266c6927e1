"""The versions of an installation, each in a folder of its own that is used only when it is whole.

A version is made in its final place, since a Python environment cannot be moved: as long as the file ``INCOMPLETE``
lies in it, it is none. ``current`` names the one that runs, and is replaced at once.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ophtimus_edge.errors import KitError, KitInstallError, OphtimusError
from ophtimus_edge.kit.manifest import MANIFEST, SIGNATURE, Manifest, read_manifest, version_number
from ophtimus_edge.kit.verifying import Verified
from ophtimus_edge.locations import staged, sync_folder

VERSIONS = "versions"
INCOMPLETE = "INCOMPLETE"
ENVIRONMENT = "venv"
_LINK, _NAME = "current", "current.txt"  # Windows lets nobody make links


def folder_of(root: Path, version: str) -> Path:
    """Where a version is, or will be."""
    return root / VERSIONS / version


def python_of(folder: Path) -> Path:
    """The Python of a version's own environment."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return folder.joinpath(ENVIRONMENT, *inside)


def is_whole(folder: Path) -> bool:
    """Whether a folder is a version: it was finished, and is not being removed."""
    return (folder / MANIFEST).is_file() and not (folder / INCOMPLETE).exists()


def whole_versions(root: Path) -> list[str]:
    """The versions that are there, the lowest first."""
    found = []
    with contextlib.suppress(OSError):
        for folder in (root / VERSIONS).iterdir():
            with contextlib.suppress(KitError):
                if is_whole(folder):
                    found.append((version_number(folder.name), folder.name))
    return [name for _, name in sorted(found)]


def manifest_of(folder: Path) -> Manifest:
    """The manifest of an installed version.

    Raises:
        KitInstallError: it cannot be read.
    """
    path = folder / MANIFEST
    try:
        return read_manifest(path.read_bytes(), str(path))
    except (OSError, OphtimusError) as error:
        raise KitInstallError(
            f"the installed version {folder.name} is damaged: {path} cannot be read.",
            "Install its kit again.",
        ) from error


def begin(folder: Path, kit: Verified) -> None:
    """Make the folder of a version that is not whole yet; of the same kit, what an earlier run copied stays.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / INCOMPLETE
    if not _begun_with(marker, kit.manifest_sha256):
        _mark(folder, "")  # from here on it is none, however this ends
        for entry in folder.iterdir():
            if entry != marker:
                _remove(entry)
        _mark(folder, kit.manifest_sha256)
    # Last, so that a folder without its marker would have no manifest, either.
    for name, data in ((SIGNATURE, kit.signature_bytes), (MANIFEST, kit.manifest_bytes)):
        with staged(folder / name) as part:
            part.write_bytes(data)


def finish(folder: Path) -> None:
    """Make a folder a version, once all that is in it is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    if hasattr(os, "sync"):
        os.sync()  # an environment has thousands of files, which pip does not sync one by one
    sync_folder(folder)
    (folder / INCOMPLETE).unlink()
    sync_folder(folder)
    sync_folder(folder.parent)


def remove(folder: Path, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Remove a version, which is none from the first moment on.

    Args:
        on_progress: told how many of its parts are removed: of the packages, one after another, and of the rest.

    Raises:
        OSError: it cannot be removed.
    """
    if not folder.is_dir():
        return
    _mark(folder, "")
    packages = [*folder.glob(f"{ENVIRONMENT}/lib/*/site-packages/*"), *folder.glob(f"{ENVIRONMENT}/Lib/*/*")]
    on_progress(0, len(packages) + 1)
    for done, package in enumerate(packages, 1):
        _remove(package)
        on_progress(done, len(packages) + 1)
    shutil.rmtree(folder)
    on_progress(len(packages) + 1, len(packages) + 1)


def current(root: Path) -> str:
    """The version that runs, "" for none."""
    if os.name == "nt":
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return (root / _NAME).read_text(encoding="ascii").strip()
        return ""
    try:
        return (root / _LINK).readlink().name
    except OSError:
        return ""


def switch(root: Path, version: str) -> None:
    """Have another version run from now on: the old one runs, or the new one, whenever this is broken off.

    Raises:
        OSError: it cannot be written.
    """
    if os.name == "nt":
        with staged(root / _NAME) as part:
            part.write_text(f"{version}\n", encoding="ascii")
        return
    link = root / f".{_LINK}.part"
    link.unlink(missing_ok=True)
    link.symlink_to(f"{VERSIONS}/{version}")
    link.replace(root / _LINK)
    sync_folder(root)


def unswitch(root: Path) -> None:
    """Have no version run any more."""
    for name in (_LINK, _NAME):
        (root / name).unlink(missing_ok=True)


def _begun_with(marker: Path, sha256: str) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return marker.read_text(encoding="ascii") == sha256
    return False


def _mark(folder: Path, text: str) -> None:
    with staged(folder / INCOMPLETE) as part:
        part.write_text(text, encoding="ascii")
    sync_folder(folder)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
