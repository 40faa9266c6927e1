"""The loop: transformers' Trainer, with this project's order, loss, optimizer, evaluation and figures.

One loop serves every stage, from the demonstration model's random weights to an 8B model's adapter.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset
from transformers import Trainer
from trl.trainer.utils import add_fused_lm_head

from ophtimus_edge.errors import TrainingError
from ophtimus_training.checkpoints.keeps import Keeps
from ophtimus_training.muon import MuonWithAdamW
from ophtimus_training.order import Order, Share, Steps
from ophtimus_training.recipe import Recipe
from ophtimus_training.rows import IGNORED
from ophtimus_training.running.figures import Tally
from ophtimus_training.running.probe import Probe, right_letters, share_of_right


class WithFiller(Dataset[dict[str, Any]]):
    """Rows, and behind the last of them one in which nothing is supervised, for places that stay empty."""

    def __init__(self, rows: Any, padding: int) -> None:
        """Take rows by their index; ``padding`` fills the one behind them."""
        self._rows = rows
        # Two tokens: of one, no loss has a place.
        self.filler = {"input_ids": [padding] * 2, "labels": [IGNORED] * 2}

    def __len__(self) -> int:
        return len(self._rows) + 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = self._rows[index] if index < len(self._rows) else self.filler
        return row


class RecipeTrainer(Keeps, Trainer):  # type: ignore[misc]  # transformers has no types
    """Takes steps of the rows that the recipe says, whatever devices they are shared among."""

    optimizer: Any
    model_wrapped: Any
    # ``compute_loss`` divides by the tokens of the whole step (transformers #35203 was that it did not).
    loss_is_scaled_for_ga = True

    def __init__(
        self, recipe: Recipe, rows: Any, order: Order, share: Share, padding: int,
        heldout: list[dict[str, Any]], probes: list[Probe], **settings: Any,
    ) -> None:  # fmt: skip
        """Train on rows in an order.

        Args:
            rows: with ``input_ids`` and ``labels``, by index.
            share: how a step is worked on; ``settings["args"]`` says the same.
            padding: the token that fills rows.
            heldout: rows that are evaluated on; none for no evaluation.
            probes: multiple-choice questions that are probed then.
        """
        self.recipe, self._share, self._padding = recipe, share, padding
        self._heldout = sorted(heldout, key=lambda row: -len(row["input_ids"]))  # the longest batch first
        self._probes = sorted(probes, key=lambda probe: -len(probe.ids))
        self._steps = Steps(order, len(rows), share, filler=len(rows))
        self.rows = WithFiller(rows, padding)
        self.tally = Tally(padding)
        self._evaluated: tuple[int, dict[str, Any]] = -1, {}
        self.in_optimizer = False  # while a step changes weights: what fails then leaves no whole step behind
        super().__init__(train_dataset=self.rows, eval_dataset=heldout or None, **settings)
        # Where one processor trains by itself, only what is learned goes through the output layer (a quarter of
        # a small model's work). Elsewhere trl's fused output layer does that, and never holds all logits at once.
        self._alone = self.args.device.type == "cpu" and self.args.world_size == 1
        whole = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        if not self._alone and not getattr(whole, "has_fused_head", False):
            add_fused_lm_head(whole)
            whole.has_fused_head = True

    def create_optimizer(self, *given: Any, **settings: Any) -> Any:
        """The optimizer that the recipe names; AdamW is transformers' own.

        Raises:
            TrainingError: torchao is not installed.
        """
        if self.optimizer is None and self.recipe.optimizer == "muon":
            self.optimizer = MuonWithAdamW(self.model, self.args.learning_rate, self.args.weight_decay)
        if self.optimizer is None and self.recipe.optimizer == "adamw_8bit":
            self.optimizer = _eight_bit_adamw(self)
        return super().create_optimizer(*given, **settings)

    def _get_train_sampler(self, train_dataset: Any = None) -> Steps:
        return self._steps

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The mean loss of the supervised positions over all that makes a step, in nats.

        Args:
            num_items_in_batch: supervised positions of the step, over all rounds and devices; None for this
                batch's own.
        """
        labels = inputs["labels"]
        count = (labels[:, 1:] != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        total = self._summed(model, inputs, labels)
        # A batch of nothing but empty places learns nothing; it may not divide by nothing.
        loss = total / torch.as_tensor(count, device=total.device).clamp(min=1)
        # DDP takes the mean over devices of what is each one's share of a sum.
        return loss if num_items_in_batch is None else loss * self.args.world_size

    def _summed(self, model: Any, inputs: dict[str, Any], labels: Tensor) -> Tensor:
        if not self._alone:
            total: Tensor = -model(**inputs, use_cache=False, fused_lm_head=True).log_probs.sum()
            return total
        llama = model.get_base_model() if hasattr(model, "get_base_model") else model
        seen = {name: value for name, value in inputs.items() if name != "labels"}
        with self.accelerator.autocast():
            # With a cache of keys, transformers would not look where sequences begin.
            hidden = llama.model(**seen, use_cache=False).last_hidden_state[:, :-1]
            targets = labels[:, 1:]
            supervised = targets != IGNORED
            logits = llama.lm_head(hidden[supervised]).float()
        return cross_entropy(logits, targets[supervised], reduction="sum")

    def training_step(self, model: Any, inputs: dict[str, Any], *given: Any, **settings: Any) -> Any:
        """A forward and a backward pass, counted."""
        self.tally.add(inputs)
        return super().training_step(model, inputs, *given, **settings)

    def longest(self) -> dict[str, Any]:
        """The batch that takes the most memory: of as many of the longest rows as are worked on at once."""
        count = len(self.rows) - 1
        lengths = sorted(range(count), key=lambda index: -len(self.rows[index]["input_ids"]))
        batch: dict[str, Any] = self.data_collator(
            [self.rows[index] for index in lengths[: self._share.at_once]]
        )
        return batch

    def evaluate(self, *_: object, **__: object) -> dict[str, Any]:
        """The mean loss over all supervised tokens of the held-out rows, and the share of right letters.

        Returns:
            ``eval_loss`` in nats, and ``eval_letters`` with ``value``, ``low`` and ``high``.
        """
        began = time.monotonic()
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            found = {"eval_loss": self._heldout_loss(), **self._letters()}
        self.model.train(training)
        self.tally.pause(time.monotonic() - began)
        self._evaluated = self.state.global_step, found
        self.log(dict(found))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def evaluated(self) -> dict[str, Any]:
        """The evaluation of the last step: made now where it was not."""
        step, found = self._evaluated
        return found if step == self.state.global_step else self.evaluate()

    def _heldout_loss(self) -> float:
        sums = torch.zeros(2, dtype=torch.float64)
        for rows in self._dealt(self._heldout, self.rows.filler):
            batch = self._prepare_inputs(self.data_collator(rows))
            sums[0] += float(self._summed(self.model, batch, batch["labels"]))
            sums[1] += float((batch["labels"][:, 1:] != IGNORED).sum())
        total, count = self.summed(sums).tolist()
        return float(total / max(count, 1))

    def _letters(self) -> dict[str, Any]:
        if not self._probes:
            return {}

        def logits(ids: Tensor, places: Tensor) -> Tensor:
            given = self._prepare_inputs({"input_ids": ids, "logits_to_keep": places})
            with self.accelerator.autocast():
                kept: Tensor = self.model(**given, use_cache=False).logits
            return kept

        none = Probe(self.rows.filler["input_ids"], [self._padding], -1)
        right = sum(right_letters(logits, asked, self._padding) for asked in self._dealt(self._probes, none))
        found = self.summed(torch.tensor([float(right)])).item()
        share = share_of_right(int(found), len(self._probes))
        letters = {"value": share.value, "low": share.low, "high": share.high, "questions": len(self._probes)}
        return {"eval_letters": letters}

    def _dealt(self, rows: list[Any], empty: Any) -> Iterator[list[Any]]:
        """This device's batches; every device has as many, of which the last may hold empty places."""
        size, devices = self._share.at_once, self.args.world_size
        for start in range(0, len(rows), size * devices):
            at = start + size * self.args.process_index
            yield rows[at : at + size] or [empty]

    def summed(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all devices; all of them must ask."""
        if self.args.world_size == 1:
            return values
        values = values.to(self.args.device, dtype=torch.float32)
        total: Tensor = self.accelerator.reduce(values, reduction="sum")
        return total.cpu()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        began = time.monotonic()
        super()._save_checkpoint(model, trial)
        self.tally.pause(time.monotonic() - began)

    def log(self, logs: dict[str, Any], *given: Any) -> None:
        """Add what was measured to a line of the log."""
        if "loss" in logs:
            logs.update(self.tally.read(self.summed))
        super().log(logs, *given)


def _eight_bit_adamw(trainer: RecipeTrainer) -> Any:
    """AdamW with moments in 8 bits, and weights rounded at random where they are bfloat16."""
    try:
        from torchao.optim import AdamW8bit
    except ImportError as error:
        raise TrainingError(
            'optimizer = "adamw_8bit" needs torchao, which is not installed.',
            "Install it with: pip install 'ophtimus-edge[training]'; or train with --set optimizer=adamw.",
        ) from error
    decayed = set(trainer.get_decay_parameter_names(trainer.model))
    named = [(name, one) for name, one in trainer.model.named_parameters() if one.requires_grad]
    groups = [
        {
            "params": [one for name, one in named if name in decayed],
            "weight_decay": trainer.args.weight_decay,
        },
        {"params": [one for name, one in named if name not in decayed], "weight_decay": 0.0},
    ]
    kept = [group for group in groups if group["params"]]
    return AdamW8bit(kept, lr=trainer.args.learning_rate, bf16_stochastic_round=True)
