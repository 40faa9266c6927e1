"""A disk that fills while a model is converted: said in plain words, nothing half-made left behind."""

import subprocess
from pathlib import Path

import pytest
from conftest import BIN, Disk
from conversions import Silent, converted, options

from ophtimus_convert.conversion import convert, prepare
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.formats import read_model_folder


@pytest.fixture
def small_disk(disk: Disk, tmp_path: Path) -> Path:
    """A file system of 3 MiB: less than the tiny model in 16 bits, more than it in 4."""
    return disk(tmp_path / "disk", 3)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    tiny_checkpoint: Path, small_disk: Path
) -> None:
    command = [
        str(BIN / "ophtimus-convert"),
        str(tiny_checkpoint),
        "--name",
        "tiny",
        "-o",
        str(small_disk / "out"),
    ]
    result = subprocess.run([*command, "-l", "BF16"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "the files need" in result.stderr.rstrip().splitlines()[-2]
    assert list(small_disk.iterdir()) == []
    result = subprocess.run([*command, "-l", "Q4_K_M"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert read_model_folder(small_disk / "out").default_level == "Q4_K_M"


def test_a_disk_that_fills_on_the_way_leaves_nothing(tiny_checkpoint: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"

    class Filling(Silent):
        """Something else takes the rest of the disk once the first rows are written."""

        def show(self, step: str, unit: str, done: int, total: int, what: str) -> None:
            if step == "write" and not filler.exists():
                with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
                    while True:
                        file.write(bytes(4096))
                        file.flush()

    asked = options(tiny_checkpoint, small_disk / "out", "Q8_0")
    with pytest.raises(ConversionError, match="No space left"):
        convert(asked, prepare(asked, Silent()), Filling())
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    filler.unlink()
    assert converted(tiny_checkpoint, small_disk / "out", "Q8_0").levels
