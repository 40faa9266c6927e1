"""A bundle for support: versions, the examination and the engine's logs, as a zip.

It goes to people who may not see what patients and doctors wrote. So it is made of named parts alone:
two documents that this program writes here, and the logs of the engine, which hold none of it. The
home folder, the names of people and of the machine are replaced in all of them.
"""

import contextlib
import getpass
import os
import platform
import re
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError, UsageError
from ophtimus_edge.locations import staged
from ophtimus_edge.support.examination import Examination
from ophtimus_edge.text import sanitize

_LOG_LIMIT = 4 << 20  # of each log the end is what tells
_LOG_NAME = re.compile(r"engine\.log(\.\d+)?")
_PACKAGES = ("ophtimus-edge", "llama-cpp-python", "jinja2", "msgspec", "numpy", "nvidia-ml-py",
             "platformdirs", "psutil", "rich", "textual")  # fmt: skip
# The folders of anybody's home, as Linux, macOS and Windows have them; JSON doubles the backslash.
_HOMES = re.compile(r"((?:/home|/Users|[A-Za-z]:(?:\\{1,2})Users)(?:/|\\{1,2}))[^/\\\s\"']+")


class Part(NamedTuple):
    """A file of the bundle: its name, its bytes, and what it is, in a few words."""

    name: str
    size_bytes: int
    what: str


def check(path: Path) -> None:
    """Refuse a place where no bundle can be written.

    Raises:
        UsageError: there is such a file already.
        FolderNotWritableError: the folder takes no file.
    """
    if path.exists():
        raise UsageError(f"{path} is there already.", "Name another file for the bundle.")
    locations.ensure_writable(path.absolute().parent)


def write(path: Path, examination: Examination) -> list[Part]:
    """Write a bundle.

    Returns:
        What is inside.

    Raises:
        UsageError: there is such a file already.
        FolderNotWritableError: the folder takes no file.
    """
    check(path)
    hide = _Hiding()
    written: list[Part] = []
    try:
        with staged(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text, what in _parts(examination):
                data = hide(text).encode("utf-8", "replace")
                archive.writestr(name, data)
                written.append(Part(name, len(data), what))
    except OSError as error:
        raise FolderNotWritableError(
            f"{path} could not be written: {error.strerror or error}.",
            "Free some space there, or name a file in another folder.",
        ) from error
    return written


def _parts(examination: Examination) -> Iterator[tuple[str, str, str]]:
    """The names, texts and descriptions of what goes in; nothing else does."""
    document = msgspec.json.format(msgspec.json.encode(examination), indent=2).decode()
    yield "doctor.json", document, "what ophtimus doctor says"
    versions = {"python": sys.version, "system": platform.platform()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    text = msgspec.json.format(msgspec.json.encode(versions), indent=2).decode()
    yield "versions.json", text, "the programs that are installed"
    for log in sorted(locations.engine_log().parent.glob("*")):
        if _LOG_NAME.fullmatch(log.name) and log.is_file():
            yield f"logs/{log.name}", _end_of(log), "what llama.cpp said of itself"


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_LIMIT))
        return sanitize(file.read().decode("utf-8", "replace"))


class _Hiding:
    """Replaces the home folder, the user's names and the machine's in a text."""

    def __init__(self) -> None:
        homes = {str(Path.home()), os.path.realpath(Path.home())}
        homes |= {home.replace("\\", "\\\\") for home in homes}
        self._homes = sorted((home for home in homes if len(home) > 1), key=len, reverse=True)
        names = {Path.home().name, *(os.environ.get(key, "") for key in ("USER", "LOGNAME", "USERNAME"))}
        with contextlib.suppress(OSError, KeyError, ImportError):  # a user without a name
            names.add(getpass.getuser())
        self._people = _words(names, "<user>")
        self._machine = _words({platform.node(), platform.node().split(".")[0]}, "<computer>")

    def __call__(self, text: str) -> str:
        for home in self._homes:
            text = text.replace(home, "~")
        text = _HOMES.sub(r"\1<user>", text)
        for pattern, mark in (*self._people, *self._machine):
            text = pattern.sub(mark, text)
        return text


def _words(names: set[str], mark: str) -> list[tuple[re.Pattern[str], str]]:
    found = sorted((name for name in names if len(name) > 1), key=len, reverse=True)
    return [(re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE), mark) for name in found]
