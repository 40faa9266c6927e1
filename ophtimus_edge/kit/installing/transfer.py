"""A kit's files onto the local disk, chunk by chunk: a copy that was killed goes on behind its last whole chunk.

Every chunk has the hash of the manifest before it is written, wherever it comes from: a file that the installed
version has too is linked to it, a chunk that it has is read from the local disk, and only the rest is read from the
stick. Files that the stick's file system could not take whole are joined on the way.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ophtimus_edge.errors import KitError, KitInstallError
from ophtimus_edge.kit.hashing import open_regular
from ophtimus_edge.kit.manifest import KitFile, Manifest
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES

MODELS = "models"
_ALONG = ("licences/", "reports/", "START-HERE")
_READ_BYTES = 1 << 20
_KEPT = "What is copied is kept; run the same command to go on."


class Piece(NamedTuple):
    """A part of a file that has a hash of its own.

    Attributes:
        source: the file of the kit that it is read from; ``start`` is its first byte there.
    """

    source: str
    start: int
    size_bytes: int
    sha256: str


class Wanted(NamedTuple):
    """A file of the installed version.

    Attributes:
        path: in the version's folder, with ``/``.
        pieces: that it is joined from, in their order.
    """

    path: str
    size_bytes: int
    sha256: str
    pieces: tuple[Piece, ...]


class Place(NamedTuple):
    """Where the installed version has the bytes of a chunk."""

    path: Path
    start: int


class Held(NamedTuple):
    """What the installed version has, by SHA-256: whole files, and chunks."""

    files: dict[str, Path]
    chunks: dict[str, Place]


class Transfer(NamedTuple):
    """What a copy came to, in bytes.

    Attributes:
        from_kit: read from the stick by this run.
        linked: of files that the installed version has too.
    """

    from_kit: int
    linked: int


NOTHING_HELD = Held({}, {})


def wanted_files(manifest: Manifest) -> list[Wanted]:
    """What of a kit is copied as it is: models, licences, reports, and the sheets for people."""
    listed = {file.path: file for file in manifest.files}
    wanted = [single(file) for file in manifest.files if file.path.startswith(_ALONG)]
    for model in manifest.models:
        for file in model.files:
            pieces = tuple(piece for part in file.parts for piece in _pieces(listed[part]))
            path = f"{MODELS}/{model.name}/{file.name}"
            wanted.append(Wanted(path, file.size_bytes, file.sha256, pieces))
    return wanted


def single(file: KitFile) -> Wanted:
    """A file of the kit under its own path."""
    return Wanted(file.path, file.size_bytes, file.sha256, tuple(_pieces(file)))


def held_by(folder: Path, manifest: Manifest) -> Held:
    """What an installed version has, as its manifest says; it is hashed again when it is used."""
    files, chunks = dict[str, Path](), dict[str, Place]()
    for file in wanted_files(manifest):
        path, start = folder / file.path, 0
        files.setdefault(file.sha256, path)
        for piece in file.pieces:
            if len(file.pieces) > 1:
                chunks.setdefault(piece.sha256, Place(path, start))
            start += piece.size_bytes
    return Held(files, chunks)


def missing_bytes(files: Iterable[Wanted], folder: Path, held: Held) -> int:
    """How much more of the disk the files will take."""
    need = 0
    for file in files:
        if file.sha256 not in held.files:
            there = folder / file.path
            need += max(0, file.size_bytes - (there.stat().st_size if there.is_file() else 0))
    return need


def remove_unlisted(files: Iterable[Wanted], folder: Path) -> None:
    """Remove what lies among the copied files and is none of them: an earlier run's, or nobody knows whose."""
    listed = {folder / file.path for file in files}
    parents = {parent for path in listed for parent in path.parents}
    for top in (MODELS, *(name.rstrip("/") for name in _ALONG)):
        if not (folder / top).is_dir():
            continue
        for path in sorted((folder / top).rglob("*"), reverse=True):  # what is in a folder before the folder
            if path.is_dir() and not path.is_symlink():
                if path not in parents:
                    path.rmdir()
            elif path not in listed:
                path.unlink()


def copy_files(
    files: list[Wanted],
    kit: Path,
    folder: Path,
    held: Held,
    on_progress: Callable[[int, int, str], None] = lambda _done, _total, _path: None,
) -> Transfer:
    """Copy files into a version's folder, or go on with it.

    Args:
        on_progress: told the bytes that are there, those of all files, and the file.

    Raises:
        KitError: the kit cannot be read, or is not what it was when it was verified.
        OSError: the disk cannot be written.
    """
    total, before, from_kit, linked = sum(file.size_bytes for file in files), 0, 0, 0
    for file in files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)

        def told(done: int, start: int = before, path: str = file.path) -> None:
            on_progress(start + done, total, path)

        told(0)
        if _link(file, target, held, told):
            linked += file.size_bytes
        else:
            from_kit += _copy(file, kit, target, held, told)
        before += file.size_bytes
    return Transfer(from_kit, linked)


def _pieces(file: KitFile) -> Iterator[Piece]:
    if not file.chunk_sha256:
        yield Piece(file.path, 0, file.size_bytes, file.sha256)
    for number, sha256 in enumerate(file.chunk_sha256):
        start = number * CHUNK_BYTES
        yield Piece(file.path, start, min(CHUNK_BYTES, file.size_bytes - start), sha256)


def _link(file: Wanted, target: Path, held: Held, told: Callable[[int], None]) -> bool:
    """Have the same file in both versions, where the installed one has it unharmed."""
    there = held.files.get(file.sha256)
    if there is None or not there.is_file() or there.is_symlink():
        return False
    if target.exists() and target.samefile(there):
        told(file.size_bytes)
        return True  # by an earlier run, which hashed it
    if _hash(there, told) != file.sha256:
        return False
    try:
        target.unlink(missing_ok=True)
        os.link(there, target)
    except OSError:
        return False  # a file system that has no links; it is copied
    return True


def _hash(path: Path, told: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while data := file.read(_READ_BYTES):
                digest.update(data)
                done += len(data)
                told(done)
    except OSError:
        return ""
    return digest.hexdigest()


def _copy(file: Wanted, kit: Path, target: Path, held: Held, told: Callable[[int], None]) -> int:
    """Copy what is not there yet; returns the bytes that came from the kit."""
    if target.is_symlink() or (target.exists() and target.stat().st_nlink > 1):
        target.unlink()  # never write into another version's file
    whole, done, from_kit = hashlib.sha256(), 0, 0
    with target.open("r+b" if target.exists() else "x+b") as out:
        rest = list(file.pieces)
        while rest:
            data = out.read(rest[0].size_bytes)
            if len(data) != rest[0].size_bytes or hashlib.sha256(data).hexdigest() != rest[0].sha256:
                break
            whole.update(data)
            done += len(data)
            del rest[0]
            told(done)
        out.seek(done)
        out.truncate()
        for piece in rest:
            data = _from_held(piece, held)
            if not data:
                data = _from_kit(piece, kit)
                from_kit += len(data)
            out.write(data)
            out.flush()
            whole.update(data)
            done += len(data)
            told(done)
        os.fsync(out.fileno())
    if whole.hexdigest() != file.sha256:
        raise KitError(f"the kit's manifest contradicts itself about {file.path}.", "Do not use this kit.")
    return from_kit


def _from_held(piece: Piece, held: Held) -> bytes:
    """The bytes of a chunk from the installed version; none where it has them not, or not unharmed."""
    place = held.chunks.get(piece.sha256)
    if place is None:
        return b""
    try:
        with place.path.open("rb") as file:
            file.seek(place.start)
            data = file.read(piece.size_bytes)
    except OSError:
        return b""
    return data if hashlib.sha256(data).hexdigest() == piece.sha256 else b""


def _from_kit(piece: Piece, kit: Path) -> bytes:
    """The bytes of a piece from the stick.

    Raises:
        KitError: they cannot be read, or changed since the kit was verified.
        KitInstallError: the stick was pulled out.
    """
    try:
        with open_regular(kit / piece.source) as file:
            data = _read(file, piece)
    except FileNotFoundError as error:
        raise KitInstallError(f"{kit / piece.source} is gone.", f"Put the stick back. {_KEPT}") from error
    except OSError as error:
        raise KitError(
            f"{kit / piece.source} cannot be read at byte {piece.start}: {error.strerror or error}.",
            f"Try another port, or copy the kit again from its source. {_KEPT}",
        ) from error
    if hashlib.sha256(data).hexdigest() != piece.sha256:
        raise KitError(
            f"{kit / piece.source} changed, or is read wrongly, behind its byte {piece.start}.",
            f"Try another port, or copy the kit again from its source. {_KEPT}",
        )
    return data


def _read(file: BinaryIO, piece: Piece) -> bytes:
    file.seek(piece.start)
    data = bytearray()
    while len(data) < piece.size_bytes and (more := file.read(piece.size_bytes - len(data))):
        data += more
    return bytes(data)
