"""The adapter that is trained over a frozen base: LoRA or DoRA, in float32 unless told otherwise."""

from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from ophtimus_training.recipe import OnBase

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def adapted(model: PreTrainedModel, recipe: OnBase, base: str) -> Any:
    """Wrap a base in a new adapter on the seven projections of every layer.

    Args:
        base: what the adapter's file names as its base.

    Returns:
        peft's model. Its adapter is float32 by default, whatever the base is: in bfloat16 a step below 1/256 of
        a weight is lost, and trl's SFTTrainer makes it so for QLoRA without saying.
    """
    torch.manual_seed(recipe.seed)  # of the adapter's first weights
    wrapped = get_peft_model(
        model,
        LoraConfig(
            r=recipe.lora_r,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=recipe.lora_dropout,
            target_modules=PROJECTIONS,
            use_dora=recipe.method == "dora",
            bias="none",
            task_type="CAUSAL_LM",
        ),
    )
    wrapped.peft_config["default"].base_model_name_or_path = base
    kind = getattr(torch, recipe.adapter_precision)
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(kind)
    if recipe.checkpointing:
        # The first checkpointed layer's input has no gradient where the embedding is frozen, and without one
        # nothing is computed again.
        wrapped.enable_input_require_grads()
    return wrapped
