"""Small checkpoints, and adapters on them that peft itself made."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from ophtimus_convert.adapter import Adapter, Fit

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
VOCABULARY, HIDDEN = 320, 128
# Some of them are rows that the tests of single tokens train.
QUESTION = torch.tensor([[1, 7, 50, 3, 299, 5, 120, 44]])


def make_base(folder: Path, tied: bool) -> None:
    """Write a small Llama in bfloat16."""
    torch.manual_seed(5)
    config = LlamaConfig(
        hidden_size=HIDDEN, intermediate_size=320, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=VOCABULARY, tie_word_embeddings=tied, initializer_range=0.05,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight += 0.1 * torch.randn_like(weight)
    model.to(torch.bfloat16).save_pretrained(folder)


def load(base: Path, dtype: torch.dtype = torch.float32, rows: int = 0) -> LlamaForCausalLM:
    """A checkpoint, its vocabulary resized to ``rows``."""
    model = LlamaForCausalLM.from_pretrained(base, dtype=dtype)
    if rows:
        torch.manual_seed(11)
        model.resize_token_embeddings(rows, mean_resizing=False)
    return model


def train(
    base: Path, out: Path, dtype: torch.dtype = torch.float32, rows: int = 0, **more: Any
) -> tuple[Path, torch.Tensor]:
    """An adapter that peft made, all of it moved at random as if it were trained.

    Returns:
        the adapter's folder, and the logits of the model that was trained, not merged.
    """
    words = {"r": 8, "lora_alpha": 16, "target_modules": PROJECTIONS, "task_type": "CAUSAL_LM", **more}
    # peft changes the lists that it is given.
    model = get_peft_model(load(base, dtype, rows), LoraConfig(**copy.deepcopy(words)))
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                # Small beside the base, as training leaves it; A starts full, an embedding's B too.
                weight += torch.randn_like(weight) * (0.02 if "lora_" in name else 0.01)
    model.eval().save_pretrained(out)
    with torch.no_grad():
        return out, model(QUESTION).logits[0].float()


def weights_of(base: Path) -> dict[str, np.ndarray]:
    """A checkpoint's tensors in float32."""
    return {name: weight.float().numpy() for name, weight in load_file(base / "model.safetensors").items()}


def fitted(folder: Path, base: Path, tied: bool) -> tuple[Adapter, Fit]:
    adapter = Adapter(folder)
    shapes = {name: tuple(weight.shape) for name, weight in weights_of(base).items()}
    assert (HEAD not in shapes) == tied
    adapter.check_finite()
    return adapter, adapter.fit(shapes, tied)


def configure(folder: Path, **words: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | words))


def edit(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    path = folder / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)


def without(folder: Path, *words: str) -> None:
    edit(folder, lambda tensors: {
        key: value for key, value in tensors.items() if not any(word in key for word in words)
    })  # fmt: skip
