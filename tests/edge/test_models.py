import os
import pty
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import two_lines
from conftest import BIN, Command
from stored_models import flip, json_lines, refused

from ophtimus_edge import locations
from ophtimus_edge.errors import ModelNotFoundError
from ophtimus_edge.models import installing, inventory, store
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES

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
