"""Conversions that are killed or stopped at seeded moments: the next run goes on and gives the same files."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import BIN
from conversions import converted

from ophtimus_edge.models.formats import read_model_folder
from ophtimus_edge.models.store import sha256_of

KILLS = 20 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 3
LEVELS = ("BF16", "Q8_0", "Q5_K_M", "Q4_K_M", "IQ3_S", "IQ4_XS")
GATES = ("tokens", "template", "end", "rope", "logits", "answers")


def command(source: Path, out: Path, *more: str) -> list[str]:
    words = [str(BIN / "ophtimus-convert"), str(source), "-o", str(out), "--name", "tiny", *more]
    return words + [word for level in LEVELS for word in ("-l", level)]


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The hashes that an undisturbed conversion gives."""
    return [
        level.sha256
        for level in converted(tiny_checkpoint, tmp_path_factory.mktemp("whole") / "out", *LEVELS).levels
    ]


def hashes(out: Path) -> list[str]:
    model = read_model_folder(out)
    assert [level.sha256 for level in model.levels] == [sha256_of(out / level.file) for level in model.levels]
    return [level.sha256 for level in model.levels]


def test_every_killed_conversion_ends_with_the_same_files(
    tiny_checkpoint: Path, whole: list[str], tmp_path: Path
) -> None:
    moments = random.Random(11)
    words = command(
        tiny_checkpoint, tmp_path / "out", *(word for gate in GATES for word in ("--skip-gate", gate))
    )
    kills = attempts = 0
    while kills < KILLS and attempts < 3 * KILLS:
        attempts += 1
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(moments.uniform(0.8, 4.0))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
        if (tmp_path / "out").exists():  # it came to its end, before the kill or in it
            assert hashes(tmp_path / "out") == whole
            (tmp_path / "out").rename(tmp_path / f"done-{attempts}")
            continue
        if kills % 3 == 0:
            subprocess.run(words, check=True, capture_output=True)
            assert hashes(tmp_path / "out") == whole
            assert not (tmp_path / ".out.part").exists()
            (tmp_path / "out").rename(tmp_path / f"done-{attempts}")
    assert kills == KILLS


def test_ctrl_c_leaves_no_model_folder_and_the_next_run_goes_on(
    tiny_checkpoint: Path, whole: list[str], tmp_path: Path
) -> None:
    words = command(tiny_checkpoint, tmp_path / "out")
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".out.part/journal-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command to go on" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
    result = subprocess.run(words, check=True, capture_output=True, text=True)
    assert "gate logits: passed" in result.stdout
    assert hashes(tmp_path / "out") == whole
    assert not (tmp_path / ".out.part").exists()
