"""A small run that several processes share, for tests; they are started with torchrun.

``torchrun ... -m shared_training FOLDER STRATEGY:KIND...`` trains each kind twice: from its beginning to its end, and
stopped by a signal that one process alone gets, then gone on with. FOLDER/result.json has what came of it.
"""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import DistributedType, PartialState
from datasets import Dataset
from small_llama import small_llama, with_adapter
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback, TrainingArguments
from trl.trainer.utils import add_fused_lm_head

from ophtimus_edge.errors import TrainingStoppedError
from ophtimus_training import recipe as recipes
from ophtimus_training.checkpoints.state import whole
from ophtimus_training.launching.ranks import first, processes, rank
from ophtimus_training.launching.strategies import strategy_settings
from ophtimus_training.order import PooledOrder, share
from ophtimus_training.packing import Collator
from ophtimus_training.running.trainer import RecipeTrainer

ROWS, STOP_AT = 22, 1  # a step of 8 rows: the last of an epoch has 6


class Result(NamedTuple):
    """What came of a run.

    Attributes:
        losses: of each step.
        weights: that were trained, whole, by name.
        files: in its folder of checkpoints at the end.
        shared_out: whether a process held a share of the weights only.
    """

    losses: list[float]
    weights: dict[str, list[float]]
    files: list[str]
    shared_out: bool


class _StopOne(TrainerCallback):  # type: ignore[misc]
    """Sends the last process SIGTERM in the middle of a step."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == STOP_AT and rank() == processes() - 1:
            os.kill(os.getpid(), signal.SIGTERM)


def model_of(kind: str) -> Any:
    """A Llama of two layers, as a run prepares it."""
    model = small_llama(
        num_hidden_layers=2, tie_word_embeddings=kind != "full", pad_token_id=0, attn_implementation="sdpa"
    )
    if processes() > 1:
        add_fused_lm_head(model)  # as a run does
    if kind == "lora":
        model = with_adapter(model)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return model


def run(work: Path, kind: str, strategy: str, stopped: bool = False) -> Result:
    """Train on however many processes there are."""
    recipe = recipes.load(
        "demo-pretrain",
        [f"strategy={strategy}", "optimizer=adamw", "batch=2", "accumulation=4", "epochs=2", "seed=3"],
    )
    drawn = torch.Generator().manual_seed(1)
    lengths = torch.randint(4, 13, (ROWS,), generator=drawn).tolist()
    ids = [torch.randint(1, 64, (length,), generator=drawn).tolist() for length in lengths]
    # Rows teach unequal numbers of tokens: the mean over a device's rows is another than that over the step's.
    labels = [[-100] * (length // 2) + row[length // 2 :] for length, row in zip(lengths, ids, strict=True)]
    dealt = share(recipe.batch * recipe.accumulation, recipe.batch, processes())
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=dealt.at_once,
        gradient_accumulation_steps=dealt.rounds,
        learning_rate=1e-2,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        use_cpu=True,
        seed=recipe.seed,
        logging_steps=1,
        save_strategy="no",
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        **strategy_settings(recipe, processes(), gpu=True),
    )
    os.environ.pop("ACCELERATE_USE_FSDP", None)  # what a run before this one in the same process left
    if strategy == "fsdp2" and processes() > 1:
        # torch shares out over processors too, and accelerate over GPUs only: it is told that these are some.
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    rows = Dataset.from_list(
        [{"input_ids": row, "labels": label} for row, label in zip(ids, labels, strict=True)]
    )
    trainer = RecipeTrainer(
        recipe, rows, PooledOrder(lengths, recipe.batch, recipe.seed), dealt, 0, [], [],
        model=model_of(kind), args=arguments, data_collator=Collator(0), callbacks=[_StopOne()] if stopped else None,
    )  # fmt: skip
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    trained = list(trainer._trained())
    with gathered([one for _, one in trained], strategy):
        weights = {name: whole(one).flatten().tolist() for name, one in trained}
    shared_out = all(isinstance(one, DTensor) for _, one in trainer._trained())
    return Result(losses, weights, sorted(path.name for path in work.iterdir()), shared_out)


def gathered(weights: list[Any], strategy: str) -> contextlib.AbstractContextManager[Any]:
    """With ZeRO-3 a process holds none of its weights but while they are gathered."""
    if strategy != "zero3" or processes() == 1:
        return contextlib.nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(weights)


def tried(folder: Path, strategy: str, kind: str) -> dict[str, Any]:
    """A run, and the same run stopped and gone on with."""
    undisturbed = run(folder / "whole", kind, strategy)
    work = folder / "stopped"
    code = 0
    try:
        run(work, kind, strategy, stopped=True)
    except TrainingStoppedError as stop:
        code = stop.exit_code
    gone_on = run(work, kind, strategy)
    return {
        **undisturbed._asdict(),
        "exit_code": code,
        "same": gone_on.weights == undisturbed.weights,
        "checkpoints": gone_on.files,
        "kept": sorted(path.name for path in (work / gone_on.files[0]).iterdir()),
    }


def expect_alike(found: dict[str, Any], alone: Result) -> None:
    """What several processes came to, as in result.json, is what one does; stopped in between, they went on."""
    assert len(found["losses"]) == 6
    np.testing.assert_allclose(found["losses"], alone.losses, rtol=1e-5)
    assert found["weights"].keys() == alone.weights.keys()
    for weight, values in found["weights"].items():
        np.testing.assert_allclose(values, alone.weights[weight], atol=1e-4)
    assert found["exit_code"] == 128 + signal.SIGTERM
    assert found["checkpoints"] == ["checkpoint-2"]  # in the middle of an epoch
    assert found["same"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    found = {asked: tried(place / asked.replace(":", "-"), *asked.split(":")) for asked in sys.argv[2:]}
    if first():
        (place / "result.json").write_text(json.dumps(found))
