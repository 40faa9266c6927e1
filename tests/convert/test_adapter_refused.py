"""Adapters that would not be merged right are refused by name, each beside a sound one."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapters import HIDDEN, PROJECTIONS, VOCABULARY, configure, edit, fitted, train, without
from peft import LoraConfig

from ophtimus_convert.adapter import Adapter
from ophtimus_convert.adapter_config import DECIDED_KEYS, read_adapter_config
from ophtimus_edge.errors import AdapterError


def test_every_key_of_pefts_configuration_is_decided() -> None:
    """A new release of peft fails here: read what its new keys do, and merge them or refuse them."""
    assert {field.name for field in dataclasses.fields(LoraConfig)} - DECIDED_KEYS == set()


@pytest.fixture(scope="module")
def sound(bases: dict[bool, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that every refusal is a small step from."""
    return train(bases[False], tmp_path_factory.mktemp("sound") / "adapter")[0]


@pytest.fixture
def near(sound: Path, bases: dict[bool, Path], tmp_path: Path) -> Path:
    folder = tmp_path / "near"
    shutil.copytree(sound, folder)
    fitted(folder, bases[False], tied=False)
    return folder


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alora_invocation_tokens", [1, 2]), ("arrow_config", {"top_k": 3}), ("bias", "all"),
        ("bias", "lora_only"), ("corda_config", {"corda_method": "ipm"}), ("kasa_config", {"beta": 1}),
        ("layer_replication", [[0, 1]]), ("loftq_config", {"loftq_bits": 4}), ("lora_bias", True),
        ("lora_ga_config", {"scale": "stable"}), ("megatron_config", {"a": 1}),
        ("monteclora_config", {"num_samples": 8}), ("target_parameters", ["experts.up_proj"]),
        ("use_bdlora", {"nblocks": 2}), ("use_qalora", True), ("velora_config", {"num_groups": 64}),
        ("a_key_of_the_future", 1), ("a_key_of_the_future", 0), ("a_key_of_the_future", "none"),
        ("r", 0), ("r", "8"), ("r", True), ("r", None), ("lora_alpha", None), ("lora_alpha", 0),
        ("lora_alpha", float("inf")), ("lora_alpha", float("nan")), ("alpha_pattern", {"q_proj": 0}),
        ("rank_pattern", {"(": 8}), ("rank_pattern", {"q_proj": 1.5}), ("modules_to_save", "norm"),
        ("trainable_token_indices", [-1]), ("use_rslora", "yes"), ("target_modules", "(q_proj"),
    ],
    ids=str,
)  # fmt: skip
def test_a_configuration_that_is_not_merged_is_refused_by_its_key(
    near: Path, key: str, value: object
) -> None:
    configure(near, **{key: value})
    with pytest.raises(AdapterError, match=key) as refusal:
        Adapter(near)
    assert refusal.value.hint


@pytest.mark.parametrize(
    "start",
    ["pissa", "pissa_niter_16", "olora", "OLoRA", "corda", "loftq", "lora_ga", "mica", "Mica", "tomorrow"],
)
def test_a_start_that_is_not_merged_is_refused_by_its_name(near: Path, start: str) -> None:
    configure(near, init_lora_weights=start)
    with pytest.raises(AdapterError, match=start):
        Adapter(near)
    for harmless in (True, False, "gaussian", "eva", "orthogonal"):
        configure(near, init_lora_weights=harmless)
        Adapter(near)


@pytest.mark.parametrize("kind", ["LOHA", "ADALORA", "IA3", "TRAINABLE_TOKENS", None])
def test_another_type_of_adapter_is_refused_by_its_name(near: Path, kind: str | None) -> None:
    configure(near, peft_type=kind)
    with pytest.raises(AdapterError, match=str(kind)):
        Adapter(near)


def test_keys_that_say_nothing_change_nothing(near: Path) -> None:
    nothing = {
        "kasa_config": None, "use_qalora": False, "target_parameters": [], "loftq_config": {}, "enable_lora": None,
        "lora_dropout": 0.3, "qalora_group_size": 32, "revision": "main", "task_type": "SEQ_CLS", "use_dora": None,
        "rank_pattern": None, "alpha_pattern": None, "peft_version": "0.99", "runtime_config": {"a": True},
    }  # fmt: skip
    before = read_adapter_config(near)
    configure(near, **nothing)
    assert read_adapter_config(near) == before


def test_a_configuration_that_cannot_be_read_is_refused(near: Path) -> None:
    for text in ("{", "[]", "\xff", "[" * 100_000):
        (near / "adapter_config.json").write_text(text, encoding="latin-1")
        with pytest.raises(AdapterError, match=r"adapter_config\.json"):
            Adapter(near)
    (near / "adapter_config.json").unlink()
    with pytest.raises(AdapterError, match=r"adapter_config\.json"):
        Adapter(near)


KEY = "base_model.model.model.layers.0.self_attn.q_proj"
A, B = f"{KEY}.lora_A.weight", f"{KEY}.lora_B.weight"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: {key: value for key, value in t.items() if key != B}, "q_proj.lora_A"),
        (lambda t: {**t, B: t[B][:, :4].clone()}, "rank 8"),
        (lambda t: {**t, A: t[A][:, :32].clone()}, "another base"),
        (lambda t: {**t, B: t[B][:32].clone()}, r"q_proj.lora_B.*\[32, 8\]"),
        (lambda t: {**t, B: torch.empty(0)}, "lora_B"),
        (lambda t: {**t, B: t[B].double()}, "F64"),
        (lambda t: {**t, f"{KEY}.lora_B.bias": torch.ones(HIDDEN)}, r"lora_B\.bias"),
        (lambda t: {**t, f"{KEY}.bias": torch.ones(HIDDEN)}, r"q_proj\.bias"),
        (lambda t: {**t, f"{KEY}.lora_diag": torch.ones(8)}, "lora_diag"),
        (lambda t: {**t, f"{KEY}.weight": torch.ones(HIDDEN, HIDDEN)}, r"q_proj\.weight"),
        (lambda t: {**t, f"{KEY}.base_layer.weight": torch.ones(HIDDEN, HIDDEN)}, "base_layer"),
        (lambda t: {**t, f"{KEY}.lora_magnitude_vector": torch.ones(HIDDEN)}, "lora_magnitude_vector"),
        (lambda t: {**t, "base_model.model.model.norm.weight": torch.ones(HIDDEN)}, r"modules_to_save.*norm\.weight"),
        (lambda t: {**t, "surplus": torch.ones(1)}, "surplus"),
        (lambda t: {**t, A.replace("lora_A", "lora_A.default"): t[A].clone()}, "twice"),
        (lambda t: {key.replace("layers.1.", "layers.7."): value for key, value in t.items()}, r"layers\.7\."),
        (lambda t: {key: value for key, value in t.items() if "layers.1." not in key}, r"target_modules.*layers\.1"),
        (lambda t: {key: torch.zeros_like(value) if "lora_B" in key else value for key, value in t.items()}, "zero"),
        (lambda t: {**t, A: torch.full_like(t[A], float("nan"))}, r"q_proj\.lora_A.*NaN"),
        (lambda t: {**t, B: torch.full_like(t[B], float("inf"))}, r"q_proj\.lora_B.*infinity"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused_by_name(
    near: Path,
    bases: dict[bool, Path],
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    named: str,
) -> None:
    edit(near, change)
    with pytest.raises(AdapterError, match=named):
        fitted(near, bases[False], tied=False)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ({"modules_to_save": ["norm"]}, "modules_to_save"), ({"trainable_token_indices": [3]}, "token_indices"),
        ({"use_dora": True}, "use_dora"), ({"r": 4}, "rank 4"), ({"rank_pattern": {"k_proj": 4}}, "rank 4"),
        ({"target_modules": [*PROJECTIONS, "lm_head"]}, "lm_head"),
    ],
    ids=str,
)  # fmt: skip
def test_a_configuration_of_other_tensors_is_refused(
    near: Path, bases: dict[bool, Path], words: dict[str, object], key: str
) -> None:
    configure(near, **words)
    with pytest.raises(AdapterError, match=key):
        fitted(near, bases[False], tied=False)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ({"use_dora": True, "target_modules": ["embed_tokens"]}, "use_dora"),
        ({"trainable_token_indices": [3], "target_modules": ["lm_head"]}, "trainable_token_indices"),
    ],
    ids=["dora of the embedding", "rows of what is adapted too"],
)
def test_what_peft_can_train_and_is_not_merged_is_refused(
    bases: dict[bool, Path], tmp_path: Path, words: dict[str, Any], key: str
) -> None:
    folder, _ = train(bases[True], tmp_path / "adapter", **words)
    with pytest.raises(AdapterError, match=key):
        fitted(folder, bases[True], tied=True)


def test_patterns_whose_order_decides_are_refused(bases: dict[bool, Path], tmp_path: Path) -> None:
    """The file holds them sorted: peft itself loads such an adapter with another scale than it trained with."""
    patterns = {"q_proj": 32, "layers.0.self_attn.q_proj": 4}
    folder, _ = train(bases[False], tmp_path / "adapter", alpha_pattern=patterns)
    with pytest.raises(AdapterError, match="alpha_pattern"):
        fitted(folder, bases[False], tied=False)
    configure(folder, alpha_pattern={"q_proj": 32, "layers.0.self_attn.q_proj": 32})
    fitted(folder, bases[False], tied=False)


def test_a_resized_vocabulary_that_was_not_saved_is_refused(bases: dict[bool, Path], tmp_path: Path) -> None:
    rows = VOCABULARY + 2
    folder, _ = train(bases[False], tmp_path / "one", rows=rows, target_modules=["embed_tokens", "q_proj"])
    with pytest.raises(AdapterError, match=r"lm_head\.weight 320.*save_embedding_layers"):
        fitted(folder, bases[False], tied=False)
    words: dict[str, Any] = {"target_modules": ["q_proj"], "trainable_token_indices": [rows - 1]}
    folder, _ = train(bases[False], tmp_path / "rows", rows=rows, **words)
    without(folder, "base_layer", "lm_head")
    with pytest.raises(AdapterError, match=r"trainable_token_indices holds 321.*320 rows"):
        fitted(folder, bases[False], tied=False)
    folder, _ = train(bases[False], tmp_path / "both", rows=rows, target_modules=["embed_tokens", "lm_head"])
    fitted(folder, bases[False], tied=False)
    without(folder, "base_layer")
    with pytest.raises(AdapterError, match=r"lm_head\.lora_B.* .*322.*save_embedding_layers"):
        fitted(folder, bases[False], tied=False)


def test_rows_that_disagree_with_the_configuration_are_refused(
    bases: dict[bool, Path], tmp_path: Path
) -> None:
    folder, _ = train(bases[False], tmp_path / "adapter", trainable_token_indices=[299, 7])
    fitted(folder, bases[False], tied=False)
    for rows in ([299], [7, 7], [1, 2, 3], None):
        configure(folder, trainable_token_indices=rows)
        with pytest.raises(AdapterError, match="trainable_token_indices"):
            fitted(folder, bases[False], tied=False)


def test_dora_does_not_divide_by_zero(bases: dict[bool, Path], tmp_path: Path) -> None:
    folder, _ = train(bases[False], tmp_path / "adapter", use_dora=True)
    edit(folder, lambda tensors: {
        key: torch.zeros_like(value) if key == B else value for key, value in tensors.items()
    })  # fmt: skip
    adapter, _ = fitted(folder, bases[False], tied=False)
    base = np.ones((4, HIDDEN), np.float32)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert np.isfinite(adapter.merge_rows(name, base, 8, 12)).all()
    base[2] = 0
    with pytest.raises(AdapterError, match="row 10 "):
        adapter.merge_rows(name, base, 8, 12)
    with pytest.raises(AdapterError, match="lacks rows 8 to 12"):
        adapter.merge_rows(name, base[:3], 8, 12)


def test_only_safetensors_are_read(near: Path) -> None:
    path = near / "adapter_model.safetensors"
    data = path.read_bytes()
    for damaged in (data[:-5], data[:100], b"", b"\xff" * 8 + data[8:], data + b"more"):
        path.write_bytes(damaged)
        with pytest.raises(AdapterError, match="damaged"):
            Adapter(near)
    path.write_bytes(data)
    adapter = Adapter(near)
    path.write_bytes(data[:-5])
    with pytest.raises(AdapterError, match="ends within"):
        adapter.check_finite()
    path.rename(near / "adapter_model.bin")
    with pytest.raises(AdapterError, match=r"adapter_model\.bin is a pickle"):
        Adapter(near)


def test_what_a_person_should_know_is_said(near: Path, bases: dict[bool, Path]) -> None:
    adapter = Adapter(near)
    assert adapter.files == [near / "adapter_config.json", near / "adapter_model.safetensors"]
    adapter.compare_base(str(bases[False]))
    assert adapter.notes == []
    adapter.compare_base("meta-llama/Llama-3.2-1B")
    assert "Llama-3.2-1B" in adapter.notes[0]
    for base in ("unsloth/llama-3-8b-bnb-4bit", "someone/Llama-3-8B-AWQ"):
        configure(near, base_model_name_or_path=base, fan_in_fan_out=True)
        notes = Adapter(near).notes
        assert base in notes[0]
        assert "16-bit" in notes[0]
        assert "fan_in_fan_out" in notes[1]
    configure(near, base_model_name_or_path="meta-llama/Llama-3.2-1B-Instruct", fan_in_fan_out=False)
    assert Adapter(near).notes == []
