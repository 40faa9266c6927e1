"""report.json, report.md and report.html: written whole or not at all, and read back."""

import contextlib
import errno
import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.report import markdown, page
from ophtimus_edge.errors import FolderNotWritableError, FormatVersionError, ReportError
from ophtimus_edge.locations import ensure_writable, staged, sync_folder
from ophtimus_edge.models.formats import encode
from ophtimus_edge.models.report import Report

JSON_NAME, MARKDOWN_NAME, PAGE_NAME = "report.json", "report.md", "report.html"

_MOST_BYTES = 256 << 20  # a report with thousands of answers has some MiB
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Written(NamedTuple):
    """A report's files, and the SHA-256 of its report.json, which a verdict and a later report name."""

    json: Path
    markdown: Path
    page: Path
    sha256: str


def write_report(folder: Path, report: Report) -> Written:
    """Write a report's three files into a folder, which is made where it is missing.

    report.json is renamed last: where it is, the two others belong to it. Where the disk is full, an older report
    stays as it was.

    Raises:
        ReportError: the disk is full, or a figure of the report is no number.
        FolderNotWritableError: the folder cannot be written.
    """
    data = encode(report)
    # A NaN would be written as null, which nobody could read back.
    _decode(data, Path(JSON_NAME))
    contents = {JSON_NAME: data, MARKDOWN_NAME: markdown.render(report), PAGE_NAME: page.render(report)}
    ensure_writable(folder)
    _write(folder, contents)
    sync_folder(folder)
    return Written(
        folder / JSON_NAME, folder / MARKDOWN_NAME, folder / PAGE_NAME, hashlib.sha256(data).hexdigest()
    )


def read_report(path: Path) -> Report:
    """Read a report.json, or that of a folder.

    Raises:
        ReportError: it cannot be read, is damaged, or is no report.
        FormatVersionError: it was written by a newer release.
    """
    return read_report_with_hash(path)[0]


def read_report_with_hash(path: Path) -> tuple[Report, str]:
    """Read a report.json, or that of a folder, with the SHA-256 of its bytes.

    Raises:
        ReportError, FormatVersionError: as :func:`read_report`.
    """
    try:
        if path.is_dir():
            path = path / JSON_NAME
        if path.stat().st_size > _MOST_BYTES:
            raise ReportError(
                f"{path} is larger than {_MOST_BYTES >> 20} MiB: it is no report.",
                "Name the report.json that `ophtimus compare` wrote.",
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        reason = getattr(error, "strerror", "") or error
        raise ReportError(
            f"the report {path} cannot be read: {reason}.",
            "Name the report.json that `ophtimus compare` wrote, or its folder.",
        ) from error
    return _decode(data, path), hashlib.sha256(data).hexdigest()


def _decode(data: bytes, path: Path) -> Report:
    try:
        content = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(
            f"the report {path} is damaged: {error}.",
            "Copy it again from where it was made, or run the comparison again.",
        ) from error
    if not isinstance(content, dict) or not {"model", "reference", "levels"} <= content.keys():
        raise ReportError(
            f"{path} is no report of a comparison.", "Name the report.json that `ophtimus compare` wrote."
        )
    version = content.get("schema_version", 1)
    if isinstance(version, int) and version > Report.latest_version:
        raise FormatVersionError(
            f"the report {path} has format version {version}; this release reads up to {Report.latest_version}.",
            "Update Ophtimus Edge, or compare again with this release.",
        )
    try:
        return msgspec.convert(content, Report)
    except msgspec.ValidationError as error:
        raise ReportError(
            f"the report {path} is damaged: {error}.",
            "Copy it again from where it was made, or run the comparison again.",
        ) from error


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    """Write all files beside their places, then rename them, the first one last: readers see old ones or new ones."""
    try:
        with contextlib.ExitStack() as stack:
            parts = {name: stack.enter_context(staged(folder / name)) for name in contents}
            for name, part in parts.items():
                part.write_bytes(contents[name])
    except OSError as error:
        if error.errno in _FULL:
            size = sum(map(len, contents.values())) / (1 << 20)
            raise ReportError(
                f"the report was not written to {folder}: its disk is full.",
                f"Free {size:.1f} MiB there, or name another folder with --out. What was measured is kept.",
            ) from error
        raise FolderNotWritableError(
            f"the report cannot be written to {folder}: {error.strerror or error}.",
            "Name a folder that can be written with --out.",
        ) from error
