"""Training that is killed, stopped, damaged or out of disk: the next run goes on and ends with the same weights."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BIN, ROOT, Disk
from small_training import Host, Try, host

from ophtimus_training.checkpoints.sound import MANIFEST, damage, latest_sound
from ophtimus_training.cli import main

KILLS = 50 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 3
KINDS = ("lora", "adamw", "muon")
CALLS = 300  # of a run's that bring something to the disk, about


@pytest.fixture(scope="module")
def tries() -> Iterator[Host]:
    with host() as process:
        yield process


@pytest.fixture(scope="module")
def whole(tries: Host, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The weights that undisturbed runs end with, which keep no checkpoint."""
    found = {}
    for kind in KINDS:
        one = Try(tmp_path_factory.mktemp("whole"), kind, save_every=0)
        assert tries.run(one) == 0, one.said
        assert not list(one.work.iterdir())
        found[kind] = one.weights
    assert len(set(found.values())) == 3
    return found


@pytest.fixture(scope="module")
def half(tries: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run left that was killed in mid-epoch, in the middle of its accumulation's share: two checkpoints."""
    one = Try(tmp_path_factory.mktemp("half"), die_at=CALLS // 2)
    assert tries.run(one) == -signal.SIGKILL
    return Path(one.folder)


@pytest.fixture
def killed(half: Path, tmp_path: Path) -> Try:
    """That run, to go on with."""
    return Try(shutil.copytree(half, tmp_path / "run"))


def kept(one: Try) -> list[str]:
    """The names in a run's folder of checkpoints, the hidden ones too; every checkpoint is sound."""
    assert [damage(folder) for folder in one.work.glob("checkpoint-*")].count(None) == len(
        list(one.work.glob("checkpoint-*"))
    )
    return sorted(path.name for path in one.work.iterdir())


def test_every_killed_run_ends_with_the_same_weights(
    tries: Host, whole: dict[str, str], tmp_path: Path
) -> None:
    """Kills fall at drawn moments, and at drawn calls of a checkpoint's writing; some runs are killed twice."""
    moments = random.Random(17)
    went_on = kills = number = 0
    while kills < KILLS:
        one = Try(tmp_path / f"run-{number}", KINDS[number % 3])
        for _ in range(moments.randint(1, 2)):
            if moments.random() < 0.5:
                one.die_at = moments.randrange(1, CALLS)
                ended = tries.run(one)
            else:
                process = tries.start(one)
                time.sleep(moments.random() * 2)
                # Where the machine is fast the run has ended by then, and was not killed.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                ended = tries.end()
            kills += ended == -signal.SIGKILL
            one.die_at = 0
        went_on += latest_sound(one.work) is not None
        assert tries.run(one) == 0, one.said
        assert one.weights == whole[one.kind], f"run {number}"
        assert "damaged" not in one.said
        assert kept(one) == ["checkpoint-17", "checkpoint-18"]
        number += 1
    assert went_on


def test_a_run_goes_on_from_the_checkpoint_and_not_from_its_beginning(
    tries: Host, whole: dict[str, str], killed: Try
) -> None:
    """The next run saves nothing before the step that it goes on from."""
    latest = latest_sound(killed.work)
    assert latest
    killed.keep = 100
    assert tries.run(killed) == 0
    assert killed.weights == whole["lora"]
    first = int(latest.name.removeprefix("checkpoint-"))
    assert kept(killed) == sorted(f"checkpoint-{step}" for step in range(first - 1, 19))


@pytest.mark.parametrize("fault", ["flipped", "cut", "no manifest", "both"])
def test_a_damaged_checkpoint_is_passed_over_and_the_one_before_is_used(
    tries: Host, whole: dict[str, str], killed: Try, fault: str
) -> None:
    last, before = sorted(killed.work.glob("checkpoint-*"), key=lambda one: -int(one.name[11:]))
    weights, moments = last / "weights.safetensors", last / "optimizer.safetensors"
    match fault:
        case "cut":
            os.truncate(weights, 1000)
        case "no manifest":
            (last / MANIFEST).unlink()
        case _:
            flipped = bytearray(moments.read_bytes())
            flipped[-5] ^= 1
            moments.write_bytes(flipped)
    if fault == "both":
        (before / "random.json").unlink()
    assert tries.run(killed) == 0
    assert f"{last.name} is damaged: " in killed.said
    assert (f"{before.name} is damaged: random.json is missing" in killed.said) == (fault == "both")
    assert killed.weights == whole["lora"]
    assert kept(killed) == ["checkpoint-17", "checkpoint-18"]


def test_every_file_of_a_checkpoint_is_guarded(killed: Try) -> None:
    latest = latest_sound(killed.work)
    assert latest
    paths = [path for path in latest.rglob("*") if path.is_file()]
    assert len(paths) >= 8
    for path in paths:
        sound = path.read_bytes()
        for broken in (sound[: len(sound) // 2], bytes([sound[0] ^ 1]) + sound[1:], b""):
            path.write_bytes(broken)
            assert damage(latest), path.name
        path.write_bytes(sound)
        assert damage(latest) is None


def test_a_disk_that_fills_leaves_the_checkpoint_before_and_no_half_one(
    tries: Host, whole: dict[str, str], disk: Disk, tmp_path: Path
) -> None:
    small = disk(tmp_path / "disk", 1)
    filler = small / "filler"
    filler.write_bytes(bytes(680 << 10))  # room for two checkpoints of 170 KiB, not for three
    one = Try(tmp_path / "run", "adamw")
    (small / "work").mkdir()
    (tmp_path / "run").mkdir()
    one.work.symlink_to(small / "work")
    assert tries.run(one) == 1
    message, hint = one.said.splitlines()[-2:]
    assert message.startswith("train: ")
    assert message.endswith("the disk is full.")
    assert "run the same command again" in hint
    assert "Traceback" not in one.said
    names = kept(one)
    assert names
    assert not any(name.startswith(".") for name in names)
    filler.unlink()
    assert tries.run(one) == 0, one.said
    assert one.weights == whole["adamw"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_keeps_its_step_and_says_how_to_go_on(
    tries: Host, whole: dict[str, str], tmp_path: Path, number: int, code: int
) -> None:
    one = Try(tmp_path / "run", save_every=0, pause=0.05)
    process = tries.start(one)
    waited(one)
    os.kill(process, number)
    assert tries.end() == code
    message, hint = one.said.splitlines()[-2:]
    assert "stopped after step" in message
    assert "of 18, which was kept" in message
    assert "Run the same command again" in hint
    assert "Traceback" not in one.said
    (name,) = kept(one)
    assert name in (f"checkpoint-{step}" for step in range(1, 18))
    one.pause = 0
    assert tries.run(one) == 0
    assert one.weights == whole["lora"]


def test_a_second_ctrl_c_ends_a_run_at_once_and_a_second_sigterm_does_not(
    tries: Host, tmp_path: Path
) -> None:
    """A cluster's SIGTERM reaches a process twice: once by itself, once through torchrun."""
    for number, code, kept_one in ((signal.SIGINT, 130, False), (signal.SIGTERM, 143, True)):
        one = Try(tmp_path / f"run-{number}", save_every=0, pause=1)
        process = tries.start(one)
        waited(one)
        os.kill(process, number)
        time.sleep(0.1)
        os.kill(process, number)
        assert tries.end() == code
        assert bool(kept(one)) == kept_one
        assert "Traceback" not in one.said


def test_a_run_that_is_stopped_in_its_last_step_ends_well(tries: Host, tmp_path: Path) -> None:
    last = Try(tmp_path / "last", save_every=0, pause=0.3, steps=1)
    process = tries.start(last)
    waited(last)
    os.kill(process, signal.SIGTERM)
    assert tries.end() == 0  # nothing was left to stop
    assert last.weights


def test_a_run_that_had_taken_its_last_step_takes_no_other(tries: Host, tmp_path: Path) -> None:
    one = Try(tmp_path / "run", steps=5)
    assert tries.run(one) == 0
    ended = one.weights
    (tmp_path / "run" / "weights").unlink()
    assert tries.run(one) == 0, one.said
    assert one.weights == ended
    assert kept(one) == ["checkpoint-4", "checkpoint-5"]


def test_the_command_that_is_stopped_goes_on_when_it_is_given_again(tmp_path: Path) -> None:
    for kind in ("essay", "mcq"):
        (tmp_path / "primer" / kind).mkdir(parents=True)
        shutil.copy(ROOT / "training" / "primer" / kind / "glaucoma.jsonl", tmp_path / "primer" / kind)
    settings = [
        f"data={tmp_path / 'primer'}",
        "steps=12",
        "save_every=1",
        "evaluate_every=0",
        "probe=0",
        "packing=false",
        "batch=2",
    ]
    words = ["run", "smoke", *(word for one in settings for word in ("--set", one))]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main([*words, "-o", str(whole)]) == 0
    command = [str(BIN / "ophtimus-train"), *words, "-o", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob(".out.part/work/checkpoint-1")) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    message, hint = said.splitlines()[-2:]
    assert "stopped after step" in message
    assert "Run the same command again" in hint
    assert "Traceback" not in said
    assert not out.exists()
    assert main([*words, "-o", str(out)]) == 0
    name = "adapter_model.safetensors"
    assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert not list(tmp_path.glob(".*"))
    assert not (out / "work").exists()


def waited(one: Try) -> None:
    """Wait until a try is in its first step."""
    deadline = time.monotonic() + 60
    while not one.begun:
        assert time.monotonic() < deadline
        time.sleep(0.01)
