"""``make`` where something that it needs is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def make_in(folder: Path, path: str) -> "subprocess.CompletedProcess[str]":
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "pyproject.toml").touch()
    (folder / "constraints.txt").touch()
    make = shutil.which("make")
    assert make
    return subprocess.run(
        [make, "run"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with a shell and Python, and no compiler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "echo", "touch"):
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(Path(found).resolve())
    (folder / "python3").symlink_to(Path(sys.executable).resolve())
    return folder


def test_a_missing_compiler_is_said(tools: Path, tmp_path: Path) -> None:
    result = make_in(tmp_path, str(tools))
    assert result.returncode != 0
    assert "there is no C++ compiler" in result.stdout
    assert "build-essential" in result.stdout
    assert not (tmp_path / ".venv").exists()


def test_a_missing_python_is_said(tools: Path, tmp_path: Path) -> None:
    (tools / "python3").unlink()
    result = make_in(tmp_path, str(tools))
    assert result.returncode != 0
    assert "there is no python3" in result.stdout
