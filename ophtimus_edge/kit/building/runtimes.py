"""An archive with a Python of its own, for machines that have none."""

import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.manifest import Platform

# What the installers open before they have a Python: tar on Linux; on Windows its own tar, which opens both.
_SUFFIXES = {".tar.gz": ".tar.gz", ".tgz": ".tar.gz", ".zip": ".zip"}
_OTHER = "Name a relocatable Python with venv and ensurepip in it, as .tar.gz, or as .zip for Windows (docs/kits.md)."


@dataclass(frozen=True)
class Runtime:
    """An archive of a Python.

    Attributes:
        python: its version, such as "3.11".
        suffix: that it has in the kit.
    """

    path: Path
    platform: Platform
    python: str
    suffix: str


def read_runtime(path: Path) -> Runtime:
    """Look into an archive for what it is for.

    Raises:
        KitBuildError: it is no such archive, or its Python cannot make an environment of its own.
    """
    suffix = next((short for long, short in _SUFFIXES.items() if path.name.lower().endswith(long)), "")
    if not suffix:
        raise KitBuildError(f"{path} is not an archive that the installer opens.", _OTHER)
    try:
        names = _names(path, suffix)
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise KitBuildError(f"{path} cannot be read as an archive: {error}.", "Fetch it again.") from error
    if any(name.startswith("/") or ".." in name.split("/") or "\\" in name for name in names):
        raise KitBuildError(f"{path} holds files that lead out of it.", "Do not use it.")
    windows = any(re.fullmatch(r"(.*/)?python\.exe", name, re.IGNORECASE) for name in names)
    pattern = r"(?:.*/)?python3(\d\d)\.dll" if windows else r"(?:.*/)?bin/python3\.(\d\d)"
    minors = {match[1] for name in names if (match := re.fullmatch(pattern, name, re.IGNORECASE))}
    if len(minors) != 1:
        raise KitBuildError(f"{path} holds no Python, or more than one.", _OTHER)
    for part in ("venv/__init__.py", "ensurepip/__init__.py"):
        if not any(name.lower().endswith(f"/{part}") for name in names):
            raise KitBuildError(
                f"the Python in {path} has no {part.split('/')[0]}, as embeddable ones do not.", _OTHER
            )
    if suffix == ".zip" and not windows:
        raise KitBuildError(f"{path} is a .zip, which loses what a program on Linux needs.", _OTHER)
    return Runtime(path, "win_amd64" if windows else "linux-x86_64", f"3.{int(minors.pop())}", suffix)


def _names(path: Path, suffix: str) -> list[str]:
    if suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    with tarfile.open(path) as packed:
        return packed.getnames()
