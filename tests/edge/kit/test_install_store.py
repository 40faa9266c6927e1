"""The models that a kit brought: in the store, opened by themselves, and changed by nobody."""

import json
import sys
from pathlib import Path

import msgspec
import pytest
from installing import Model, Order, make_kit

from ophtimus_edge import locations
from ophtimus_edge.cli import main
from ophtimus_edge.errors import UsageError
from ophtimus_edge.kit.installing.transfer import NOTHING_HELD, copy_files, wanted_files
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.manifest import MANIFEST, read_manifest
from ophtimus_edge.models import installing, inventory, store
from ophtimus_edge.models.formats import encode, read_model_folder


@pytest.fixture
def version(signing_key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a version that this program runs from, whose kit brought a model with two levels."""
    description = msgspec.structs.replace(
        read_model_folder(locations.demo_folder()), name="eyes", version="7"
    )
    names = [level.file for level in description.levels] + ["LICENSE", "README.md", "known_questions.jsonl"]
    names += [record.name for record in description.provenance]
    files = {name: (locations.demo_folder() / name).read_bytes() for name in names}
    files["model.json"] = encode(description)
    kit = make_kit(
        tmp_path / "kit", signing_key, Order("1.2.0", models={"eyes": Model(files)}, default_model="eyes")
    )
    data = (kit / MANIFEST).read_bytes().replace(b'"default_level": "Q4_K_M"', b'"default_level": "BF16"')
    folder = tmp_path / "program" / "versions" / "1.2.0"
    copy_files(wanted_files(read_manifest(data, MANIFEST)), kit, folder, NOTHING_HELD)
    (folder / MANIFEST).write_bytes(data)
    monkeypatch.setattr(sys, "prefix", str(folder / "venv"))
    return folder


def test_the_kits_model_is_the_one_that_is_opened_at_the_kits_level(version: Path) -> None:
    model = store.choose()
    assert (model.name, model.version, model.level) == ("eyes", "7", "BF16")
    assert model.path.is_relative_to(version)
    assert store.choose("eyes", "Q4_K_M").level == "Q4_K_M"
    assert store.choose("demo").name == "Ophtimus-Demo"
    assert store.default_model() == "eyes"


def test_without_a_kit_the_demonstration_model_is_opened() -> None:
    assert store.default_model() == "demo"
    assert store.choose().demonstration


def test_ask_answers_with_the_kits_model(version: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is glaucoma?", "--max-tokens", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "eyes"


def test_it_is_listed_as_the_kits_and_cannot_be_removed(
    version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list", "--json"]) == 0
    listed = {one["name"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert listed["eyes"]["signature"] == "from the installed kit"
    assert listed["eyes"]["kit"] == "eye-clinic 1.2.0"
    assert main(["models", "list"]) == 0
    seen = capsys.readouterr().out
    assert "from the installed kit eye-clinic 1.2.0, whose signature covers its hashes" in seen
    assert "unverified" not in seen
    with pytest.raises(UsageError, match="belongs to the installed kit"):
        inventory.remove("eyes")
    assert main(["models", "remove", "eyes"]) == 2
    assert (version / "models" / "eyes" / "model.json").is_file()


def test_it_is_verified_against_the_manifest_and_nothing_is_written(version: Path) -> None:
    folder = version / "models" / "eyes"
    before = sorted(folder.iterdir())
    assert {check.result for check in inventory.verify(inventory.find("eyes"))} == {"sound"}
    assert sorted(folder.iterdir()) == before
    # The model's own description would call it sound; the manifest does not.
    (folder / "README.md").write_text("changed")
    results = {check.file: check.result for check in inventory.verify(inventory.find("eyes"))}
    assert results.pop("README.md") == "differs"
    assert set(results.values()) == {"sound"}


def test_a_model_of_its_name_is_not_added_and_one_that_was_added_before_is_hidden_by_it(
    version: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for file in (version / "models" / "eyes").iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UsageError, match="the installed kit has a model named eyes"):
        installing.add(own)
    locations.models_folder().mkdir(parents=True)
    own.rename(locations.models_folder() / "eyes")
    assert store.choose("eyes").path.is_relative_to(version)
    assert [model.name for model in inventory.stored()] == ["demo", "eyes"]
    (locations.models_folder() / "eyes").rename(locations.models_folder() / "other")
    assert [(model.name, bool(model.kit)) for model in inventory.stored()] == [
        ("demo", False), ("eyes", True), ("other", False),
    ]  # fmt: skip


def test_a_damaged_manifest_costs_the_kits_models_and_not_the_others(version: Path) -> None:
    (version / MANIFEST).write_bytes(b"{")
    assert [model.name for model in inventory.stored()] == ["demo"]
    assert store.choose().demonstration
