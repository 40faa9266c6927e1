import hashlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import two_lines
from conftest import BIN, Command, Disk

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError, InvalidModelError, ModelNotFoundError, UsageError
from ophtimus_edge.models import installing, inventory, store
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Licence, read_model_folder, write_model_folder
from ophtimus_edge.models.incoming import checked_name


@pytest.fixture
def source(tiny_model: Path, tmp_path: Path) -> Path:
    """A model folder with a licence, a readme, and things that do not belong to it."""
    folder = tmp_path / "stick" / "eyes-7"
    shutil.copytree(tiny_model, folder)
    model = read_model_folder(folder)
    model.name, model.version = "eyes", "7"
    model.licences = [Licence(name="Llama-3.2", file="LICENSE.txt", notice="Built with Llama")]
    write_model_folder(folder, model)
    (folder / "LICENSE.txt").write_text("a licence")
    (folder / "NOTICE").write_text("a notice")
    (folder / "README.md").write_text("a readme")
    (folder / "patients.csv").write_text("must not travel")
    (folder / "loose.gguf").symlink_to("/etc/passwd")
    return folder


@pytest.fixture
def large(tiny_model: Path, tmp_path: Path) -> Callable[[int], Path]:
    """A model folder whose one file has so many chunks and a half: the tiny model, and random bytes behind it."""

    def make(chunks: int) -> Path:
        folder = tmp_path / "large"
        folder.mkdir()
        data = (tiny_model / "tiny-Q4_K_M.gguf").read_bytes()
        data += random.Random(3).randbytes(chunks * CHUNK_BYTES + CHUNK_BYTES // 2 - len(data))
        (folder / "tiny-Q4_K_M.gguf").write_bytes(data)
        model = read_model_folder(tiny_model)
        (level,) = (level for level in model.levels if level.level == "Q4_K_M")
        level.size_bytes, level.sha256 = len(data), hashlib.sha256(data).hexdigest()
        level.chunk_sha256 = [
            hashlib.sha256(data[at : at + CHUNK_BYTES]).hexdigest() for at in range(0, len(data), CHUNK_BYTES)
        ]
        model.name, model.levels = "large", [level]
        write_model_folder(folder, model)
        return folder

    return make


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def json_lines(result: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


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


def refused(source: Path) -> str:
    with pytest.raises(InvalidModelError) as caught:
        installing.add(source)
    assert caught.value.hint
    assert store.installed() == []
    return caught.value.message


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


# Listing and verifying


def test_the_list_shows_what_is_there(ophtimus: Command, source: Path) -> None:
    alone = ophtimus("models", "list")
    assert "built in" in alone.stdout
    assert "unverified" not in alone.stdout
    ophtimus("models", "add", str(source))
    shutil.copytree(source, locations.models_folder() / "by-hand", symlinks=True)
    (locations.models_folder() / "broken").mkdir()
    (locations.models_folder() / "broken" / "model.json").write_text("{")
    text = ophtimus("models", "list").stdout
    assert "unverified; hashes right on 20" in text
    assert "unverified; hashes never verified" in text
    assert "cannot be used" in text
    assert "unverified: no signature covers it" in text
    built_in, broken, by_hand, eyes = json_lines(ophtimus("models", "list", "--json"))
    assert (built_in["name"], built_in["signature"], built_in["demonstration"]) == ("demo", "built in", True)
    assert broken["error"]
    assert (by_hand["name"], by_hand["title"], by_hand["hashes_verified"]) == ("by-hand", "eyes", "")
    assert (eyes["signature"], eyes["damaged"]) == ("unverified", [])
    assert [level["level"] for level in eyes["levels"] if level["default"]] == ["Q4_K_M"]
    assert eyes["levels"][0]["size_bytes"] == (source / "tiny-BF16.gguf").stat().st_size


def test_verify_finds_every_sound_file_sound_and_notes_when(ophtimus: Command, source: Path) -> None:
    shutil.copytree(source, locations.models_folder() / "by-hand", symlinks=True)
    installing.add(source)
    result = ophtimus("models", "verify", "--json")
    assert result.returncode == 0, result.stderr
    checks = json_lines(result)
    assert {check["model"] for check in checks} == {"demo", "by-hand", "eyes"}
    results = {(check["model"], check["file"]): check["result"] for check in checks}
    assert results["eyes", "tiny-BF16.gguf"] == results["by-hand", "tiny-BF16.gguf"] == "sound"
    assert (results["eyes", "LICENSE.txt"], results["by-hand", "LICENSE.txt"]) == ("sound", "not hashed")
    assert set(results.values()) == {"sound", "not hashed"}
    (by_hand,) = (one for one in json_lines(ophtimus("models", "list", "--json")) if one["name"] == "by-hand")
    assert by_hand["hashes_verified"].startswith("20")


@pytest.mark.parametrize(
    "file", ["tiny-BF16.gguf", "tiny-Q4_K_M.gguf", "LICENSE.txt", "NOTICE", "model.json"]
)
def test_verify_names_a_file_with_one_flipped_bit(ophtimus: Command, source: Path, file: str) -> None:
    installing.add(source)
    path = locations.models_folder() / "eyes" / file
    # In model.json, inside a text, so that it can still be read.
    flip(path, path.read_bytes().find(b"ophthalmology") if file == "model.json" else path.stat().st_size // 2)
    result = ophtimus("models", "verify", "eyes")
    assert f"eyes/{file}" in two_lines(result)
    assert [line for line in result.stdout.splitlines() if "differs" in line] == [f"eyes/{file}  differs"]
    assert f"DAMAGED: {file}" in ophtimus("models", "list").stdout
    assert ophtimus("models", "verify", "demo").returncode == 0


def test_verify_names_missing_and_shortened_files(ophtimus: Command, source: Path) -> None:
    installing.add(source)
    folder = locations.models_folder() / "eyes"
    (folder / "tiny-BF16.gguf").unlink()
    (folder / "NOTICE").write_text("")
    result = ophtimus("models", "verify", "eyes", "--json")
    assert result.returncode == 1
    found = {check["file"]: check["result"] for check in json_lines(result)}
    assert (found["tiny-BF16.gguf"], found["NOTICE"], found["tiny-Q4_K_M.gguf"]) == (
        "missing",
        "differs",
        "sound",
    )
    assert "no model 'nothing'" in two_lines(ophtimus("models", "verify", "nothing"))


# Removing


def test_removing_needs_a_word_and_leaves_the_others(ophtimus: Command, source: Path) -> None:
    installing.add(source)
    shutil.copytree(locations.models_folder() / "eyes", locations.models_folder() / "other")
    assert "--yes" in two_lines(ophtimus("models", "remove", "eyes"), code=2)
    assert store.installed() == ["eyes", "other"]
    result = ophtimus("models", "remove", "eyes", "--yes")
    assert result.returncode == 0, result.stderr
    assert store.installed() == ["other"]
    assert [path.name for path in locations.models_folder().iterdir()] == ["other"]


@pytest.mark.parametrize(("said", "left"), [("n\n", ["eyes"]), ("\n", ["eyes"]), ("y\n", []), ("네\n", [])])
def test_at_a_terminal_it_asks(source: Path, said: str, left: list[str]) -> None:
    installing.add(source)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [str(BIN / "ophtimus"), "models", "remove", "eyes"],
        stdin=follower, stdout=follower, stderr=follower, env={**os.environ, "PYTHONUTF8": "1"},
    ) as process:  # fmt: skip
        os.close(follower)
        os.write(leader, said.encode())
        assert process.wait(timeout=60) == 0
    os.close(leader)
    assert store.installed() == left


def test_the_demonstration_stays(ophtimus: Command) -> None:
    assert "stays" in two_lines(ophtimus("models", "remove", "demo", "--yes"), code=2)
    assert store.choose().demonstration


@pytest.mark.parametrize("name", ["../keep", "..", ".", "", "/", "nothing"])
def test_what_is_no_model_is_not_removed(name: str, home: Path) -> None:
    locations.models_folder().mkdir(parents=True)
    (home / "keep").mkdir()
    (home / "keep" / "model.json").write_text("{}")
    with pytest.raises(ModelNotFoundError):
        inventory.remove(name)
    assert (home / "keep" / "model.json").exists()


def test_what_a_broken_copy_left_can_be_removed(ophtimus: Command, large: Callable[[int], Path]) -> None:
    source = large(2)
    flip(source / "tiny-Q4_K_M.gguf", CHUNK_BYTES)
    refused(source)
    assert "unfinished: 4.0 MiB" in ophtimus("models", "list").stdout
    assert ophtimus("models", "remove", "large", "--yes").returncode == 0
    assert list(locations.models_folder().iterdir()) == []


def test_a_link_in_the_store_goes_and_what_it_names_stays(source: Path) -> None:
    locations.models_folder().mkdir(parents=True)
    (locations.models_folder() / "linked").symlink_to(source)
    assert store.installed() == ["linked"]
    inventory.remove("linked")
    assert store.installed() == []
    assert (source / "model.json").is_file()
