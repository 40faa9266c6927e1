import json
import os
import random
import shutil
import signal
import subprocess
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import two_lines
from conftest import BIN, Command, Disk
from stored_models import files_in, flip, refused

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError, UsageError
from ophtimus_edge.models import installing, inventory, store
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Licence, read_model_folder, write_model_folder
from ophtimus_edge.models.incoming import checked_name

# Adding


def test_an_added_model_is_whole_and_answers(ophtimus: Command, source: Path) -> None:
    result = ophtimus("models", "add", str(source))
    assert result.returncode == 0, result.stderr
    assert "eyes 7 added" in result.stdout
    assert "unverified: no signature" in result.stdout
    assert "patients.csv" in result.stderr
    assert "loose.gguf" in result.stderr
    there, here = files_in(locations.models_folder() / "eyes"), files_in(source)
    assert set(there) == {*here, "store.json"} - {"patients.csv", "loose.gguf"}
    assert all(there[name] == here[name] for name in there if name != "store.json")
    assert [path.name for path in locations.models_folder().iterdir()] == ["eyes"]
    answered = ophtimus("ask", "--json", "--model", "eyes", "--max-tokens", "2", "What is glaucoma?")
    assert json.loads(answered.stdout)["model"]["version"] == "7"


def test_the_same_model_is_already_there_and_another_one_is_refused(
    ophtimus: Command, source: Path, tmp_path: Path
) -> None:
    assert ophtimus("models", "add", str(source)).returncode == 0
    again = ophtimus("models", "add", "--json", str(source))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["result"] == "already there"
    before = files_in(locations.models_folder() / "eyes")
    model = read_model_folder(source)
    model.version, model.name = "8", "Eyes"
    write_model_folder(source, model)
    said = two_lines(ophtimus("models", "add", str(source)), code=2)
    assert "another model named eyes (version 7)" in said
    assert "ophtimus models remove eyes" in said
    assert files_in(locations.models_folder() / "eyes") == before
    (locations.models_folder() / "eyes" / "tiny-BF16.gguf").unlink()
    model.version, model.name = "7", "eyes"
    write_model_folder(source, model)
    assert "damaged or missing" in two_lines(ophtimus("models", "add", str(source)))
    assert ophtimus("models", "remove", "eyes", "--yes").returncode == 0
    assert ophtimus("models", "add", str(source)).returncode == 0
    assert files_in(locations.models_folder() / "eyes").keys() == before.keys()


def test_one_file_of_a_model_folder_brings_its_level_alone(source: Path) -> None:
    added = installing.add(source / "tiny-Q4_K_M.gguf")
    assert (added.folder.name, added.description.version) == ("eyes", "7")
    folder = read_model_folder(locations.models_folder() / "eyes")
    assert [level.level for level in folder.levels] == ["Q4_K_M"]
    assert folder.template is not None
    assert added.licences == ["LICENSE.txt", "NOTICE"]
    assert not (added.folder / "tiny-BF16.gguf").exists()
    assert installing.add(source / "tiny-Q4_K_M.gguf").already
    with pytest.raises(UsageError, match="another model named eyes"):
        installing.add(source)


def test_a_gguf_by_itself_becomes_a_model_of_its_own(
    ophtimus: Command, tiny_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "My eyes (v2).gguf"
    shutil.copy(tiny_model / "tiny-Q4_K_M.gguf", path)
    result = ophtimus("models", "add", str(path))
    assert result.returncode == 0, result.stderr
    assert "no licence file came with it" in result.stderr
    model = read_model_folder(locations.models_folder() / "My-eyes-v2")
    assert (model.kind, model.default_level) == ("instruct", "Q4_K_M")
    assert model.levels[0].sha256 == store.sha256_of(path)
    assert model.levels[0].chunk_sha256
    assert ophtimus("models", "verify", "My-eyes-v2").returncode == 0
    asked = ophtimus("ask", "--model", "My-eyes-v2", "--max-tokens", "2", "What is glaucoma?")
    assert asked.returncode == 0, asked.stderr
    assert installing.add(path).already
    shutil.copy(tiny_model / "tiny-BF16.gguf", path)
    with pytest.raises(UsageError):
        installing.add(path)


def test_nothing_and_no_model_are_told_apart(ophtimus: Command, tmp_path: Path) -> None:
    assert "there is no model at" in two_lines(ophtimus("models", "add", str(tmp_path / "missing")))
    (tmp_path / "empty").mkdir()
    assert "model.json" in two_lines(ophtimus("models", "add", str(tmp_path / "empty")))
    (tmp_path / "text.gguf").write_text("no model")
    assert "GGUF" in two_lines(ophtimus("models", "add", str(tmp_path / "text.gguf")))
    assert not locations.models_folder().exists()


@pytest.mark.parametrize(
    "name",
    [
        "../eyes",
        "sub/eyes.gguf",
        "model.json",
        "store.json",
        "CON",
        "nul.txt",
        "a:b",
        "a ",
        ".",
        "tiny-q4_k_m.GGUF",
    ],
)
def test_a_file_name_that_is_unsafe_somewhere_is_refused(source: Path, name: str) -> None:
    model = read_model_folder(source)
    model.licences = [Licence(name="x", file=name)]
    write_model_folder(source, model)
    assert "names a file" in refused(source)


def test_links_and_missing_files_are_refused(source: Path) -> None:
    path = source / "LICENSE.txt"
    path.unlink()
    assert "missing" in refused(source)
    path.symlink_to("/etc/passwd")
    assert "is a link" in refused(source)
    path.unlink()
    os.mkfifo(path)
    assert "no file" in refused(source)
    path.unlink()
    path.write_text("a licence")
    assert not installing.add(source).already


@pytest.mark.parametrize(
    "name", ["demo", "Demo", "..", ".eyes", "a/b", "con", "eyes.", "x" * 65, "", "a\nb", "a b"]
)
def test_a_name_that_could_be_no_folder_is_refused(source: Path, name: str) -> None:
    model = read_model_folder(source)
    model.name = name
    write_model_folder(source, model)
    assert "names its model" in refused(source)


@pytest.mark.parametrize("name", ["eyes", "안과-8B", "Ophtimus-Llama-1B", "v1.2_x"])
def test_a_usual_name_is_kept_in_composed_letters(name: str) -> None:
    for form in ("NFC", "NFD"):
        assert checked_name(unicodedata.normalize(form, name), Path("x")) == name


def test_a_changed_file_is_not_added(source: Path) -> None:
    path = source / "tiny-Q4_K_M.gguf"
    flip(path, path.stat().st_size - 1)
    assert "damaged between" in refused(source)
    with path.open("ab") as file:
        file.write(b"more")
    assert "is not the file" in refused(source)


# Copies that are broken off


def test_a_damaged_chunk_is_named_and_a_sound_copy_goes_on(large: Callable[[int], Path]) -> None:
    source = large(3)
    path = source / "tiny-Q4_K_M.gguf"
    flip(path, 2 * CHUNK_BYTES + 5)
    assert f"between its bytes {2 * CHUNK_BYTES} and {3 * CHUNK_BYTES}" in refused(source)
    (left,) = inventory.unfinished()
    assert (left.name, left.size_bytes >= 2 * CHUNK_BYTES) == ("large", True)
    flip(path, 2 * CHUNK_BYTES + 5)
    added = installing.add(source)
    assert added.copied_bytes == CHUNK_BYTES + CHUNK_BYTES // 2
    assert store.sha256_of(added.folder / path.name) == added.description.levels[0].sha256
    assert inventory.unfinished() == []


def test_what_another_model_left_is_not_gone_on_with(large: Callable[[int], Path], source: Path) -> None:
    other = large(2)
    flip(other / "tiny-Q4_K_M.gguf", CHUNK_BYTES)
    refused(other)
    model = read_model_folder(source)
    model.name = "large"
    write_model_folder(source, model)
    added = installing.add(source)
    assert added.copied_bytes == sum(
        path.stat().st_size
        for path in added.folder.iterdir()
        if path.name not in {"store.json", "model.json"}
    )


@pytest.mark.parametrize("by_itself", [False, True])
def test_a_killed_copy_goes_on_and_copies_at_most_one_chunk_again(
    large: Callable[[int], Path], by_itself: bool, tmp_path: Path
) -> None:
    folder = large(24)
    path = folder / "tiny-Q4_K_M.gguf"
    named = path.rename(tmp_path / "large.gguf") if by_itself else folder
    size = (named if by_itself else path).stat().st_size
    words = [str(BIN / "ophtimus"), "models", "add", "--json", str(named)]
    part = locations.models_folder() / ".large.part" / "model" / ("large.gguf" if by_itself else path.name)
    moments = random.Random(17)
    kept = 0
    for _ in range(3):
        at = kept + moments.randrange(1, 6 * CHUNK_BYTES)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not (part.is_file() and part.stat().st_size >= at):
                time.sleep(0.0005)
            process.send_signal(signal.SIGKILL)
        if not part.is_file():
            break
        kept = part.stat().st_size
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    added = json.loads(result.stdout)
    assert kept > CHUNK_BYTES
    assert added["result"] == "added"
    assert added["copied_bytes"] <= size - kept + CHUNK_BYTES
    assert store.sha256_of(Path(added["folder"]) / part.name) == store.sha256_of(named if by_itself else path)
    assert all(not check.bad for check in inventory.verify(inventory.find("large")))


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    large: Callable[[int], Path], disk: Disk, home: Path, ophtimus: Command
) -> None:
    source = large(2)
    disk(home, 8)
    said = two_lines(ophtimus("models", "add", str(source)))
    assert "needs 11 MiB more" in said
    assert "8 MiB free" in said
    assert list(home.iterdir()) == []


def test_a_disk_that_fills_on_the_way_keeps_what_is_copied(
    large: Callable[[int], Path], disk: Disk, home: Path
) -> None:
    source = large(3)
    disk(home, 20)
    filler = home / "filler"

    def fill(done: int, _total: int, _file: str) -> None:
        if done >= 2 * CHUNK_BYTES and not filler.exists():
            with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(bytes(4096))
                    file.flush()

    with pytest.raises(FolderNotWritableError, match="No space left") as caught:
        installing.add(source, fill)
    assert "run the same command" in caught.value.hint
    assert store.installed() == []
    filler.unlink()
    added = installing.add(source)
    assert added.copied_bytes <= 2 * CHUNK_BYTES + CHUNK_BYTES // 2
    assert store.choose("large").level == "Q4_K_M"


def test_two_programs_do_not_copy_into_one_folder(large: Callable[[int], Path]) -> None:
    source = large(2)
    said: list[str] = []

    def meanwhile(_done: int, _total: int, _file: str) -> None:
        if not said:
            for other in (lambda: installing.add(source), lambda: inventory.remove("large")):
                with pytest.raises(FolderNotWritableError) as caught:
                    other()
                said.append(caught.value.message)

    assert not installing.add(source, meanwhile).already
    assert "by another program" in said[0]
    assert "is being copied" in said[1]


def test_an_unwritable_store_is_two_lines(source: Path, home: Path) -> None:
    # The child has another uid, since nothing is unwritable for root; that the denial is real is asserted.
    home.mkdir(mode=0o755)
    words = [str(BIN / "ophtimus"), "models", "add", str(source)]
    if os.geteuid() == 0:
        for place in (source, *source.parents):
            if place.stat().st_mode & 0o005 != 0o005 and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o055)
        for path in source.iterdir():
            if not path.is_symlink():
                path.chmod(0o644)
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
        probe = subprocess.run([*words[:4], "touch", str(home / "probe")], capture_output=True, check=False)
        assert probe.returncode != 0, "the folder is writable: this test proves nothing"
    else:
        home.chmod(0o555)
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "cannot be written" in two_lines(result)
    assert list(home.iterdir()) == []
    home.chmod(0o777)
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
