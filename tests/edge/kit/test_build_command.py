"""``ophtimus kit build`` as a developer runs it."""

import json
import os
import pty
import select
import subprocess
from pathlib import Path

import pytest
from conftest import BIN, Command, Disk
from kit_wheels import Desk

from ophtimus_edge.kit.keys import create_key
from ophtimus_edge.kit.manifest import MANIFEST


@pytest.fixture
def desk(tmp_path: Path, home: Path) -> Desk:
    """A desk whose cache is where the command looks for it."""
    desk = Desk(tmp_path / "desk")
    (home / "cache").mkdir(parents=True)
    desk.cache.rename(home / "cache" / "kit")
    create_key(desk.folder / "key")
    return desk


def words(desk: Desk, *more: str, out: Path | None = None) -> list[str]:
    return [
        "kit", "build", "--name", "eye-clinic", "--version", "1.0.0", "--models", str(desk.model()),
        "--key", str(desk.folder / "key"), "--out", str(out or desk.folder / "kit"), "--python", "3.11",
        "--wheel", str(desk.llama), "--program-wheel", str(desk.program),
        "--constraints", str(desk.constraints), "--offline", *more,
    ]  # fmt: skip


def test_a_kit_is_built_and_then_verified(desk: Desk, ophtimus: Command) -> None:
    result = ophtimus(*words(desk, "--json"))
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["models"] == [{"name": "Ophtimus-Demo", "levels": ["Q4_K_M"]}]
    assert "writing the kit" in result.stderr
    read = ophtimus("kit", "verify", told["kit"], "--key", str(desk.folder / "key.pub"), "--json")
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["manifest_sha256"] == told["manifest_sha256"]
    assert json.loads(read.stdout)["signature"] == "verified"


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--key", "missing"], 1, "missing cannot be read"),
        (["--split", "7"], 1, "is no size that files can be split at"),
        (["--level", "Q2_K"], 1, "has no level Q2_K"),
        (["--licence", "alpha"], 2, "names no file"),
        (["--platform", "win_amd64"], 1, "a kit for Windows needs a Python of its own"),
    ],
)
def test_what_cannot_be_is_said_in_two_lines(
    desk: Desk, ophtimus: Command, more: list[str], code: int, message: str
) -> None:
    result = ophtimus(*words(desk, *more))
    assert result.returncode == code
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 2
    assert not (desk.folder / "kit").exists()


def test_a_key_with_a_passphrase_is_asked_for_it(desk: Desk) -> None:
    create_key(desk.folder / "locked", "open sesame, please")
    for said, code in (("wrong", 1), ("open sesame, please", 0)):
        outside, inside = pty.openpty()
        with subprocess.Popen(
            [str(BIN / "ophtimus"), *words(desk, "--key", str(desk.folder / "locked"))],
            stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        ) as process:  # fmt: skip
            os.close(inside)
            shown = b""
            while b"Passphrase" not in shown:
                assert select.select([outside], [], [], 60)[0], shown
                shown += os.read(outside, 4096)
            os.write(outside, said.encode() + b"\n")
            while process.poll() is None:
                if select.select([outside], [], [], 0.1)[0]:
                    try:
                        shown += os.read(outside, 4096)
                    except OSError:
                        break
            assert process.wait(60) == code, shown
        os.close(outside)
        assert (desk.folder / "kit" / MANIFEST).is_file() == (code == 0)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    desk: Desk, ophtimus: Command, disk: Disk, tmp_path: Path
) -> None:
    small = disk(tmp_path / "small", 12)
    result = ophtimus(*words(desk, out=small / "kit"))
    assert result.returncode == 1
    assert "MiB more, and the disk of" in result.stderr
    assert list(small.iterdir()) == []
    large = disk(tmp_path / "large", 32)
    result = ophtimus(*words(desk, out=large / "kit"))
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in large.iterdir()) == [
        "kit", "kit-fingerprint.html", "kit-fingerprint.txt"
    ]  # fmt: skip
