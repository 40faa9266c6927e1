"""A kit that is killed or runs out of disk while it is built: no half kit, and the next run gives the same."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import BIN, Disk
from kit_wheels import Desk

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.keys import create_key
from ophtimus_edge.kit.manifest import MANIFEST
from ophtimus_edge.kit.verifying import verify

KILLS = 40 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 3


def test_a_killed_build_goes_on_to_the_same_kit(tmp_path: Path, home: Path) -> None:
    desk = Desk(tmp_path / "desk")
    cache = home / "cache" / "kit"
    cache.parent.mkdir(parents=True)
    desk.cache.rename(cache)
    key = create_key(desk.folder / "key")
    desk.cache, desk.key = cache, key
    levels = ("BF16", "Q4_K_M")
    whole = desk.build(out=desk.folder / "whole", levels=levels)
    moments = random.Random(5)
    for number in range(KILLS):
        out = desk.folder / f"kit-{number}"
        words = [
            str(BIN / "ophtimus"), "kit", "build", "--name", "eye-clinic", "--version", "1.0.0",
            "--models", str(desk.model()), "--key", str(desk.folder / "key"), "--out", str(out),
            "--python", "3.11", "--wheel", str(desk.llama), "--program-wheel", str(desk.program),
            "--constraints", str(desk.constraints), "--offline", "-l", "BF16", "-l", "Q4_K_M",
        ]  # fmt: skip
        part = out.with_name(f".{out.name}.part")
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 120
            while not part.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.3 * moments.random() ** 2)
            os.kill(process.pid, signal.SIGKILL)
        assert not out.exists() or verify(out, key.public)
        if not out.exists():
            subprocess.run(words, check=True, capture_output=True)
        assert (out / MANIFEST).read_bytes() == (whole.folder / MANIFEST).read_bytes()
        assert verify(out, key.public)


def test_a_disk_that_fills_on_the_way_leaves_no_kit(disk: Disk, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    small = disk(tmp_path / "small", 40)
    filler = small / "filler"

    def fill(done: int, total: int, file: str) -> None:
        if not filler.exists():
            with filler.open("wb") as stream, pytest.raises(OSError, match="No space"):
                while True:
                    stream.write(bytes(4096))
                    stream.flush()

    desk.watcher.progress = fill  # type: ignore[method-assign]
    with pytest.raises(KitBuildError, match="No space left") as error:
        desk.build(out=small / "kit", levels=("BF16",))
    assert "What was done is kept" in error.value.hint
    assert not (small / "kit").exists()
    filler.unlink()
    desk.watcher = type(desk.watcher)()
    built = desk.build(out=small / "kit", levels=("BF16",))
    assert verify(built.folder, desk.key.public)
