"""Faults of types and devices: float32 in silence, adapters in 16 bits, two programs that both place the weights."""

import inspect
import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from short_runs import trained
from transformers import AutoModelForCausalLM, AutoTokenizer

from ophtimus_edge.errors import BaseCheckpointError, DeviceError, TrainingError
from ophtimus_training import recipe as recipes
from ophtimus_training.recipe import InstructRecipe
from ophtimus_training.running import bases
from ophtimus_training.running.adapters import PROJECTIONS, adapted
from ophtimus_training.running.forecast import refuse_without_gpu
from ophtimus_training.running.learning import device_of

CPU = torch.device("cpu")


def recipe_of(*settings: str) -> InstructRecipe:
    recipe = recipes.load("demo-instruct", list(settings))
    assert isinstance(recipe, InstructRecipe)
    return recipe


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (("precision=bfloat16",), torch.bfloat16),
        (("precision=float32",), torch.float32),
        # Trained whole, small steps would vanish in 16 bits: they are computed under autocast instead.
        (("precision=bfloat16", "method=full"), torch.float32),
    ],
)
def test_a_base_loaded_as_float32_in_silence(
    tiny_checkpoint: Path, settings: tuple[str, ...], expected: torch.dtype
) -> None:
    model = bases.load(recipe_of(*settings), tiny_checkpoint, CPU)
    assert {one.dtype for one in model.parameters()} == {expected}


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_adapters_cast_to_bfloat16(tiny_checkpoint: Path, method: str) -> None:
    recipe = recipe_of("precision=bfloat16", f"method={method}")
    model = adapted(bases.load(recipe, tiny_checkpoint, CPU), recipe, "somewhere")
    trained_ones = {name: one.dtype for name, one in model.named_parameters() if one.requires_grad}
    assert set(trained_ones.values()) == {torch.float32}
    assert all("lora_" in name for name in trained_ones)
    assert any("magnitude" in name for name in trained_ones) == (method == "dora")
    assert {name.split(".")[-4] for name in trained_ones} == set(PROJECTIONS)
    lower = recipe_of("precision=bfloat16", "adapter_precision=bfloat16")
    model = adapted(bases.load(lower, tiny_checkpoint, CPU), lower, "somewhere")
    assert {one.dtype for one in model.parameters() if one.requires_grad} == {torch.bfloat16}


def test_qlora_holds_the_base_in_4_bits_and_its_adapter_in_float32(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    recipe = recipe_of("precision=bfloat16", "method=qlora")
    model = bases.load(recipe, tiny_checkpoint, CPU)
    settings = model.config.quantization_config
    assert settings.bnb_4bit_quant_type == "nf4"
    assert settings.bnb_4bit_use_double_quant
    assert settings.bnb_4bit_compute_dtype == torch.bfloat16
    matrix = model.model.layers[0].mlp.up_proj.weight
    assert matrix.dtype == torch.uint8
    assert matrix.numel() * 2 == 256 * 768
    model = adapted(model, recipe, "somewhere")
    before = matrix.detach().clone()
    outcome = trained(tmp_path, "precision=bfloat16", "steps=3", model=model)
    # trl's SFTTrainer makes these bfloat16 by itself.
    assert {one.dtype for one in outcome.trainer.model.parameters() if one.requires_grad} == {torch.float32}
    assert any(
        one.abs().sum() > 0 for name, one in outcome.trainer.model.named_parameters() if "lora_B" in name
    )
    assert torch.equal(matrix, before)


def test_bitsandbytes_is_imported_for_qlora_alone(tiny_checkpoint: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, torch; from pathlib import Path; from ophtimus_training import recipe as r;"
        "from ophtimus_training.running import bases, job, adapters;"
        "recipe, device = r.load('demo-instruct'), torch.device('cpu');"
        f"model = bases.load(recipe, Path({str(tiny_checkpoint)!r}), device);"
        "adapters.adapted(model, recipe, 'x'); print('bitsandbytes' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_deepspeed_with_a_device_map(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published script had both: only a base in 4 bits is placed by transformers, on this process's device."""
    given: list[dict[str, Any]] = []
    real = AutoModelForCausalLM.from_pretrained

    def noted(folder: Any, **settings: Any) -> Any:
        given.append(settings)
        return real(folder, **settings)

    monkeypatch.setattr(bases.AutoModelForCausalLM, "from_pretrained", noted)
    for method in ("full", "lora", "dora", "qlora"):
        bases.load(recipe_of(f"method={method}", "strategy=zero2"), tiny_checkpoint, CPU)
    assert [one.get("device_map") for one in given] == [None, None, None, {"": CPU}]
    assert {one["trust_remote_code"] for one in given} == {False}


def test_several_gpus_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers would take DataParallel; torchrun is asked for instead."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(TrainingError, match="2 GPUs") as caught:
        device_of()
    assert "torchrun" in caught.value.hint
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device_of() == torch.device("cuda", 1)
    monkeypatch.delenv("LOCAL_RANK")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_of() == torch.device("cuda", 0)


@pytest.mark.parametrize("settings", [["method=qlora"], ["base=meta-llama/Llama-3.1-8B-Instruct"]])
def test_a_recipe_that_needs_a_gpu_is_refused_without_one(tiny_checkpoint: Path, settings: list[str]) -> None:
    recipe = recipe_of(f"base={tiny_checkpoint}")
    refuse_without_gpu(recipe, CPU)
    with pytest.raises(DeviceError, match="no NVIDIA GPU"):
        refuse_without_gpu(recipe_of(f"base={tiny_checkpoint}", *settings), CPU)
    refuse_without_gpu(recipe_of(f"base={tiny_checkpoint}", *settings), torch.device("cuda", 0))


def test_new_tokens_that_crash_or_save_whole_embeddings(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Nothing here adds a token: no recipe can ask for it, and no embedding is trained or saved with an adapter."""
    keys = {
        key for kind in (recipes.InstructRecipe, recipes.ContinueRecipe) for key in kind.__struct_fields__
    }
    assert not {key for key in keys if "token" in key or "modules" in key}
    source = inspect.getsource(bases) + inspect.getsource(adapted)
    assert "resize_token_embeddings" not in source
    recipe = recipe_of("precision=float32")
    model = adapted(bases.load(recipe, tiny_checkpoint, CPU), recipe, str(tiny_checkpoint))
    model.save_pretrained(tmp_path, save_embedding_layers=False)
    saved = json.loads((tmp_path / "adapter_config.json").read_text())
    assert saved["trainable_token_indices"] is None
    assert saved["modules_to_save"] is None
    base = bases.load(recipe, tiny_checkpoint, CPU)
    again = peft.PeftModel.from_pretrained(base, tmp_path)  # the reload
    assert not any("embed" in name for name in peft.get_peft_model_state_dict(again))
    assert again.config.vocab_size == len(AutoTokenizer.from_pretrained(tiny_checkpoint))


def copied(source: Path, folder: Path) -> Path:
    import shutil

    shutil.copytree(source, folder)
    return folder


def test_a_base_that_cannot_be_trained_on_is_said(tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert bases.folder_of(str(tiny_checkpoint)) == tiny_checkpoint
    with pytest.raises(BaseCheckpointError, match="no base checkpoint"):
        bases.folder_of(str(tmp_path / "nowhere"))
    folder = copied(tiny_checkpoint, tmp_path / "quantized")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"quantization_config": {"quant_method": "gptq"}})
    )
    with pytest.raises(BaseCheckpointError, match=r"quantized \(gptq\)"):
        bases.folder_of(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(BaseCheckpointError, match="cannot be read"):
        bases.folder_of(str(folder))
    folder = copied(tiny_checkpoint, tmp_path / "empty")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BaseCheckpointError, match="no weights"):
        bases.folder_of(str(folder))
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(BaseCheckpointError, match="cannot be loaded"):
        bases.load(recipe_of(), folder, CPU)
    # Weights that are not in the file would be drawn at random, with a line in a log.
    weights = load_file(tiny_checkpoint / "model.safetensors")
    lacking = min(name for name in weights if "up_proj" in name)
    kept = {name: weight for name, weight in weights.items() if name != lacking}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BaseCheckpointError, match=f"lacks 1 weights, {lacking}"):
        bases.load(recipe_of(), folder, CPU)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(BaseCheckpointError, match="tokenizer"):
        bases.tokenizer_of(folder)


def test_the_optimizer_with_moments_of_8_bits_learns(tmp_path: Path) -> None:
    outcome = trained(tmp_path, "optimizer=adamw_8bit", "steps=4", "save_every=2")
    assert type(outcome.trainer.optimizer.optimizer).__name__ == "AdamW8bit"
    first, *_, last = [entry["loss"] for entry in outcome.trainer.state.log_history if "loss" in entry]
    assert last < first
