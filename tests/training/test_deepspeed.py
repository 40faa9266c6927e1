"""DeepSpeed's ZeRO, two processes on a CPU over gloo, where DeepSpeed is installed.

It is no part of the [training] extra, and compiles a part of itself for some minutes when it first runs:
``pip install deepspeed``, then ``DS_ACCELERATOR=cpu pytest tests/training/test_deepspeed.py``.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import shared_training
from torchrun import torchrun

pytestmark = pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed")


def test_two_processes_learn_with_zero_what_one_does_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stopped by a signal that one of them gets, they go on from the one checkpoint bit for bit."""
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    asked = ("zero2:tied", "zero2:lora", "zero3:tied", "zero3:lora")
    ended = torchrun("-m", "shared_training", str(tmp_path), *asked, folder=tmp_path, patience_s=1800)
    assert ended.returncode == 0, ended.stderr[-3000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert tuple(result) == asked
    alone = {kind: shared_training.run(tmp_path / kind, kind, "ddp") for kind in ("tied", "lora")}
    for name, found in result.items():
        shared_training.expect_alike(found, alone[name.split(":")[1]])
