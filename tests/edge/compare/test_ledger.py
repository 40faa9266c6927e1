"""What a comparison has measured stays, whatever happens to the program or the disk."""

import errno
from pathlib import Path

import msgspec
import pytest

from ophtimus_edge.compare.running.ledger import Ledger, held
from ophtimus_edge.errors import FolderNotWritableError


class Seen(msgspec.Struct):
    index: int
    text: str = ""


SETTINGS = {"text": "ab" * 32, "windows": "8"}


def ledger(out: Path, settings: dict[str, str] = SETTINGS, level: str = "Q4_K_M") -> Ledger[Seen]:
    return Ledger(out, "divergence", level, settings, Seen)


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    with ledger(tmp_path) as first:
        assert first.records == []
        first.add(Seen(0, "녹내장 α\n"))
        first.add(Seen(1))
    with ledger(tmp_path) as second:
        assert second.records == [Seen(0, "녹내장 α\n"), Seen(1)]
        second.add(Seen(2))
    assert [seen.index for seen in ledger(tmp_path).records] == [0, 1, 2]


def test_other_settings_and_levels_are_not_mixed(tmp_path: Path) -> None:
    with ledger(tmp_path) as first:
        first.add(Seen(0))
    assert ledger(tmp_path, {**SETTINGS, "windows": "9"}).records == []
    assert ledger(tmp_path, level="Q2_K").records == []
    assert ledger(tmp_path, dict(reversed(SETTINGS.items()))).records == [Seen(0)]
    assert len(list((tmp_path / "measured").iterdir())) == 3


@pytest.mark.parametrize("torn", [b'{"index":1', b"\x00" * 9, b'{"index":"x"}\n', b"\xff\n", b"\n"])
def test_a_torn_line_costs_what_stands_behind_it(tmp_path: Path, torn: bytes) -> None:
    with ledger(tmp_path) as first:
        first.add(Seen(0))
        path = first.path
    sound = path.read_bytes()
    path.write_bytes(sound + torn + b'{"index":7}\n')
    with ledger(tmp_path) as again:
        assert again.records == [Seen(0)]
        again.add(Seen(1))
    assert path.read_bytes() == sound + msgspec.json.encode(Seen(1)) + b"\n"


def test_a_damaged_head_begins_anew(tmp_path: Path) -> None:
    with ledger(tmp_path) as first:
        first.add(Seen(0))
        path = first.path
    path.write_bytes(b"?" + path.read_bytes())
    with ledger(tmp_path) as again:
        assert again.records == []
        again.add(Seen(5))
    assert ledger(tmp_path).records == [Seen(5)]


def test_a_full_disk_is_said_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger(tmp_path) as first:
        first.add(Seen(0))
        whole = first.path.read_bytes()

        class FullDisk:
            """Takes half of a line, as a disk that fills up does."""

            def __init__(self, file: object) -> None:
                self._file = file

            def __getattr__(self, name: str) -> object:
                return getattr(self._file, name)

            def write(self, data: bytes) -> int:
                self._file.write(data[: len(data) // 2])  # type: ignore[attr-defined]
                self._file.flush()  # type: ignore[attr-defined]
                raise OSError(errno.ENOSPC, "No space left on device")

        sound = first._file
        monkeypatch.setattr(first, "_file", FullDisk(sound))
        with pytest.raises(FolderNotWritableError, match="No space left"):
            first.add(Seen(1))
        monkeypatch.setattr(first, "_file", sound)
        assert first.path.read_bytes() == whole
        assert first.records == [Seen(0)]
        first.add(Seen(1))
    assert ledger(tmp_path).records == [Seen(0), Seen(1)]


def test_a_folder_is_held_by_one_comparison(tmp_path: Path) -> None:
    with held(tmp_path / "report"):
        with pytest.raises(FolderNotWritableError, match="another comparison"), held(tmp_path / "report"):
            pass
        with held(tmp_path / "other"):
            pass
    with held(tmp_path / "report"):
        pass


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("x")
    with pytest.raises(FolderNotWritableError, match="cannot be written"), held(tmp_path / "report"):
        pass
    with pytest.raises(FolderNotWritableError, match="cannot be written"):
        ledger(tmp_path / "report")
