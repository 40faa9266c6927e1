"""Instruction tuning: a LoRA adapter that learns the answers, and only the answers."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from ophtimus_edge import specialties
from ophtimus_edge.errors import TrainingDataError
from ophtimus_training import primer as primers
from ophtimus_training.fit import Outcome, fit
from ophtimus_training.recipe import InstructRecipe
from ophtimus_training.rows import tokenized

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def instruct(recipe: InstructRecipe, out: Path) -> Outcome:
    """Train an adapter and save it, with the tokenizer.

    Args:
        recipe: the base, the data and the adapter's shape.
        out: an empty folder.

    Raises:
        TrainingDataError: the base or the data are missing, damaged, leaking, or too long.
    """
    if not (Path(recipe.base) / "config.json").is_file():
        raise TrainingDataError(
            f"there is no base checkpoint in {recipe.base}.",
            "Train one first (ophtimus-train run demo-pretrain), or name its folder with --set base=FOLDER.",
        )
    exchanges = primers.exchanges(primers.read(Path(recipe.data)))
    tokenizer = AutoTokenizer.from_pretrained(recipe.base, local_files_only=True)
    system = specialties.role_named(specialties.DEFAULT_ROLE).system_prompt
    rows = tokenized(tokenizer, exchanges, recipe.length, system)
    model = AutoModelForCausalLM.from_pretrained(recipe.base, dtype=torch.float32, local_files_only=True)
    adapter = LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=PROJECTIONS,
        bias="none",
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(recipe.seed)  # of the adapter's first weights
    outcome = fit(get_peft_model(model, adapter), tokenizer, rows, recipe, out / "work")
    outcome.model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return outcome
