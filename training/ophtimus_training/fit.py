"""One training loop for every stage: trl's SFTTrainer, configured from a recipe."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

from ophtimus_edge.errors import TrainingDataError
from ophtimus_training.recipe import Recipe


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
        rows: ``input_ids`` for plain text, or ``prompt`` and ``completion`` turns, of which only the
            completion is supervised.
        work: a folder for the trainer's own files.
        adapter: train this LoRA and leave the model's own weights as they are.

    Raises:
        TrainingDataError: a row is longer than the recipe's length.
    """
    config = SFTConfig(
        output_dir=str(work),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        bf16=recipe.precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.seed,
        max_length=None,
        packing=False,
        # Rows of about the same length side by side: little padding, and no attention between rows.
        train_sampling_strategy="group_by_length",
        gradient_checkpointing=False,
        logging_steps=50,
        save_strategy="no",
        report_to="none",
    )
    trainer = SFTTrainer(
        model=model,
        args=config,
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
        loss=losses[-1] if losses else float(state.training_loss),
        steps=int(state.global_step),
        seconds=time.monotonic() - start,
    )
