"""A disk that fills while a kit is installed: it is said in words, the old version runs, and the next run goes on."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest
from conftest import Disk
from faulty_installing import tried
from installing import EYES, Model, Order, Witness, make_kit, said

from ophtimus_edge.kit import keys
from ophtimus_edge.kit.installing import versions
from ophtimus_edge.kit.installing.install import install

LONG = os.environ.get("OPHTIMUS_CAMPAIGN") == "long"
POINTS = 50 if LONG else 3


def test_at_every_point_at_which_the_disk_fills_the_old_version_runs(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, key = disk(tmp_path / "disk", 64), keys.generate_key()
    monkeypatch.setenv("OPHTIMUS_HOME", str(small / "home"))
    root, filler = small / "program", small / "filler"
    first = make_kit(tmp_path / "1.0.0", key, Order(models={"eyes": Model(EYES)}))
    second = Order(
        "1.1.0", models={"eyes": Model({"a": random.Random(1).randbytes(9 << 20)})}, history_schema=2
    )
    make_kit(tmp_path / "1.1.0", key, second)
    install(first, root, Witness())
    shutil.copytree(root, tmp_path / "first", symlinks=True)
    words = ["kit", "update", str(tmp_path / "1.1.0"), "--to", str(root)]
    whole = tried(words)
    assert whole.code == 0, whole.said
    shutil.copytree(versions.folder_of(root, "1.1.0") / "venv", tmp_path / "packages", symlinks=True)
    drawn = random.Random(7)
    full = 0
    for number in range(POINTS):
        shutil.rmtree(root)
        shutil.copytree(tmp_path / "first", root, symlinks=True)
        changes = whole.changes
        if number % 4 or not LONG:  # most with the packages there already: making them takes most of the time
            half = versions.folder_of(root, "1.1.0")
            half.mkdir()
            mark = hashlib.sha256((tmp_path / "1.1.0" / "manifest.json").read_bytes()).hexdigest()
            (half / versions.INCOMPLETE).write_text(mark)
            shutil.copytree(tmp_path / "packages", half / "venv", symlinks=True)
            changes = min(changes, 40)
        done = tried(words, drawn.randint(1, changes), filler)
        runs = said(root)
        if done.code:
            full += 1
            assert (done.code, runs) == (1, "1.0.0")
            assert "Traceback" not in done.said
            message, hint = done.said.rstrip().splitlines()[-2:]
            assert message.startswith("ophtimus: ")
            assert any(words in message for words in ("No space left", "disk is full", "MiB free"))
            assert "ree some space" in hint
        filler.unlink(missing_ok=True)
        again = tried(words)
        assert again.code == 0, again.said
        assert said(root) == "1.1.0"
    assert full
