"""Files into the kit's folder: hashed on the way, never written where the same is there already."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ophtimus_edge.errors import InvalidModelError, KitBuildError
from ophtimus_edge.kit.manifest import KitFile, check_path, folded
from ophtimus_edge.locations import staged
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES

OnBytes = Callable[[int, str], None]
OnChunk = Callable[[int, str, bytes], None]


@dataclass
class Stage:
    """The folder that a kit grows in; an earlier build's files in it are taken where they are the same.

    Attributes:
        on_bytes: told how many bytes more are done, and of which file.
    """

    folder: Path
    on_bytes: OnBytes = lambda _count, _file: None
    _files: dict[str, KitFile] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    @property
    def files(self) -> list[KitFile]:
        """What was put into it, sorted by path as a manifest has it."""
        return [self._files[path] for path in sorted(self._files)]

    def write(self, path: str, data: bytes, executable: bool = False) -> KitFile:
        """Put a small file into the kit.

        Raises:
            KitBuildError: the path is no kit's.
            OSError: it cannot be written.
        """
        target = self._place(path)
        if not _is_file(target) or target.read_bytes() != data:
            with staged(target) as part:
                part.write_bytes(data)
        target.chmod(0o755 if executable else 0o644)
        chunks = [
            hashlib.sha256(data[at : at + CHUNK_BYTES]).hexdigest() for at in range(0, len(data), CHUNK_BYTES)
        ]
        self.on_bytes(len(data), path)
        return self._add(path, len(data), hashlib.sha256(data).hexdigest(), chunks)

    def copy(self, source: Path, path: str) -> KitFile:
        """Copy a file into the kit.

        Raises:
            KitBuildError: the path is no kit's, or the source cannot be read.
            OSError: it cannot be written.
        """
        ((file),) = self.split(source, path, 0)
        return file

    def split(
        self, source: Path, path: str, part_bytes: int, on_chunk: OnChunk = lambda *_: None
    ) -> list[KitFile]:
        """Copy a file into the kit in parts; one of its own name where it is no longer than one.

        Args:
            part_bytes: of the longest part, a multiple of a chunk's; 0 for no limit.
            on_chunk: told every chunk before it is written: its number in the file, its SHA-256, its bytes.

        Returns:
            The parts in their order, which are named ``PATH.001``, ``PATH.002`` …

        Raises:
            KitBuildError: the path is no kit's, or the source cannot be read.
            OSError: a part cannot be written.
        """
        size = source.stat().st_size
        count = -(-size // part_bytes) if part_bytes else 1
        if count <= 1:
            return [self._copy_range(source, 0, size, path, 0, on_chunk)]
        return [
            self._copy_range(
                source,
                number * part_bytes,
                min(part_bytes, size - number * part_bytes),
                f"{path}.{number + 1:03d}",
                number * part_bytes // CHUNK_BYTES,
                on_chunk,
            )
            for number in range(count)
        ]

    def _copy_range(
        self,
        source: Path,
        start: int,
        length: int,
        path: str,
        first_chunk: int,
        on_chunk: OnChunk,
    ) -> KitFile:
        target = self._place(path)
        if target.exists() and not _is_file(target):
            _remove(target)
        whole, hashes = hashlib.sha256(), list[str]()
        with target.open("r+b" if target.exists() else "x+b") as out:
            for data in _chunks(source, start, length):
                digest = hashlib.sha256(data).hexdigest()
                on_chunk(first_chunk + len(hashes), digest, data)
                at = len(hashes) * CHUNK_BYTES
                # What is there is compared, not believed: a disk may have lost it since.
                out.seek(at)
                if out.read(len(data)) != data:
                    out.seek(at)
                    out.write(data)
                whole.update(data)
                hashes.append(digest)
                self.on_bytes(len(data), path)
            out.flush()
            if os.fstat(out.fileno()).st_size != length:
                out.truncate(length)
            os.fsync(out.fileno())
        target.chmod(0o644)
        return self._add(path, length, whole.hexdigest(), hashes)

    def clear(self, also: set[str]) -> None:
        """Remove what an earlier build left and this one did not put there.

        Args:
            also: paths of files that stay.
        """
        wanted = {*self._files, *also}
        folders = {folder for path in wanted for folder in _folders(path)}
        for place, names, files in os.walk(self.folder, topdown=False):
            inside = Path(place).relative_to(self.folder)
            for name in [*names, *files]:
                path = (inside / name).as_posix()
                if path not in wanted and path not in folders:
                    _remove(self.folder / path)

    def _place(self, path: str) -> Path:
        check_path(path)
        if folded(path) in self._names:
            raise KitBuildError(
                f"the kit would have two files named {path}, on some systems.", "Rename one of them."
            )
        target = self.folder / path
        for folder in reversed(target.relative_to(self.folder).parents):
            place = self.folder / folder
            if not place.is_dir() or place.is_symlink():
                if os.path.lexists(place):
                    _remove(place)
                place.mkdir()
        return target

    def _add(self, path: str, size: int, sha256: str, chunks: list[str]) -> KitFile:
        self._names.add(folded(path))
        self._files[path] = KitFile(
            path=path, size_bytes=size, sha256=sha256, chunk_sha256=chunks if len(chunks) > 1 else []
        )
        return self._files[path]


def _chunks(source: Path, start: int, length: int) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            file.seek(start)
            left = length
            while left:
                data = file.read(min(CHUNK_BYTES, left))
                if not data:
                    raise InvalidModelError(f"{source} became shorter while it was read.", "Build again.")
                yield data
                left -= len(data)
    except OSError as error:
        raise KitBuildError(
            f"{source} cannot be read: {error.strerror or error}.",
            "Check the disk, and that you may read it.",
        ) from error


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count])


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
