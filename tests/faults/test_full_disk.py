"""A disk that fills while a model is converted: said in plain words, nothing half-made left behind."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BIN

from ophtimus_edge.models.formats import read_model_folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 5 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_is_said_and_leaves_nothing(tiny_checkpoint: Path, small_disk: Path) -> None:
    command = [str(BIN / "ophtimus-convert"), str(tiny_checkpoint), "--name", "tiny", "-l", "BF16"]
    result = subprocess.run(
        [*command, "-o", str(small_disk / "out")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.rstrip().splitlines()[-2].startswith("ophtimus-convert: ")
    assert list(small_disk.iterdir()) == []
    result = subprocess.run(
        [*command[:-1], "Q4_K_M", "-o", str(small_disk / "out")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert read_model_folder(small_disk / "out").default_level == "Q4_K_M"
