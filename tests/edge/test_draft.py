"""A draft outlives the app, is its writer's alone, and leaves nothing when it is sent."""

import stat
import sys
from pathlib import Path

import pytest

from ophtimus_edge.errors import FolderNotWritableError
from ophtimus_edge.history.draft import Draft


def test_a_draft_comes_back_and_goes_when_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "new" / "draft.txt"
    assert Draft(path).read() == ""
    Draft(path).keep("67세 여성, 갑자기\n오른쪽 눈이")
    assert Draft(path).read() == "67세 여성, 갑자기\n오른쪽 눈이"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    Draft(path).keep(" \n")
    assert list(path.parent.iterdir()) == []


def test_a_damaged_draft_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "draft.txt"
    path.write_bytes(b"half \xec\x95 of it\x1b[2J")
    assert Draft(path).read() == "half \ufffd of it[2J"


def test_a_draft_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderNotWritableError, match="cannot be kept"):
        Draft(tmp_path / "file" / "draft.txt").keep("x")
    Draft(tmp_path / "draft.txt").keep("x")


def test_with_a_key_a_draft_is_encrypted_and_another_key_reads_nothing(tmp_path: Path) -> None:
    path, key = tmp_path / "draft", bytes(range(32))
    Draft(path, key).keep("67세 여성 marker")
    data = path.read_bytes()
    assert b"marker" not in data
    assert Draft(path, key).read() == "67세 여성 marker"
    assert Draft(path, bytes(32)).read() == Draft(path).read() == ""
    for broken in (data[:-1], data[:20], b"", b"plain text", data[:-1] + bytes([data[-1] ^ 1])):
        path.write_bytes(broken)
        assert Draft(path, key).read() == ""
    Draft(path, key).keep(" ")
    assert not path.exists()
