"""From a model and its rows to a trained one: how steps are shared, tried, taken, and taken up again."""

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from ophtimus_edge.errors import TrainingError
from ophtimus_training.launching.ranks import processes
from ophtimus_training.launching.strategies import set_share, strategy_settings
from ophtimus_training.order import Order, PooledOrder, RandomOrder, Share, share
from ophtimus_training.packing import LENGTHS, Windows
from ophtimus_training.recipe import Recipe
from ophtimus_training.rows import Row
from ophtimus_training.running.figures import speed
from ophtimus_training.running.memory import LongestFirst, ran_out, smaller
from ophtimus_training.running.probe import Probe
from ophtimus_training.running.trainer import RecipeTrainer
from ophtimus_training.running.watching import LOG, Watching


class Material(NamedTuple):
    """What a model is trained and evaluated on.

    Attributes:
        windows: what is learned.
        heldout: rows that are evaluated on.
        probes: multiple-choice questions among those.
        collator: makes batches of rows.
        padding: the token that fills them.
    """

    windows: Windows
    heldout: list[Row]
    probes: list[Probe]
    collator: Callable[[list[dict[str, Any]]], dict[str, Any]]
    padding: int


class Outcome(NamedTuple):
    """What a training run came to.

    Attributes:
        trainer: the loop, with the trained model.
        loss: mean loss of the last logged steps, in nats per supervised token.
        steps: optimizer steps.
        seconds: time in the loop.
        evaluation: ``eval_loss`` and ``eval_letters`` at the end; empty where nothing is held out.
        share: how the steps were worked on in the end.
        measured: bytes at the peak of the longest batch; 0 where it was not tried.
    """

    trainer: RecipeTrainer
    loss: float
    steps: int
    seconds: float
    evaluation: dict[str, Any]
    share: Share
    measured: int


def device_of() -> torch.device:
    """The device of this process: one GPU of those that torchrun shares out, or the CPU.

    Raises:
        TrainingError: several GPUs are visible to one process, which transformers would train on with
            DataParallel: its losses are others, and it is slower.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if count > 1 and "LOCAL_RANK" not in os.environ:
        raise TrainingError(
            f"{count} GPUs are visible, and one process uses one.",
            f"Start it with torchrun --nproc-per-node {count} --no-python ophtimus-train …, or set "
            "CUDA_VISIBLE_DEVICES=0.",
        )
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def shared(recipe: Recipe, windows: Windows, devices: int) -> Share:
    """How the recipe's steps are worked on.

    ``batch × accumulation`` sequences are a step, on however many devices. In packed windows they are counted as
    they were before: so many whole windows as hold that many sequences, at least one.
    """
    sequences = max(windows.sequences / max(len(windows.rows), 1), 1.0)
    rows = max(round(recipe.batch * recipe.accumulation / sequences), 1)
    return share(rows, max(round(recipe.batch / sequences), 1), devices)


@contextmanager
def _denormals_flushed() -> Iterator[None]:
    """Take denormals for zero: the optimizer's moments of rare tokens fade to them, and they are slow.

    The processor keeps it for the whole thread, where other code counts on them: msgspec refuses what is not
    above 0 by comparing it with the smallest denormal, and would let 0 pass.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@_denormals_flushed()
def learn(
    model: Any,
    material: Material,
    recipe: Recipe,
    arguments: TrainingArguments,
    out: Path,
    predict: Callable[[Share], int] | None = None,
) -> Outcome:
    """Train, from the last sound checkpoint in ``out/work`` where there is one.

    Where memory runs out, half as many rows are worked on at once and twice as often, from the step that did not
    fit: the rows of a step, and so what is learned, stay the same.

    Args:
        model: a model, or one that peft has wrapped.
        arguments: as :func:`arguments_of` made them.
        out: a folder for checkpoints and the log.
        predict: bytes at the peak for a share of the rows, as ``plan`` has them.

    Raises:
        TrainingError: memory runs out with a single row at once.
    """
    if recipe.evaluate_every and material.heldout:
        arguments.eval_strategy = IntervalStrategy.STEPS
    dealt = shared(recipe, material.windows, arguments.world_size)
    began = time.monotonic()
    figures = speed(model, arguments.device, arguments.world_size)
    with Watching(out / LOG, figures, arguments.process_index == 0) as watching:
        while True:
            trainer, longest = _trainer(model, material, recipe, arguments, dealt, watching, predict)
            try:
                state = trainer.train()
                break
            except RuntimeError as error:
                if not ran_out(error):
                    raise
                said = str(error).splitlines()[0]
            # Behind the handler: the error holds every tensor of the step that failed.
            dealt = _with_less(trainer, dealt, watching, said)
        evaluation = trainer.evaluated() if material.heldout else {}
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Outcome(
        trainer=trainer,
        loss=float(losses[-1]) if losses else float(state.training_loss),
        steps=int(state.global_step),
        seconds=time.monotonic() - began,
        evaluation=evaluation,
        share=dealt,
        measured=longest.measured,
    )


def _trainer(
    model: Any, material: Material, recipe: Recipe, arguments: Any, dealt: Share, watching: Watching,
    predict: Callable[[Share], int] | None,
) -> tuple[RecipeTrainer, LongestFirst]:  # fmt: skip
    set_share(arguments, dealt.at_once, dealt.rounds)
    longest = LongestFirst(predict(dealt) if predict else None, watching.say)
    trainer = RecipeTrainer(
        recipe, material.windows.rows, _order(recipe, material.windows), dealt, material.padding,
        material.heldout, material.probes, model=model, args=arguments, data_collator=material.collator,
        callbacks=[watching, longest],
    )  # fmt: skip
    longest.trainer = trainer
    for callback in ("PrinterCallback", "ProgressCallback"):  # ours shows what there is to see
        for one in [one for one in trainer.callback_handler.callbacks if type(one).__name__ == callback]:
            trainer.remove_callback(one)
    return trainer, longest


def _order(recipe: Recipe, windows: Windows) -> Order:
    if LENGTHS in windows.rows.column_names:
        return RandomOrder(len(windows.rows), recipe.seed)
    return PooledOrder([len(row) for row in windows.rows["input_ids"]], recipe.batch, recipe.seed)


def _with_less(trainer: RecipeTrainer, dealt: Share, watching: Watching, said: str) -> Share:
    """Keep what was learned so far, free what the failed step holds, and share the steps out anew.

    Raises:
        TrainingError: there is nothing left to halve.
    """
    less = smaller(dealt, trainer.in_optimizer)
    trainer.model.zero_grad()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if trainer.state.global_step:
        # The weights are those of the last whole step: the next trainer goes on from there.
        trainer._save_checkpoint(trainer.model, None)
    watching.say(
        f"memory ran out ({said}); from here on {less.at_once} rows at once, {less.rounds} times a step, instead of "
        f"{dealt.at_once}, {dealt.rounds} times: a step has the same {less.rows} rows"
    )
    return less


def arguments_of(recipe: Recipe, work: Path) -> TrainingArguments:
    """What transformers is told. Made before a model is loaded: a strategy also says how that is done.

    Args:
        work: a folder for checkpoints.

    Raises:
        RecipeError: the strategy cannot share out what the recipe trains.
    """
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=recipe.epochs,
        max_steps=recipe.steps or -1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.gradient_norm,
        bf16=recipe.precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.seed,
        logging_steps=recipe.log_every,
        logging_nan_inf_filter=False,  # a loss that is no number is seen, not replaced
        save_strategy="steps" if recipe.save_every else "no",
        save_steps=recipe.save_every or 500,
        save_total_limit=recipe.keep,
        eval_steps=recipe.evaluate_every or 500,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        **strategy_settings(recipe, processes(), torch.cuda.is_available()),
    )
