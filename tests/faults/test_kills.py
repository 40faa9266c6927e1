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
    """Each kill falls at a drawn moment after the work has begun: in the pass, the checks, the publishing."""
    moments = random.Random(11)
    reused = 0
    for number in range(KILLS):
        out, part = tmp_path / f"out-{number}", tmp_path / f".out-{number}.part"
        words = command(tiny_checkpoint, out, *(word for gate in GATES for word in ("--skip-gate", gate)))
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 120
            while not list(part.glob("journal-*")) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(moments.choice([0.0, 0.1, 0.3, 1.0, 2.0, 4.0]) * moments.random())
            os.kill(process.pid, signal.SIGKILL)
        state = part / "state.json"
        reused += state.is_file() and b"sha256" in state.read_bytes()
        subprocess.run(words, check=True, capture_output=True)
        assert hashes(out) == whole
        assert not part.exists()
    if KILLS >= 20:
        assert reused  # some kills fell behind a finished level


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
