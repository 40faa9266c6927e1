"""The SHA-256 of files."""

import ctypes
import hashlib
from pathlib import Path

import pytest

from ophtimus_edge.models.digests import READ_BYTES, file_sha256, page_buffer


@pytest.mark.parametrize("size", [0, 1, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES + 17])
def test_a_files_hash_is_that_of_its_bytes_whatever_its_size(tmp_path: Path, size: int) -> None:
    data = bytes(index * 7 % 251 for index in range(size))
    path = tmp_path / "file"
    path.write_bytes(data)
    assert file_sha256(path) == hashlib.sha256(data).hexdigest()


def test_the_buffer_begins_where_a_page_does() -> None:
    buffer = page_buffer()
    assert len(buffer) == READ_BYTES
    assert ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % 4096 == 0
