"""A disk that fills while a model is converted: said in plain words, nothing half-made left behind."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BIN
from conversions import Silent, converted, options

from ophtimus_convert.conversion import convert, prepare
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.formats import read_model_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB: less than the tiny model in 16 bits, more than it in 4."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


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
