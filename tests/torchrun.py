"""Several processes that torchrun starts, for tests."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT


def torchrun(
    *words: str, folder: Path, processes: int = 2, patience_s: int = 300
) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    return subprocess.run(
        [*command, *words],
        cwd=folder,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=patience_s,
    )
