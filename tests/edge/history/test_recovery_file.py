"""A recovery key in a text file: for its writer alone, and never beside the history that it opens."""

import os
import stat
from pathlib import Path

import pytest
from conftest import Disk

from ophtimus_edge.errors import FolderNotWritableError, HistoryExportError, RecoveryKeyPlaceError
from ophtimus_edge.history import profiles
from ophtimus_edge.history.recovery_file import lies_with, save_recovery

PAGE = "Recovery key: 복구 키"


def test_it_is_written_for_its_writer_alone(tmp_path: Path) -> None:
    profiles.create("Kim")
    file = tmp_path / "key.txt"
    save_recovery(file, PAGE)
    assert file.read_text("utf-8") == PAGE + "\n"
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(HistoryExportError):
        save_recovery(file, "another")
    assert file.read_text("utf-8") == PAGE + "\n"
    save_recovery(file, "another", overwrite=True)
    assert file.read_text("utf-8") == "another\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_folder_of_the_histories_takes_none_by_whatever_name(tmp_path: Path) -> None:
    profile = profiles.create("Kim")
    link = tmp_path / "link"
    link.symlink_to(profile.folder, target_is_directory=True)
    by_way = tmp_path / "missing" / ".." / "link"
    for place in (profile.folder, profile.folder.parent, profile.folder / "backups", link, by_way):
        with pytest.raises(RecoveryKeyPlaceError) as caught:
            save_recovery(place / "key.txt", PAGE)
        assert caught.value.hint
    assert not list(profile.folder.rglob("*.txt"))
    with pytest.raises(FolderNotWritableError):
        save_recovery(tmp_path / "missing" / "key.txt", PAGE)


def test_a_file_lies_with_another_in_its_folder_and_on_its_disk(tmp_path: Path, disk: Disk) -> None:
    stick = disk(tmp_path / "stick", 1)
    (stick / "folder").mkdir()
    backup = stick / "kim.ophtimus-backup"
    assert lies_with(stick / "key.txt", backup)
    assert lies_with(stick / "folder" / "key.txt", backup)
    assert not lies_with(tmp_path / "key.txt", backup)
    assert not lies_with(tmp_path / "missing" / "key.txt", backup)
