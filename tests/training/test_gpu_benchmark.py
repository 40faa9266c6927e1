"""The benchmark of training on a GPU, in its smallest size: every side runs, and the table has every figure."""

import subprocess
import sys

from conftest import ROOT


def test_the_benchmark_runs_in_its_smallest_size() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "training_gpu.py"), "--smallest", "--steps", "3"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stderr[-2000:]
    lines = result.stdout.splitlines()
    assert "tiny shape" in lines[0]
    figures = [line.split(" | ") for line in lines if line.startswith("| ")][1:]
    assert len(figures) == 5
    speed, ratio = float(figures[0][1].replace(",", "")), float(figures[1][1])
    assert speed > 0
    assert ratio > 0
    for memory in figures[3:]:
        assert "GiB" in memory[1]
        assert not memory[1].startswith("nan")
