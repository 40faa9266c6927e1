"""Names that are offered for files: Korean stays, and nothing that a system would not take."""

import datetime
from pathlib import Path

import pytest

from ophtimus_edge import locations
from ophtimus_tui.file_names import file_name

DAY = datetime.date(2026, 11, 23)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("녹내장이란 무엇인가요?", "2026-11-23 녹내장이란 무엇인가요.md"),
        ("\u1102\u1169\u11a8", "2026-11-23 녹.md"),  # a syllable in parts, as macOS writes it
        ("../../etc/passwd", "2026-11-23 .. .. etc passwd.md"),
        ('a<b>c:d"e\\f|g*h\x1b\n', "2026-11-23 a b c d e f g h.md"),
        ("CON", "2026-11-23 CON.md"),
        ("", "2026-11-23.md"),
        (" ... ", "2026-11-23.md"),
    ],
)
def test_a_name_keeps_its_words_and_no_path(title: str, name: str) -> None:
    assert file_name(title, DAY, "md") == name


def test_the_longest_title_is_a_name_that_a_disk_takes(tmp_path: Path) -> None:
    path = tmp_path / file_name("각" * 5000, DAY, "ophtimus-backup")
    path.write_text("")
    assert path.exists()


def test_files_go_to_the_documents_where_there_is_such_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert locations.documents_folder() == tmp_path  # its own folder is not there yet
    (tmp_path / "home").mkdir()
    assert locations.documents_folder() == tmp_path / "home"
