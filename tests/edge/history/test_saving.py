"""Files for people: whole or not there, and never over another by chance."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ophtimus_edge.errors import FolderNotWritableError, HistoryExportError
from ophtimus_edge.history.saving import save


def test_a_file_is_its_writers_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    save(tmp_path / "talks.md", b"words")
    assert (tmp_path / "talks.md").read_bytes() == b"words"
    assert (tmp_path / "talks.md").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["talks.md"]


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "talks.md"
    path.write_bytes(b"mine")
    with pytest.raises(HistoryExportError, match="exists already"):
        save(path, b"other")
    assert path.read_bytes() == b"mine"
    save(path, b"other", overwrite=True)
    assert path.read_bytes() == b"other"


def test_a_link_to_nowhere_counts_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "talks.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HistoryExportError, match="exists already"):
        save(tmp_path / "talks.md", b"other")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_missing_folder_is_said(tmp_path: Path, overwrite: bool) -> None:
    with pytest.raises(FolderNotWritableError, match="cannot be written"):
        save(tmp_path / "missing" / "talks.md", b"words", overwrite)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, disk: Callable[[Path, int], Path]) -> None:
    folder = disk(tmp_path / "small", 1)
    (folder / "old.md").write_bytes(b"old")
    for name, overwrite in (("new.md", False), ("old.md", True)):
        with pytest.raises(HistoryExportError, match="disk is full"):
            save(folder / name, b"x" * (2 << 20), overwrite)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"old.md": b"old"}
    save(folder / "new.md", b"fits")
    assert (folder / "new.md").read_bytes() == b"fits"
