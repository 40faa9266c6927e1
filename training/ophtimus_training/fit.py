"""The training loop: transformers' Trainer, configured from a recipe."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from ophtimus_training.checkpoints.keeps import Keeps
from ophtimus_training.muon import MuonWithAdamW
from ophtimus_training.order import PooledOrder
from ophtimus_training.recipe import Recipe
from ophtimus_training.rows import IGNORED, Row


class Outcome(NamedTuple):
    """What a training run came to.

    Attributes:
        model: the trained model; with an adapter, the wrapped one.
        loss: mean loss of the last logged steps, in nats per supervised token.
        steps: optimizer steps.
        seconds: time in the loop.
    """

    model: Any
    loss: float
    steps: int
    seconds: float


def fit(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, rows: list[Row], recipe: Recipe, work: Path
) -> Outcome:
    """Train on all rows.

    Args:
        model: a model, or one that peft has wrapped.
        rows: ``input_ids`` and ``labels``.
        work: a folder for the trainer's own files.
    """
    torch.set_flush_denormal(True)  # the optimizer's moments of rare tokens fade to denormals, which are slow
    trainer = _Trainer(
        recipe,
        model=model,
        args=TrainingArguments(
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
            logging_steps=50,
            save_strategy="steps" if recipe.save_every else "no",
            save_steps=recipe.save_every or 500,
            save_total_limit=recipe.keep,
            report_to="none",
        ),
        train_dataset=Dataset.from_list(rows),
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED),
        processing_class=tokenizer,
    )
    start = time.monotonic()
    state = trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Outcome(
        model=trainer.model,
        loss=float(losses[-1]) if losses else float(state.training_loss),
        steps=int(state.global_step),
        seconds=time.monotonic() - start,
    )


class _Trainer(Keeps, Trainer):  # type: ignore[misc]  # transformers has no types
    """A Trainer that takes rows in the order of :class:`PooledOrder`, with the recipe's optimizer."""

    optimizer: Any

    def __init__(self, recipe: Recipe, **settings: Any) -> None:
        super().__init__(**settings)
        self._recipe = recipe

    def create_optimizer(self, *given: Any, **settings: Any) -> Any:
        """The optimizer that the recipe names; AdamW is transformers' own."""
        if self._recipe.optimizer == "muon" and self.optimizer is None:
            self.optimizer = MuonWithAdamW(self.model, self.args.learning_rate, self.args.weight_decay)
        return super().create_optimizer(*given, **settings)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> PooledOrder:
        rows = self.train_dataset if train_dataset is None else train_dataset
        return PooledOrder(
            [len(row) for row in rows["input_ids"]], self.args.train_batch_size, self.args.seed
        )

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: object
    ) -> Any:
        """The mean loss of the supervised positions, and only they: the output layer is a quarter of the work.

        Rows are padded at their ends, where the causal mask alone keeps the padding out of every reply;
        without another mask the attention takes its faster path.
        """
        llama = model.get_base_model() if hasattr(model, "get_base_model") else model
        targets = inputs["labels"][:, 1:]
        hidden = llama.model(input_ids=inputs["input_ids"]).last_hidden_state[:, :-1]
        supervised = targets != IGNORED
        logits = llama.lm_head(hidden[supervised]).float()
        loss = cross_entropy(logits, targets[supervised])
        return (loss, {"logits": logits}) if return_outputs else loss
