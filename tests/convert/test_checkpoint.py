"""Checkpoints that cannot be converted are refused by name; their sound neighbours are not."""

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from conversions import converted
from safetensors.torch import load_file, save_file

from ophtimus_convert.blueprint import draw
from ophtimus_convert.checkpoint import Checkpoint
from ophtimus_edge.errors import ConversionError


@pytest.fixture
def source(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; it is sound before."""
    folder = tmp_path / "source"
    shutil.copytree(tiny_checkpoint, folder)
    assert draw(folder, None, None, None, "tiny").tensors
    return folder


def configure(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def rewrite(folder: Path, change: dict[str, torch.Tensor | None]) -> None:
    tensors = {**load_file(folder / "model.safetensors"), **change}
    save_file(
        {name: tensor for name, tensor in tensors.items() if tensor is not None}, folder / "model.safetensors"
    )


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ConversionError, match=match):
        draw(folder, None, None, None, "tiny")


def test_a_folder_without_config_or_weights(tmp_path: Path, source: Path) -> None:
    refused(tmp_path, r"no config\.json")
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    refused(source, r"pytorch_model\.bin is a pickle")
    (source / "pytorch_model.bin").unlink()
    refused(source, r"no \.safetensors")


def test_another_architecture(source: Path) -> None:
    configure(source, architectures=["GemmaForCausalLM"])
    refused(source, "GemmaForCausalLM")


def test_a_file_that_is_cut_short(source: Path) -> None:
    data = (source / "model.safetensors").read_bytes()
    (source / "model.safetensors").write_bytes(data[:-100])
    refused(source, r"model\.safetensors is damaged")
    (source / "model.safetensors").write_bytes(data)
    assert Checkpoint(source).type == "BF16"


@pytest.mark.parametrize("lie", ["beyond", "overlap", "negative", "length"])
def test_a_header_that_lies_about_offsets(source: Path, lie: str) -> None:
    path = source / "model.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    name = next(key for key in header if key != "__metadata__")
    start, stop = header[name]["data_offsets"]
    header[name]["data_offsets"] = {
        "beyond": [start + 10**12, stop + 10**12],
        "overlap": [start + 2, stop + 2],
        "negative": [-2, stop],
        "length": [start, stop],
    }[lie]
    text = json.dumps(header).encode().ljust(length)
    path.write_bytes(struct.pack("<Q", 1 << 50 if lie == "length" else len(text)) + text + data[8 + length :])
    refused(source, r"model\.safetensors is damaged")


def test_shapes_that_contradict_the_configuration(source: Path) -> None:
    name = "model.layers.0.mlp.gate_proj.weight"
    tensor = load_file(source / "model.safetensors")[name]
    rewrite(source, {name: tensor[:-1].contiguous()})
    refused(source, r"layers\.0\.mlp\.gate_proj\.weight has the shape")


def test_tensors_that_are_missing_or_too_many(source: Path) -> None:
    name = "model.layers.1.self_attn.v_proj.weight"
    tensor = load_file(source / "model.safetensors")[name]
    rewrite(source, {name: None})
    refused(source, r"lacks model\.layers\.1\.self_attn\.v_proj\.weight")
    rewrite(source, {name: tensor, "model.layers.1.self_attn.v_proj.bias": torch.zeros(tensor.shape[0])})
    refused(source, r"v_proj\.bias")
    rewrite(source, {"model.layers.1.self_attn.v_proj.bias": None, "model.layers.0.self_attn.rotary_emb.inv_freq":
                     torch.ones(32)})  # fmt: skip
    assert len(draw(source, None, None, None, "tiny").tensors) == 20


def test_a_redundant_output_layer_is_left_out_only_where_it_is_equal(source: Path, tmp_path: Path) -> None:
    plain = converted(source, tmp_path / "plain", "Q4_K_M")
    embedding = load_file(source / "model.safetensors")["model.embed_tokens.weight"]
    rewrite(source, {"lm_head.weight": embedding.clone()})
    blueprint = draw(source, None, None, None, "tiny")
    assert any("lm_head.weight repeats" in note for note in blueprint.notes)
    assert converted(source, tmp_path / "again", "Q4_K_M").levels[0].sha256 == plain.levels[0].sha256
    other = embedding.clone()
    other[5, 5] += 1
    rewrite(source, {"lm_head.weight": other})
    refused(source, r"lm_head\.weight differs")
    configure(source, tie_word_embeddings=False)
    assert "output.weight" in draw(source, None, None, None, "tiny").tensors


def test_a_stale_quantization_config_is_ignored_and_packed_weights_are_refused(source: Path) -> None:
    configure(source, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    assert any("quantization_config" in note for note in draw(source, None, None, None, "tiny").notes)
    name = "model.layers.0.mlp.up_proj.weight"
    rewrite(source, {name: torch.zeros(100, 1, dtype=torch.uint8), f"{name}.absmax": torch.zeros(10)})
    refused(source, "quantized already .*bitsandbytes")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 0),
        ("hidden_size", "256"),
        ("rms_norm_eps", float("inf")),
        ("num_key_value_heads", 3),
        ("rope_parameters", {"rope_type": "yarn"}),
    ],
)
def test_numbers_that_cannot_be(source: Path, key: str, value: object) -> None:
    configure(source, **{key: value})
    with pytest.raises(ConversionError):
        draw(source, None, None, None, "tiny")


def test_the_source_may_not_lie_in_the_output(source: Path, tmp_path: Path) -> None:
    for out in (source, tmp_path):
        with pytest.raises(ConversionError, match="inside the output"):
            converted(source, out, "Q8_0")
    assert converted(source, tmp_path / "beside", "Q8_0").levels


def test_what_is_not_clear_is_refused(source: Path) -> None:
    configure(source, tie_word_embeddings=False)
    refused(source, r"not tied, and has no lm_head\.weight")
    configure(source, tie_word_embeddings=True, hidden_act="gelu")
    refused(source, "hidden_act is 'gelu'")
    configure(source, hidden_act="silu")
    assert Checkpoint(source).tied
    (source / "model.safetensors.index.json").write_text("{}")
    refused(source, "which one is the model")
    (source / "model.safetensors.index.json").unlink()
    shutil.copyfile(source / "model.safetensors", source / "one.safetensors")
    assert Checkpoint(source).files == [source / "model.safetensors"]
    (source / "model.safetensors").rename(source / "two.safetensors")
    refused(source, r"twice, in one\.safetensors and two\.safetensors")
