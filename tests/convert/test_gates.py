"""A sound conversion passes every gate; each way of breaking one is caught by the gate that is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conversions import converted, make_adapter

from ophtimus_convert import blueprint as blueprints
from ophtimus_convert import header as headers
from ophtimus_convert import passes, tensors
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.formats import ModelFolder

ALL = {"skip_gates": frozenset[str]()}


@pytest.fixture(scope="module")
def source(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose positions are scaled as Llama-3.2's are."""
    folder = tmp_path_factory.mktemp("scaled") / "source"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    config["rope_parameters"] = {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 256,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_sound_conversion_passes_every_gate(source: Path, tmp_path: Path) -> None:
    adapter = make_adapter(source, tmp_path / "adapter")
    model = converted(source, tmp_path / "out", "BF16", "Q4_K_M", adapter=adapter, **ALL)
    assert list(model.gates) == ["tokens", "template", "end", "rope", "logits", "answers"]
    assert all(result.startswith("passed: ") for result in model.gates.values()), model.gates


def broken(source: Path, out: Path, gate: str, *also: str) -> ModelFolder:
    with pytest.raises(ConversionError, match=f"the {gate} gate failed"):
        converted(source, out, "BF16", "Q4_K_M", **ALL)
    assert not out.exists()
    # What is known to be wrong can still be had, by name, and is marked.
    model = converted(source, out, "BF16", "Q4_K_M", skip_gates=frozenset({gate, *also}))
    assert model.gates[gate].startswith("skipped")
    return model


def test_rows_that_are_not_permuted(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "is_permuted", lambda _name: False)
    broken(source, tmp_path / "out", "logits")


def test_gate_and_up_swapped(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tensors._LAYER, "mlp.gate_proj", "ffn_up")
    monkeypatch.setitem(tensors._LAYER, "mlp.up_proj", "ffn_gate")
    broken(source, tmp_path / "out", "logits")


def test_rotary_factors_left_out(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blueprints, "rope_factors", lambda *_: None)
    broken(source, tmp_path / "out", "rope", "logits")  # 256 tokens are trained: it shows at once here


def test_another_pre_tokenizer(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "PRE_TOKENIZER", "gpt-2")
    broken(source, tmp_path / "out", "tokens")


def test_another_end_token(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = blueprints.read_vocabulary

    def other_end(*words: Any) -> Any:
        vocabulary = read(*words)
        return vocabulary._replace(eos=vocabulary.tokens.index("<|end_of_text|>"))

    monkeypatch.setattr(blueprints, "read_vocabulary", other_end)
    broken(source, tmp_path / "out", "end")


def test_what_cannot_be_compared_says_so(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(source, folder)
    (folder / "chat_template.jinja").unlink()
    model = converted(folder, tmp_path / "out", "Q4_K_M", **ALL)
    assert model.kind == "base"
    assert model.gates["template"] == "not run: the model has no chat template"
    assert model.gates["logits"].startswith("not run: no 16-bit level")
    assert model.gates["tokens"].startswith("passed")
    assert model.gates["answers"].startswith("passed")
