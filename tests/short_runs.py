"""Runs of seconds for tests: a small Llama with drawn weights, rows of drawn tokens, and the run's own loop."""

import json
import random
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ophtimus_training import recipe as recipes
from ophtimus_training.packing import Collator, Windows, packed, unpacked
from ophtimus_training.rows import IGNORED, Row
from ophtimus_training.running.learning import Material, Outcome, arguments_of, learn

PADDING, END = 0, 1
VOCABULARY = 64

# No loop without these; what a test is about comes over them.
SETTINGS = ["epochs=2", "batch=4", "length=64", "learning_rate=1e-2", "log_every=1", "optimizer=adamw",
            "warmup_steps=0", "seed=3", "layers=1", "precision=float32"]  # fmt: skip


def small_model(seed: int = 5, **shape: Any) -> LlamaForCausalLM:
    """A Llama with drawn weights, the same for the same seed."""
    torch.manual_seed(seed)
    shape = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
        "pad_token_id": PADDING, "eos_token_id": END, "attn_implementation": "sdpa",
    } | shape  # fmt: skip
    return LlamaForCausalLM(LlamaConfig(**shape))


def drawn_rows(count: int, seed: int = 1, longest: int = 24) -> list[Row]:
    """Rows of several lengths, of which unequal parts are learned; each ends with END."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        ids = [draw.randrange(2, VOCABULARY) for _ in range(draw.randint(6, longest - 1))] + [END]
        asked = draw.randint(1, len(ids) - 2)
        rows.append({"input_ids": ids, "labels": [IGNORED] * asked + ids[asked:]})
    return rows


def small_recipe(*settings: str) -> recipes.AnyRecipe:
    """A recipe for drawn rows."""
    return recipes.load("demo-pretrain", [*SETTINGS, *settings])


def material_of(recipe: recipes.Recipe, rows: list[Row], heldout: list[Row] | None = None) -> Material:
    """What a run of the recipe takes."""
    windows: Windows = packed(rows, recipe.length, recipe.seed) if recipe.packing else unpacked(rows)
    return Material(windows, heldout or [], [], Collator(PADDING), PADDING)


def trained(
    folder: Path,
    *settings: str,
    model: Any = None,
    rows: list[Row] | None = None,
    heldout: list[Row] | None = None,
) -> Outcome:
    """Train the small model, or another one, on drawn rows."""
    recipe = small_recipe(*settings)
    material = material_of(recipe, rows or drawn_rows(22), heldout)
    return learn(model or small_model(), material, recipe, arguments_of(recipe, folder / "work"), folder)


def logged(folder: Path, name: str = "loss") -> list[float]:
    """A figure of every line of a log that has it."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def weights_of(model: Any) -> torch.Tensor:
    """All weights, one behind the other."""
    return torch.cat([one.detach().float().flatten() for one in model.parameters()])
