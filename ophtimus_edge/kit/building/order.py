"""What a kit is to be built of, as a developer names it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ophtimus_edge import locations
from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building.portable import Accelerator
from ophtimus_edge.kit.manifest import Platform

SPLIT_AUTOMATICALLY = -1
PYTHONS = ("3.11", "3.12", "3.13")  # of Debian 12, Ubuntu 24.04 and Debian 13

_SIZE = re.compile(r"(\d{1,6})\s*([MG])iB", re.IGNORECASE)
_NAME = re.compile(r"\w[\w. -]{0,62}\w|\w")


@dataclass(frozen=True, kw_only=True)
class KitOrder:
    """What a kit is to be built of.

    Attributes:
        models: model folders; the first one is opened at the clinic.
        levels: of every model, by name or ``recommended``; empty for each folder's own choice.
        pythons: versions such as "3.11" that wheels for Linux are gathered for.
        archives: relocatable Pythons; the one for Windows is needed for a kit for Windows.
        withdraw: ``SHA256=REASON``; ``withdrawn_files`` are TOML files of them with reasons in both languages.
        previous: the kit before, whose withdrawn models are repeated.
        split_bytes: files of models have to be shorter than this; 0 for no limit, -1 for what the file system of
            ``out`` takes.
        wheels: that go before those that are fetched.
        program_wheel: the program's own wheel; None to make it.
        licences: files with the licence of packages that have none in their wheel.
        constraints: the file of exact versions; None for the program's own.
        offline: fetch nothing.
        cache: what is fetched and built stays in it.
    """

    name: str
    version: str
    out: Path
    models: tuple[Path, ...] = ()
    levels: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = ("linux-x86_64",)
    pythons: tuple[str, ...] = PYTHONS
    archives: tuple[Path, ...] = ()
    accelerator: Accelerator = ""
    reports: tuple[Path, ...] = ()
    withdraw: tuple[str, ...] = ()
    withdrawn_files: tuple[Path, ...] = ()
    previous: Path | None = None
    split_bytes: int = SPLIT_AUTOMATICALLY
    wheels: tuple[Path, ...] = ()
    program_wheel: Path | None = None
    licences: Mapping[str, Path] = field(default_factory=dict)
    constraints: Path | None = None
    offline: bool = False
    cache: Path = field(default_factory=lambda: locations.cache_folder() / "kit")


def checked_name(name: str) -> str:
    """A kit's name.

    Raises:
        KitBuildError: it could not be shown or spoken of everywhere.
    """
    if not _NAME.fullmatch(name):
        raise KitBuildError(
            f"{name[:40]!r} is no name for a kit.",
            "It has up to 64 letters, digits, dots, dashes and spaces.",
        )
    return name


def split_bytes(words: str) -> int:
    """The limit of ``--split``: ``auto``, ``none``, or a size such as ``4GiB``.

    Raises:
        KitBuildError: it is none of them, or less than two chunks.
    """
    if words in {"auto", "none"}:
        return SPLIT_AUTOMATICALLY if words == "auto" else 0
    match = _SIZE.fullmatch(words)
    size = int(match[1]) << {"M": 20, "G": 30}[match[2].upper()] if match else 0
    if size < 8 << 20:
        raise KitBuildError(
            f"{words[:20]!r} is no size that files can be split at.",
            "Name auto, none, or a size such as 4GiB.",
        )
    return size
