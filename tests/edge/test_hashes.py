"""Large files are read once for their hash, and again whenever they may be others."""

import os
from pathlib import Path

import pytest

from ophtimus_edge import locations
from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models.hashes import known_sha256_of
from ophtimus_edge.models.store import sha256_of


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    file, read = tmp_path / "m.gguf", list[Path]()
    file.write_bytes(b"one")
    first = known_sha256_of(file, read.append)
    assert (first, known_sha256_of(file, read.append)) == (sha256_of(file), first)
    assert read == [file]
    # The same size, and the times that it had: as a copy that keeps them leaves it.
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_bytes(b"two")
    os.utime(file, ns=times)
    assert known_sha256_of(file, read.append) == sha256_of(file) != first
    assert read == [file, file]


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"x": 1}', b"\xff"])
def test_what_is_remembered_may_be_lost_or_damaged(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    known_sha256_of(file)
    (remembered,) = locations.cache_folder().glob("*.json")
    remembered.write_bytes(damage)
    assert known_sha256_of(file) == sha256_of(file)
    remembered.unlink()
    remembered.mkdir()  # which nothing can be written to
    assert known_sha256_of(file) == sha256_of(file)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="cannot be read"):
        known_sha256_of(tmp_path / "none.gguf")
