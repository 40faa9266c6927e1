"""The training loop, configured from a recipe: transformers' Trainer, or trl's where there is an adapter."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer

from ophtimus_edge.errors import TrainingDataError
from ophtimus_training.recipe import Recipe

IGNORED = -100  # the label of a token that is not learned


class Outcome(NamedTuple):
    """What a training run came to.

    Attributes:
        model: the trained model; with an adapter, the wrapped one.
        loss: mean cross-entropy of the last epoch's last logged steps, in nats per supervised token.
        steps: optimizer steps.
        seconds: time in the loop.
    """

    model: Any
    loss: float
    steps: int
    seconds: float


def check_lengths(lengths: list[int], limit: int) -> None:
    """Refuse rows that would be cut: a cut answer loses its end-of-turn token.

    Raises:
        TrainingDataError: a row has more tokens than ``limit``.
    """
    longest = max(lengths)
    if longest > limit:
        raise TrainingDataError(
            f"{sum(length > limit for length in lengths)} rows are longer than {limit} tokens "
            f"(the longest has {longest}).",
            f"Shorten them, or train with --set length={longest}.",
        )


def fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    rows: list[dict[str, Any]],
    recipe: Recipe,
    work: Path,
    adapter: LoraConfig | None = None,
) -> Outcome:
    """Train on all rows.

    Args:
        rows: ``input_ids`` and ``labels``; with an adapter, ``prompt`` and ``completion`` turns, of which
            only the completion is learned.
        work: a folder for the trainer's own files.
        adapter: train this LoRA and leave the model's own weights as they are.

    Raises:
        TrainingDataError: a row is longer than the recipe's length.
    """
    settings: dict[str, Any] = {
        "output_dir": str(work),
        "num_train_epochs": recipe.epochs,
        "per_device_train_batch_size": recipe.batch,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": recipe.schedule,
        "warmup_steps": recipe.warmup_steps,
        "weight_decay": recipe.weight_decay,
        "bf16": recipe.precision == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "seed": recipe.seed,
        # Rows of about the same length side by side: little padding, and no attention between rows.
        "train_sampling_strategy": "group_by_length",
        "gradient_checkpointing": False,
        "logging_steps": 50,
        "save_strategy": "no",
        "report_to": "none",
    }
    torch.set_flush_denormal(True)  # the optimizer's moments of rare tokens fade to denormals, which are slow
    trainer: Trainer
    if adapter is None:
        # SFTTrainer's metrics cost a quarter of the time on a CPU, and rows with labels need nothing of it.
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**settings),
            train_dataset=Dataset.from_list(rows),
            data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED),
            processing_class=tokenizer,
        )
    else:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(**settings, max_length=None, packing=False, completion_only_loss=True),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=adapter,
        )
    check_lengths([len(row) for row in trainer.train_dataset["input_ids"]], recipe.length)
    start = time.monotonic()
    state = trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Outcome(
        model=trainer.model,
        loss=float(losses[-1]) if losses else float(state.training_loss),
        steps=int(state.global_step),
        seconds=time.monotonic() - start,
    )
