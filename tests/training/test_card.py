"""What travels with a result: card, licences and provenance, and a conversion's link to them."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conversions import converted, make_adapter

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models.formats import read_model_folder, write_model_folder
from ophtimus_edge.models.incoming import read_incoming
from ophtimus_training.card import CardFacts, licence_of, write_card
from ophtimus_training.examples import SourceFile
from ophtimus_training.recipe import load

LLAMA = "meta-llama/Llama-3.2-1B-Instruct"


def facts(**more: Any) -> CardFacts:
    base: dict[str, Any] = {
        "name": "eyes",
        "kind": "adapter",
        "base": LLAMA,
        "base_folder": None,
        "recipe": msgspec.to_builtins(load("instruct-1b")),
        "data": [SourceFile("set/questions.jsonl", "ab" * 32, 12)],
        "evaluation_data": [SourceFile("set/held|out.jsonl", "cd" * 32, 3)],
        "results": {"loss": 0.5, "eval_letters": {"value": 0.6, "low": 0.5, "high": 0.7}},
        "notes": ["2 rows were left out."],
    }
    return CardFacts(**base | more)


def test_a_card_says_where_everything_is_from(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    write_card(tmp_path, facts())
    told = json.loads((tmp_path / "provenance.json").read_bytes())
    assert told["data"] == [{"name": "set/questions.jsonl", "sha256": "ab" * 32, "rows": 12}]
    assert told["recipe"]["learning_rate"] == 2e-4
    assert told["seed"] == told["recipe"]["seed"] == 42
    assert told["versions"]["torch"]
    assert told["results"]["eval_letters"]["low"] == 0.5
    (file,) = told["files"]
    assert file["sha256"] == hashlib.sha256(b"weights").hexdigest()
    card = (tmp_path / "README.md").read_text()
    for word in (
        "Built with Llama",
        LLAMA,
        "set/questions.jsonl",
        "held/out",
        "0.5 to 0.7",
        "2 rows were left out",
    ):
        assert word in card, word


def test_licences_travel_and_what_is_missing_is_said_not_invented(tmp_path: Path) -> None:
    base, whole, without = (tmp_path / name for name in ("base", "whole", "without"))
    for folder in (base, whole, without):
        folder.mkdir()
    missing = write_card(without, facts(base_folder=base))
    assert len(missing) == 2
    assert all("Llama 3.2 Community License" in sentence for sentence in missing)
    assert sorted(path.name for path in without.iterdir()) == ["README.md", "provenance.json"]
    assert "**Missing.**" in (without / "README.md").read_text()
    for name in ("LICENSE.txt", "NOTICE", "USE_POLICY.md"):
        (base / name).write_text(f"the {name}")
    (base / "licensed_words.txt").write_text("no licence")
    assert write_card(whole, facts(base_folder=base)) == []
    assert (whole / "LICENSE.txt").read_text() == "the LICENSE.txt"
    assert not (whole / "licensed_words.txt").exists()
    assert "**Missing.**" not in (whole / "README.md").read_text()


def test_a_licence_is_known_by_the_catalog_the_name_or_the_bases_own_record(tmp_path: Path) -> None:
    assert licence_of("BaekSeungJu/Ophtimus-8B-Base", None) == "Llama 3.1 Community License"
    assert licence_of("meta-llama/Llama-3.2-3B@main", None) == "Llama 3.2 Community License"
    assert licence_of("/models/mine", tmp_path) == ""
    write_card(tmp_path, facts())
    assert (
        licence_of("/models/mine", tmp_path) == "Llama 3.2 Community License"
    )  # trained from one that has it
    assert write_card(tmp_path, facts(base="", kind="checkpoint")) == []
    assert "Built with Llama" not in (tmp_path / "README.md").read_text()


def test_a_conversion_names_the_record_of_its_training(tiny_checkpoint: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tiny_checkpoint, tmp_path / "adapter")
    (adapter / "README.md").write_text("peft's own card, of which nothing is known")
    plain = converted(tiny_checkpoint, tmp_path / "plain", "Q8_0", adapter=adapter)
    assert plain.provenance == []
    assert not (tmp_path / "plain" / "TRAINING.md").exists()
    write_card(adapter, facts())
    out = tmp_path / "model"
    model = converted(tiny_checkpoint, out, "Q8_0", adapter=adapter)
    assert [file.name for file in model.provenance] == ["provenance.json", "TRAINING.md"]
    for file in read_model_folder(out).provenance:
        assert hashlib.sha256((out / file.name).read_bytes()).hexdigest() == file.sha256
    assert (out / "provenance.json").read_bytes() == (adapter / "provenance.json").read_bytes()
    assert {"provenance.json", "TRAINING.md"} <= read_incoming(out).files.keys()  # into a store, and a kit
    # Another level joins the folder, which keeps what it says of its training.
    again = converted(tiny_checkpoint, out, "Q4_K_M", adapter=adapter)
    assert again.provenance == model.provenance


def test_a_model_folder_without_the_field_is_read_and_a_path_in_it_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(tiny_model, folder)
    old = json.loads((folder / "model.json").read_bytes())
    del old["provenance"]
    (folder / "model.json").write_text(json.dumps(old))
    model = read_model_folder(folder)
    assert model.provenance == []
    model.provenance = [msgspec.structs.replace(model.source.files[0], name="../elsewhere")]
    write_model_folder(folder, model)
    with pytest.raises(InvalidModelError, match="outside its folder"):
        read_model_folder(folder)
