"""The plan says the exact sizes before anything is written, and refuses what the disk cannot hold."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from conversions import Silent, converted, make_adapter, options

from ophtimus_convert.conversion import estimate, prepare
from ophtimus_convert.plan import LEVELS, NEED_IMATRIX
from ophtimus_edge.errors import ConversionError

Usage = namedtuple("Usage", "total used free")


def test_planned_sizes_are_the_files_sizes(tiny_checkpoint: Path, tmp_path: Path) -> None:
    levels = [level for level in LEVELS if level not in NEED_IMATRIX]
    asked = options(
        tiny_checkpoint, tmp_path / "out", *levels, adapter=make_adapter(tiny_checkpoint, tmp_path / "a")
    )
    planned = estimate(asked, prepare(asked, Silent()))
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert planned.seconds > 0
    assert planned.peak_disk_bytes == sum(level.size_bytes for level in planned.levels)
    model = converted(tiny_checkpoint, tmp_path / "out", *levels, adapter=tmp_path / "a")
    assert {level.level: level.size_bytes for level in planned.levels} == {
        level.level: level.size_bytes for level in model.levels
    }


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = options(tiny_checkpoint, tmp_path / "deep" / "out", "Q8_0")
    blueprint = prepare(asked, Silent())
    need = estimate(asked, blueprint).peak_disk_bytes
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, need - 1))
    with pytest.raises(ConversionError, match="the files need"):
        estimate(asked, blueprint)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, need))
    assert estimate(asked, blueprint).levels
    assert not (tmp_path / "deep").exists()
