"""An installer that is killed: what was copied counts, the old version runs or the new one, the next run ends it."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_installing import Tried, tried
from installing import EYES, Model, Order, Witness, make_kit, said
from kits import listed, write_files

from ophtimus_edge.kit import keys
from ophtimus_edge.kit.installing import launchers, versions
from ophtimus_edge.kit.installing.install import install
from ophtimus_edge.kit.state import read_state
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES

LONG = os.environ.get("OPHTIMUS_CAMPAIGN") == "long"
COPIES, CHUNKS = (100, 256) if LONG else (3, 6)
KILLS = 40 if LONG else 4  # of an update, and half as many of an installation and of a rollback

# Copies a file of a kit, and says whenever it has read a chunk from the stick.
COPYING = """
import sys
from pathlib import Path
from kits import listed
from ophtimus_edge.kit.installing import transfer
from ophtimus_edge.kit.manifest import KitFile
from ophtimus_edge.models.formats import decode
import msgspec

read = transfer._from_kit
def telling(piece, kit):
    data = read(piece, kit)
    sys.stdout.write(f"{piece.start}\\n")
    sys.stdout.flush()
    return data
transfer._from_kit = telling
file = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=KitFile)
transfer.copy_files([transfer.single(file)], Path(sys.argv[2]), Path(sys.argv[3]), transfer.NOTHING_HELD)
"""


def test_a_copy_that_is_killed_is_right_in_the_end_and_at_most_one_chunk_is_read_again(
    tmp_path: Path,
) -> None:
    drawn = random.Random(5)
    # A gibibyte: more than one call gives.
    data = b"".join(drawn.randbytes(CHUNK_BYTES) for _ in range(CHUNKS))[:-12345]
    kit, entry, digest = tmp_path / "kit", tmp_path / "entry.json", hashlib.sha256(data).hexdigest()
    write_files(kit, {"models/a": data})
    import msgspec

    entry.write_bytes(msgspec.json.encode(listed("models/a", data)))
    del data
    out = tmp_path / "out"
    for _ in range(COPIES):
        shutil.rmtree(out, ignore_errors=True)
        command = [sys.executable, "-c", COPYING, str(entry), str(kit), str(out)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            first = [process.stdout.readline() for _ in range(drawn.randint(1, CHUNKS - 1))]
            time.sleep(drawn.random() * 0.02)
            process.kill()
            first += process.stdout.readlines()
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert hashlib.sha256((out / "models/a").read_bytes()).hexdigest() == digest
        again = done.stdout.split()
        assert set(first) | set(done.stdout.splitlines(keepends=True)) == {
            f"{at * CHUNK_BYTES}\n" for at in range(CHUNKS)
        }
        assert len(first) + len(again) <= CHUNKS + 1


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two kits, one after the other."""
    folder, key = tmp_path_factory.mktemp("stick"), keys.generate_key()
    first = make_kit(folder / "1.0.0", key, Order(models={"eyes": Model(EYES)}))
    changed = EYES | {"eyes.gguf": b"?" + EYES["eyes.gguf"][1:]}
    second = Order("1.1.0", models={"eyes": Model(changed)}, history_schema=2)
    return first, make_kit(folder / "1.1.0", key, second)


@pytest.fixture(scope="module")
def places(stick: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Installations to begin with: of the first kit, with half of the second one, and of both."""
    folder = tmp_path_factory.mktemp("places")
    found = {name: folder / name for name in ("first", "half", "both")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPHTIMUS_HOME", str(folder / "home"))
        install(stick[0], found["first"], Witness())
        shutil.copytree(found["first"], found["both"], symlinks=True)
        install(stick[1], found["both"], Witness())
        shutil.copytree(found["both"], found["half"], symlinks=True)
        # As it is when the packages are there, and nothing else: making them takes most of the time.
        half = versions.folder_of(found["half"], "1.1.0")
        (half / versions.INCOMPLETE).write_text(
            hashlib.sha256((stick[1] / "manifest.json").read_bytes()).hexdigest()
        )
        shutil.rmtree(half / "models")
        versions.switch(found["half"], "1.0.0")
        shutil.copy(found["first"] / "state.json", found["half"])
    return found


def begun(place: Path, root: Path) -> None:
    """An installation of a test's own."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(place, root, symlinks=True)
    launchers.write(root)


def moments(changes: int, kills: int) -> list[int]:
    """At which of an installer's changes it is killed: half of them among the last, where it switches."""
    drawn = random.Random(changes)
    late = [changes - at for at in range(min(24, changes))]
    return [
        *drawn.sample(late, min(len(late), (kills + 1) // 2)),
        *(drawn.randint(1, changes) for _ in range(kills // 2)),
    ]


def killed(words: list[str], at: int) -> Tried:
    done = tried(words, at)
    assert done.code in {-signal.SIGKILL, 0}
    return done


@pytest.mark.parametrize("place", ["half", "first"] if LONG else ["half"])
def test_an_update_that_is_killed_leaves_the_old_version_or_the_new_one(
    stick: tuple[Path, Path], places: dict[str, Path], tmp_path: Path, place: str
) -> None:
    root = tmp_path / "program"
    words = ["kit", "update", str(stick[1]), "--to", str(root)]
    begun(places[place], root)
    whole = tried(words)
    assert whole.code == 0, whole.said
    seen = set()
    for at in moments(whole.changes, KILLS):
        begun(places[place], root)
        assert killed(words, at).code == -signal.SIGKILL
        seen.add(said(root))
        assert read_state(root) is not None
        again = tried(words)
        assert again.code == 0, again.said
        assert said(root) == "1.1.0"
        assert not list((root / "versions").glob(f"*/{versions.INCOMPLETE}"))
        state = read_state(root)
        assert state is not None
        assert (state.current, state.previous) == ("1.1.0", "1.0.0")
    assert seen <= {"1.0.0", "1.1.0"}
    assert "1.0.0" in seen


def test_a_rollback_that_is_killed_leaves_the_old_version_or_the_new_one(
    places: dict[str, Path], tmp_path: Path
) -> None:
    root = tmp_path / "program"
    words = ["kit", "rollback", "--to", str(root)]
    begun(places["both"], root)
    whole = tried(words)
    assert whole.code == 0, whole.said
    for at in moments(whole.changes, KILLS // 2):
        begun(places["both"], root)
        assert killed(words, at).code == -signal.SIGKILL
        runs = said(root)
        assert runs in {"1.0.0", "1.1.0"}
        done = tried(words)
        if runs == "1.0.0":  # it was killed behind the switch
            assert "no version before 1.0.0" in done.said
        assert said(root) == "1.0.0"


def test_a_first_installation_that_is_killed_is_done_by_the_next(
    stick: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "program"
    words = ["kit", "install", str(stick[0]), "--yes", "--to", str(root)]

    def at_a_new_home(number: int) -> None:
        """The menu entry and the name in a terminal are made anew, as on the first day."""
        monkeypatch.setenv("OPHTIMUS_HOME", str(tmp_path / f"home-{number}"))
        shutil.rmtree(root, ignore_errors=True)

    at_a_new_home(0)
    whole = tried(words)
    assert whole.code == 0, whole.said
    for number, at in enumerate(moments(whole.changes, max(1, KILLS // 2) if LONG else 1), 1):
        at_a_new_home(number)
        assert killed(words, at).code == -signal.SIGKILL
        assert not versions.current(root) or said(root) == "1.0.0"
        again = tried(words)
        assert again.code == 0, again.said
        assert said(root) == "1.0.0"
