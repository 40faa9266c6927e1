"""Merges are peft's own, proven by their logits, and appear whole or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from adapters import PROJECTIONS, load, train
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from ophtimus_edge.errors import MergeGateError, UsageError
from ophtimus_training.cli import main
from ophtimus_training.merging import writing
from ophtimus_training.merging.adapter import Adapter
from ophtimus_training.merging.base import EMBEDDING, HEAD, Checkpoint
from ophtimus_training.merging.gate import Finding, compare, held_out_prompts
from ophtimus_training.merging.merge import merge
from ophtimus_training.merging.nf4 import as_nf4, values

KINDS: dict[str, dict[str, Any]] = {
    "lora": {},
    "patterns": {"use_rslora": True, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {"k_proj": 3}},
    "dora": {"use_dora": True},
    "head": {"target_modules": [*PROJECTIONS, "lm_head"]},
    "embedding": {"target_modules": [*PROJECTIONS, "embed_tokens"]},
    "saved": {"modules_to_save": ["lm_head"]},
}


def silent(*_: object) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def bases(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The tiny checkpoint, whose embeddings are tied, and one with an output layer of its own."""
    untied = tmp_path_factory.mktemp("untied") / "base"
    shutil.copytree(tiny_checkpoint, untied)
    tensors = load_file(untied / "model.safetensors")
    torch.manual_seed(8)
    tensors[HEAD] = (
        tensors[EMBEDDING].float() + 0.02 * torch.randn_like(tensors[EMBEDDING].float())
    ).bfloat16()
    save_file(tensors, untied / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((untied / "config.json").read_text())
    (untied / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    return {True: tiny_checkpoint, False: untied}


@pytest.fixture
def adapter(bases: dict[bool, Path], tmp_path: Path) -> Path:
    return train(bases[True], tmp_path / "adapter")[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_merge_is_pefts_own(kind: str, tied: bool, bases: dict[bool, Path], tmp_path: Path) -> None:
    folder, logits = train(bases[tied], tmp_path / "adapter", **KINDS[kind])
    out = tmp_path / "merged"
    found = merge(folder, out, str(bases[tied]), silent, silent)
    assert found.merged <= 1.5 * found.rounding < 0.1 * found.adapter
    from adapters import QUESTION

    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    assert model.config.tie_word_embeddings == (tied and kind in {"lora", "patterns", "dora"})
    with torch.no_grad():
        ours = model(QUESTION).logits[0]
    # Rounding to bfloat16 is all that may differ: two orders of magnitude below what the adapter does.
    assert (ours - logits).square().mean().sqrt() < 0.02 * logits.std()
    if kind in {"lora", "patterns", "dora"}:
        plain = PeftModel.from_pretrained(load(bases[tied]), folder).merge_and_unload()
        theirs = {name: weight.to(torch.bfloat16) for name, weight in plain.state_dict().items()}
        for name, weight in load_file(out / "model.safetensors").items():
            assert torch.equal(weight, theirs[name]), name
    AutoTokenizer.from_pretrained(out)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_gate_refuses_what_was_merged_wrong(
    adapter: Path, bases: dict[bool, Path], tmp_path: Path
) -> None:
    base, out = Checkpoint(bases[True]), tmp_path / "part"
    out.mkdir()
    model = Adapter(adapter).on(base)
    merged = writing.write_merged(model, base, out, silent)
    shutil.copyfile(base.folder / "config.json", out / "config.json")
    prompts = held_out_prompts(AutoTokenizer.from_pretrained(bases[True]))

    def compared() -> Finding:
        return compare(model, base, out, merged.changed, prompts, False, silent)

    assert compared().same_top > 0.95
    sound = load_file(out / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    for wrong in (
        {name: base.tensor(name)},  # one of fourteen modules left out
        {key: (base.tensor(key).float() + 1.1 * (sound[key].float() - base.tensor(key).float())).bfloat16()
         for key in merged.changed},  # a scale that is a tenth too large
    ):  # fmt: skip
        save_file(sound | wrong, out / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(MergeGateError, match="At most 3 times"):
            compared()
    save_file(sound, out / "model.safetensors", metadata={"format": "pt"})
    assert compared()


def test_a_stopped_merge_goes_on_with_its_shards_and_ends_the_same(
    adapter: Path, bases: dict[bool, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(adapter, tmp_path / "whole", str(bases[True]), silent, silent)
    monkeypatch.setattr(writing, "_SHARD_BYTES", 1 << 20)
    out, part = tmp_path / "merged", tmp_path / ".merged.part"

    def stopped(step: str, _: str, done: int, total: int) -> None:
        if step == "merge" and done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(adapter, out, str(bases[True]), silent, stopped)
    finished = {path.name: path.stat().st_mtime_ns for path in part.glob("*.safetensors")}
    assert finished
    assert not out.exists()
    merge(adapter, out, str(bases[True]), silent, silent)
    assert (
        finished.items() <= {path.name: path.stat().st_mtime_ns for path in out.glob("*.safetensors")}.items()
    )
    assert not part.exists()
    shards = {name: one for path in out.glob("*.safetensors") for name, one in load_file(path).items()}
    for name, weight in load_file(tmp_path / "whole" / "model.safetensors").items():
        assert torch.equal(weight, shards[name])
    assert AutoModelForCausalLM.from_pretrained(out) is not None  # its index names them all


def test_shards_of_another_adapter_are_not_kept(
    adapter: Path, bases: dict[bool, Path], tmp_path: Path
) -> None:
    part = tmp_path / ".merged.part"
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"of another merge")
    merge(adapter, tmp_path / "merged", str(bases[True]), silent, silent)
    assert load_file(tmp_path / "merged" / "model.safetensors")


def test_an_adapter_from_a_4_bit_base_is_said_and_measured(
    adapter: Path, bases: dict[bool, Path], tmp_path: Path
) -> None:
    said: list[str] = []
    (adapter / "recipe.json").write_text(json.dumps({"recipe": {"method": "lora", "seed": 3}}))
    assert merge(adapter, tmp_path / "plain", str(bases[True]), said.append, silent).four_bits is None
    assert not any("4 bits" in sentence for sentence in said)
    (adapter / "recipe.json").write_text(json.dumps({"recipe": {"method": "qlora", "seed": 3}}))
    found = merge(adapter, tmp_path / "four", str(bases[True]), said.append, silent)
    assert any("4 bits" in sentence for sentence in said)
    assert found.four_bits is not None
    assert found.four_bits > 3 * found.merged  # quantization moves logits more than rounding does
    assert "4 bits" in found.words


def test_nf4_is_that_of_the_paper() -> None:
    stated = [-1.0, -0.69619280, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0, 0.07958030,
              0.16093020, 0.24611230, 0.33791524, 0.44070983, 0.56261700, 0.72295684, 1.0]  # fmt: skip
    torch.testing.assert_close(values(), torch.tensor(stated), rtol=0, atol=2e-6)
    torch.manual_seed(1)
    weight = torch.randn(48, 72)
    held = as_nf4(weight)
    assert held.shape == weight.shape
    assert len(held.flatten()[:64].unique()) <= 16
    assert torch.equal(as_nf4(held), held)  # what is on the grid stays there
    assert (held - weight).square().mean().sqrt() / weight.std() == pytest.approx(0.09, abs=0.02)


def test_the_command_merges_by_folder_or_recipe(
    adapter: Path, bases: dict[bool, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (adapter / "adapter_config.json").write_text(
        json.dumps(json.loads((adapter / "adapter_config.json").read_text())
                   | {"base_model_name_or_path": str(bases[True])})
    )  # fmt: skip
    assert main(["merge", str(adapter), "-o", str(tmp_path / "one")]) == 0
    told = capsys.readouterr()
    assert "rounding alone" in told.out
    recipe = ["merge", "demo-instruct", "--set", f"base={bases[True]}", "-o", str(tmp_path / "two")]
    assert main(recipe) == 2
    assert "--adapter" in capsys.readouterr().err
    assert main([*recipe, "--adapter", str(adapter)]) == 0
    one, two = (tmp_path / name / "model.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert main(["merge", str(adapter), "-o", str(tmp_path / "one")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing(
    adapter: Path, bases: dict[bool, Path], disk: Any, tmp_path: Path
) -> None:
    small = disk(tmp_path / "small", 1)
    with pytest.raises(UsageError) as caught:
        merge(adapter, small / "merged", str(bases[True]), silent, silent)
    assert caught.value.hint
    assert list(small.iterdir()) == []
    large = disk(tmp_path / "large", 64)
    assert merge(adapter, large / "merged", str(bases[True]), silent, silent)
