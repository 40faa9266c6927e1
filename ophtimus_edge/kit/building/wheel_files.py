"""Wheels as files: what they say of themselves, whether they are whole, and writing one anew.

Formats: the binary distribution format and the core metadata of the Python packaging specifications.
"""

import base64
import csv
import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.locations import staged

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can name: a wheel's bytes tell of no other
_HASH_LINE = "sha256="


@dataclass(frozen=True)
class Wheel:
    """A wheel on this disk.

    Attributes:
        name: as packages are compared by: small letters and dashes.
        tags: what it runs on.
    """

    path: Path
    name: str
    version: Version
    tags: frozenset[Tag]

    def metadata(self) -> RawMetadata:
        """Its METADATA.

        Raises:
            KitBuildError: it has none.
        """
        with opened(self.path) as archive:
            return parse_email(_read(archive, f"{dist_info(archive, self.path)}/METADATA", self.path))[0]

    def requirements(self) -> list[Requirement]:
        """What it requires.

        Raises:
            KitBuildError: it says so in no form that is known.
        """
        try:
            return [Requirement(text) for text in self.metadata().get("requires_dist", [])]
        except InvalidRequirement as error:
            raise KitBuildError(
                f"{self.path.name} names a requirement that cannot be read: {error}.", "Take another wheel."
            ) from error


def read_wheel(path: Path) -> Wheel:
    """A wheel by its file name.

    Raises:
        KitBuildError: there is no such file, or it is not named as wheels are.
    """
    try:
        name, version, _build, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise KitBuildError(
            f"{path} is not named as a wheel is.", "A wheel keeps the name that it was built with."
        ) from error
    if not path.is_file():
        raise KitBuildError(f"there is no wheel {path}.", "Check the path.")
    return Wheel(path, str(name), version, tags)


def opened(path: Path) -> zipfile.ZipFile:
    """A wheel's archive.

    Raises:
        KitBuildError: it is none, or holds what no wheel may.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise KitBuildError(
            f"{path} is no wheel, or damaged: {error}.", "Fetch or build it again."
        ) from error
    for entry in archive.infolist():
        parts = entry.filename.rstrip("/").split("/")
        linked = stat.S_ISLNK(entry.external_attr >> 16)
        if linked or not all(parts) or {".", ".."} & {*parts} or "\\" in entry.filename or ":" in parts[0]:
            archive.close()
            raise KitBuildError(f"{path} holds a file as no wheel may: {entry.filename!r}.", "Do not use it.")
    return archive


def dist_info(archive: zipfile.ZipFile, path: Path) -> str:
    """The name of the folder in which a wheel describes itself.

    Raises:
        KitBuildError: there is not just one.
    """
    folders = {name.split("/")[0] for name in archive.namelist() if name.split("/")[0].endswith(".dist-info")}
    if len(folders) != 1:
        raise KitBuildError(f"{path} does not describe itself as wheels do.", "Fetch or build it again.")
    return folders.pop()


def check_whole(wheel: Wheel) -> None:
    """Compare every file of a wheel with its own RECORD, and its name with its METADATA.

    Raises:
        KitBuildError: one differs, is missing or is not listed.
    """
    with opened(wheel.path) as archive:
        info = dist_info(archive, wheel.path)
        data = {
            name: _read(archive, name, wheel.path) for name in archive.namelist() if not name.endswith("/")
        }
    record = f"{info}/RECORD"
    rows = csv.reader(io.StringIO(data.get(record, b"").decode("utf-8", "replace")))
    listed = {row[0]: row[1] for row in rows if len(row) == 3}
    unsigned = {record, f"{record}.jws", f"{record}.p7s"}
    for name, content in data.items():
        if name not in unsigned and listed.get(name) != record_hash(content):
            raise KitBuildError(f"{wheel.path} is damaged: {name} is not as its RECORD has it.", _AGAIN)
    if missing := {*listed} - {*data}:
        raise KitBuildError(f"{wheel.path} is damaged: {sorted(missing)[0]} is missing.", _AGAIN)
    raw = parse_email(data.get(f"{info}/METADATA", b""))[0]
    if canonicalize_name(raw.get("name", "")) != wheel.name or raw.get("version", "") == "":
        raise KitBuildError(f"{wheel.path} is the wheel of another package.", _AGAIN)
    if Version(raw["version"]) != wheel.version:
        raise KitBuildError(f"{wheel.path} is the wheel of another version.", _AGAIN)


def record_hash(data: bytes) -> str:
    """A file's hash as RECORD has it."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return _HASH_LINE + digest.decode("ascii")


def write_wheel(path: Path, files: Mapping[str, bytes], info: str) -> None:
    """Write a wheel: the same files give the same bytes.

    Args:
        files: by their names in it, all but RECORD, which is made here.
        info: its ``.dist-info`` folder, which comes last, as the format wants it.

    Raises:
        OSError: it cannot be written.
    """
    record = f"{info}/RECORD"
    names = sorted({*files} - {record}, key=lambda name: (name.startswith(f"{info}/"), name))
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    for name in names:
        rows.writerow([name, record_hash(files[name]), str(len(files[name]))])
    rows.writerow([record, "", ""])
    with staged(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name in [*names, record]:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # the modes are Unix's, wherever it is written
            entry.external_attr = (stat.S_IFREG | (0o755 if ".so" in name.split("/")[-1] else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name] if name != record else lines.getvalue().encode("utf-8"))


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return archive.read(name)
    except KeyError as error:
        raise KitBuildError(f"{path} has no {name}.", _AGAIN) from error
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise KitBuildError(f"{path} is damaged: {name} cannot be read ({error}).", _AGAIN) from error


_AGAIN = "Fetch or build it again; a wheel of the cache is fetched anew once it is deleted."
