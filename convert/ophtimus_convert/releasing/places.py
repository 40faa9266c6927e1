"""Where a release keeps what its steps make, and what each step was done with."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ophtimus_edge import __version__
from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.kit.building.program import source_tree
from ophtimus_edge.locations import staged, sync_folder
from ophtimus_edge.models.formats import Document, decode, encode
from ophtimus_edge.models.hashes import known_sha256_of

RECORD = "release.json"
_UNUSUAL = re.compile(r"[^\w.-]+")
_REPORT_FILES = ("report.json", "report.html", "report.md")
_PACKAGES = ("ophtimus_edge", "convert/ophtimus_convert", "training/ophtimus_training", "tui/ophtimus_tui")


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was done, or begun.

    Attributes:
        inputs: the digest of all that decides its result.
        sha256: of the report.json, or of the kit's manifest; "" while it is under way.
    """

    inputs: str = ""
    sha256: str = ""


class Record(Document, kw_only=True):
    """``release.json``: what the report and the kit in a folder were made of.

    A conversion needs no entry: its model.json says what it is of.
    """

    compared: Done = Done()
    built: dict[str, Done] = {}  # noqa: RUF012 - by the name of the kit's folder


class Places:
    """The folders of a release.

    Attributes:
        model: the model folder; ``report`` the comparison's; ``kit`` what goes onto the stick.
    """

    def __init__(self, out: Path, model_name: str, kit_name: str, version: str) -> None:
        self.out = out
        self.model = out / "model" / model_name
        self.report = out / "report"
        self.kit = out / f"{_UNUSUAL.sub('-', kit_name)}-{version}"

    @property
    def sheets(self) -> list[Path]:
        """The sheets for paper, beside the kit."""
        return sorted(self.out.glob(f"{self.kit.name}-fingerprint.*"))

    def has_report(self, done: Done) -> bool:
        """Whether the report that a record names is there, whole."""
        paths = [self.report / name for name in _REPORT_FILES]
        return (
            bool(done.sha256)
            and all(path.is_file() for path in paths)
            and file_sha256(paths[0]) == done.sha256
        )

    def record(self) -> Record:
        """What is known of the steps that were done; nothing where it cannot be read: they are done again."""
        try:
            return decode((self.out / RECORD).read_bytes(), Record, str(self.out / RECORD))
        except (OSError, InvalidModelError):
            return Record()

    def note(self, record: Record) -> None:
        """Keep what is known of the steps.

        Raises:
            OSError: it cannot be written.
        """
        with staged(self.out / RECORD) as part:
            part.write_bytes(encode(record))
        sync_folder(self.out)


def digest(values: Mapping[str, Any]) -> str:
    """One hash of everything that decides a step's result."""
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()


def file_sha256(path: Path | None) -> str:
    """The SHA-256 of a file, "" for none.

    Raises:
        InvalidModelError: it cannot be read.
    """
    return known_sha256_of(path) if path is not None else ""


def all_sha256(paths: Iterable[Path]) -> list[str]:
    """The SHA-256 of files, in their order.

    Raises:
        InvalidModelError: one cannot be read.
    """
    return [file_sha256(path) for path in paths]


def program_digest() -> str:
    """What tells this program from another: of a clone every file that goes into its wheel, else the version."""
    root = source_tree()
    if root is None:
        return __version__
    hashed = hashlib.sha256()
    files = [root / "pyproject.toml", root / "constraints.txt"]
    for package in _PACKAGES:
        files += sorted(
            path
            for path in (root / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
        )
    for path in files:
        hashed.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()
