"""The SHA-256 of large files, read once: a comparison that goes on does not read 30 GiB again.

A file counts as the one that was read where its path, size and both of its times are the same. The second time is
set by the system alone, so that a copy that keeps the first one is read again all the same.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.models.store import sha256_of

_MOST = 1000  # files that are remembered


class _Known(msgspec.Struct, frozen=True):
    size_bytes: int
    modified_ns: int
    changed_ns: int
    sha256: str


def known_sha256_of(path: Path, on_reading: Callable[[Path], None] = lambda path: None) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits.

    Args:
        on_reading: told of the file where it has to be read, which takes a second for each gigabyte or two.

    Raises:
        InvalidModelError: it cannot be read to its end.
    """
    known, key = _read(), str(path.resolve())
    before = _state(path)
    if before and (found := known.get(key)) and _Known(*before, found.sha256) == found:
        return found.sha256
    on_reading(path)
    sha256 = sha256_of(path)
    if before and _state(path) == before:  # it did not change under the reading
        known.pop(key, None)
        _write({**known, key: _Known(*before, sha256)})
    return sha256


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _place() -> Path:
    return locations.cache_folder() / "hashes.json"


def _read() -> dict[str, _Known]:
    # Whatever is wrong with what is remembered, the files are still there to be read.
    with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(_place().read_bytes(), type=dict[str, _Known])
    return {}


def _write(known: dict[str, _Known]) -> None:
    latest = dict(list(known.items())[-_MOST:])
    with contextlib.suppress(OSError):
        _place().parent.mkdir(parents=True, exist_ok=True)
        with locations.staged(_place()) as part:
            part.write_bytes(msgspec.json.encode(latest))
