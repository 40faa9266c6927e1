"""What cannot be merged right is refused by name, in pairs: the sound neighbour is merged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from adapters import configure, edit, train
from safetensors.torch import load_file, save_file

from ophtimus_edge.errors import AdapterError, BaseCheckpointError, OphtimusError
from ophtimus_training.merging.adapter import Adapter
from ophtimus_training.merging.base import Checkpoint
from ophtimus_training.merging.merge import merge


@pytest.fixture(scope="module")
def made(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tiny_checkpoint, tmp_path_factory.mktemp("made") / "adapter")[0]


@pytest.fixture
def adapter(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "adapter"))


@pytest.fixture
def base(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "base"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("init_lora_weights", "pissa"), ("init_lora_weights", "olora"), ("bias", "all"), ("lora_bias", True),
        ("layer_replication", [[0, 2]]), ("target_parameters", ["weight"]), ("alora_invocation_tokens", [1]),
        ("trainable_token_indices", [1, 2]), ("use_qalora", True), ("kasa_config", {"a": 1}), ("unheard_of", 1),
        ("peft_type", "LOHA"), ("lora_alpha", 0),
    ],
)  # fmt: skip
def test_a_key_that_is_not_merged_is_refused_by_name(adapter: Path, key: str, value: object) -> None:
    Adapter(adapter)
    configure(adapter, **{key: value})
    with pytest.raises(AdapterError, match="kind" if key == "peft_type" else key):
        Adapter(adapter)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("init_lora_weights", "gaussian"),
        ("lora_dropout", 0.5),
        ("revision", "main"),
        ("inference_mode", False),
    ],
)
def test_a_key_that_says_nothing_of_the_merge_is_let_through(
    adapter: Path, base: Path, key: str, value: object
) -> None:
    configure(adapter, **{key: value})
    assert Adapter(adapter).on(Checkpoint(base))


def _zero_b(adapter: Path) -> None:
    edit(adapter, lambda tensors: {
        name: torch.zeros_like(one) if "lora_B" in name else one for name, one in tensors.items()
    })  # fmt: skip


def _nan(adapter: Path) -> None:
    edit(
        adapter, lambda tensors: tensors | {next(iter(tensors)): next(iter(tensors.values())) * float("nan")}
    )


def _damaged(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def _pickle(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_zero_b, "does nothing"), (_nan, "NaN"), (_damaged, "damaged"), (_pickle, "pickle"),
        (lambda folder: (folder / "adapter_config.json").unlink(), "adapter_config.json is missing"),
    ],
)  # fmt: skip
def test_a_spoiled_adapter_is_refused(adapter: Path, spoil: Callable[[Path], None], word: str) -> None:
    Adapter(adapter)
    spoil(adapter)
    with pytest.raises(AdapterError, match=word) as caught:
        Adapter(adapter)
    assert caught.value.hint


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_of_another_base_is_refused(adapter: Path, base: Path, tmp_path: Path) -> None:
    assert Adapter(adapter).on(Checkpoint(base))
    # Of a wider base: the shapes differ. Of a base with more layers: a tensor has no place. Of one with fewer
    # modules trained than the configuration says: a tensor is missing.
    wide = Path(shutil.copytree(adapter, tmp_path / "wide"))
    edit(wide, lambda tensors: {
        name: torch.cat([one, one], dim=1) if "lora_A" in name else one for name, one in tensors.items()
    })  # fmt: skip
    more = Path(shutil.copytree(adapter, tmp_path / "more"))
    edit(more, lambda tensors: tensors | {
        name.replace("layers.1.", "layers.2."): one.clone() for name, one in tensors.items() if "layers.1." in name
    })  # fmt: skip
    fewer = Path(shutil.copytree(adapter, tmp_path / "fewer"))
    edit(fewer, lambda tensors: {name: one for name, one in tensors.items() if "layers.1.mlp.up" not in name})
    for folder in (wide, more, fewer):
        with pytest.raises(AdapterError, match="does not fit the base") as caught:
            Adapter(folder).on(Checkpoint(base))
        assert "--base" in caught.value.hint


def _quantized_by_config(base: Path) -> None:
    path = base / "config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"quantization_config": {"quant_method": "bitsandbytes"}})
    )


def _quantized_by_weights(base: Path) -> None:
    path = base / "model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.0.mlp.up_proj.weight"] = torch.zeros(64, 1, dtype=torch.uint8)
    save_file(tensors, path)


def _without_tensor(base: Path) -> None:
    path = base / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_quantized_by_config, "quantized"), (_quantized_by_weights, "quantized"),
        (_without_tensor, "layers.1.mlp.up_proj.weight is missing"),
        (lambda base: (base / "config.json").unlink(), "no base checkpoint"),
        (lambda base: (base / "model.safetensors").unlink(), "missing"),
        (lambda base: (base / "model.safetensors").write_bytes(b"short"), "cannot be read"),
        (lambda base: (base / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}'), "architecture"),
    ],
)  # fmt: skip
def test_a_base_that_cannot_be_merged_into_is_refused(
    base: Path, spoil: Callable[[Path], None], word: str
) -> None:
    assert Checkpoint(base)
    spoil(base)
    with pytest.raises(BaseCheckpointError, match=word) as caught:
        Checkpoint(base)
    assert caught.value.hint


def test_a_base_that_is_not_here_and_a_missing_tokenizer_are_said(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    def refused(name: str) -> OphtimusError:
        with pytest.raises(BaseCheckpointError) as caught:
            merge(adapter, tmp_path / "out", name, print, print)
        assert not (tmp_path / "out").exists()
        return caught.value

    assert "no base checkpoint" in refused(str(tmp_path / "nowhere")).message
    assert "meta-llama/Llama-3.1-8B-Instruct" in refused("meta-llama/Llama-3.1-8B-Instruct").message
    (base / "tokenizer.json").unlink()
    assert "tokenizer.json" in refused(str(base)).message
