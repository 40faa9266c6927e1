"""A mixin for transformers' Trainer: its checkpoints are whole or not there, and a run goes on from them exactly.

transformers writes a checkpoint in place, pickles the optimizer, and resumes from the highest step without a look
(transformers #35782). Here one is written into a hidden folder, hashed, synced and renamed; a run goes on from the
last that is verified; and nothing in it is a pickle, but for what DeepSpeed writes by itself.
"""

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME

from ophtimus_edge.errors import CheckpointError, TrainingStoppedError
from ophtimus_training.checkpoints.sound import damage, latest_sound, prune, publish, sweep
from ophtimus_training.checkpoints.state import (
    random_state,
    read_state,
    set_random_state,
    shared_out,
    whole,
    write_state,
)
from ophtimus_training.checkpoints.stopping import StopRequest, stop_request

WEIGHTS = "weights.safetensors"
_OPTIMIZER, _SCHEDULER, _RANDOM = "optimizer", "scheduler", "random.json"


class Keeps:
    """Comes before ``transformers.Trainer`` among a trainer's bases.

    ``args.output_dir`` is where checkpoints go, ``args.save_strategy`` and ``save_steps`` say when, and
    ``args.save_total_limit`` how many stay. A checkpoint holds the weights that are trained, in their own type:
    the base of an adapter is in the recipe.
    """

    args: Any
    state: Any
    control: Any
    model: Any
    optimizer: Any
    lr_scheduler: Any
    accelerator: Any
    callback_handler: Any
    is_deepspeed_enabled: bool

    def train(self, *given: Any, **settings: Any) -> Any:
        """Train, from the last sound checkpoint where there is one.

        Raises:
            TrainingStoppedError: SIGTERM or SIGINT came; the last step was kept.
            CheckpointError: a checkpoint cannot be written, or is not of this model.
        """
        name = None
        if self.args.should_save:  # the first process looks for all
            work = Path(self.args.output_dir)
            sweep(work)
            found = latest_sound(work)
            name = found and found.name
        name = json.loads(self._from_all(json.dumps(name))[0])
        if name is not None:
            settings["resume_from_checkpoint"] = str(Path(self.args.output_dir) / name)
        with stop_request() as request:
            self._add_once(_Stopping(request, self))
            outcome = super().train(*given, **settings)  # type: ignore[misc]  # Trainer's
        if request.signal and self.state.global_step < self.state.max_steps:
            raise TrainingStoppedError(
                f"stopped after step {self.state.global_step} of {self.state.max_steps}, which was kept.",
                "Run the same command again to go on from there.",
                request.exit_code,
            )
        return outcome

    def _add_once(self, callback: TrainerCallback) -> None:
        self.callback_handler.callbacks = [
            one for one in self.callback_handler.callbacks if not isinstance(one, _Stopping)
        ]
        self.callback_handler.add_callback(callback)

    # What follows takes the place of methods of transformers.Trainer, by their names there.

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        work = Path(self.args.output_dir)
        final = work / f"checkpoint-{self.state.global_step}"
        part = work / f".{final.name}.part"
        self.store_flos()  # type: ignore[attr-defined]  # Trainer's
        failure: CheckpointError | None = None
        try:
            with _written(part):
                if self.args.should_save:
                    shutil.rmtree(part, ignore_errors=True)
                    part.mkdir(parents=True)
                self._write(part)
                if self.args.should_save:
                    publish(part, final)
                    reason = damage(final)
                    if reason is not None:
                        raise CheckpointError(
                            f"{final} was written and came back damaged: {reason}.",
                            "Check the disk, then run the same command again: it goes on from the checkpoint before.",
                        )
                    prune(work, final, self.args.save_total_limit or 1)
        except CheckpointError as error:
            failure = error
        if self._highest(failure is not None):
            raise failure or CheckpointError(
                "another process could not keep a checkpoint.", "See what it said."
            )

    def _write(self, part: Path) -> None:
        """Write all files of a checkpoint but its manifest; each process takes part, the first one writes."""
        write = bool(self.args.should_save)
        if self.is_deepspeed_enabled:
            super()._save_optimizer_and_scheduler(str(part))  # type: ignore[misc]  # Trainer's
        else:
            weights = {name: whole(weight) for name, weight in self._trained()}
            if write:
                save_file(weights, part / WEIGHTS)
            del weights
            write_state(part, _OPTIMIZER, self.optimizer.state_dict(), write)
            write_state(part, _SCHEDULER, self.lr_scheduler.state_dict(), write)
        generators = self._from_all(random_state())
        if write:
            (part / _RANDOM).write_text(json.dumps(generators), "utf-8")
            self.state.save_to_json(str(part / TRAINER_STATE_NAME))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        weights = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        trained = dict(self._trained())
        if weights.keys() != trained.keys() or any(
            weights[name].shape != trained[name].shape for name in weights
        ):
            raise CheckpointError(
                f"{resume_from_checkpoint} holds weights of another model or adapter.",
                "Name a new folder with -o, or run the command that this one was begun with.",
            )
        with torch.no_grad():
            for name, weight in weights.items():
                trained[name].copy_(shared_out(weight, trained[name]))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        if self.is_deepspeed_enabled:
            super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]  # Trainer's
            return
        state = read_state(Path(checkpoint), _OPTIMIZER)
        parameters = [one for group in self.optimizer.param_groups for one in group["params"]]
        for index, moments in state["state"].items():
            for name, value in moments.items():
                if isinstance(value, Tensor):
                    moments[name] = shared_out(value, parameters[index])
        self.optimizer.load_state_dict(state)
        self.lr_scheduler.load_state_dict(read_state(Path(checkpoint), _SCHEDULER))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        generators = json.loads((Path(checkpoint) / _RANDOM).read_text("utf-8"))
        if len(generators) == self.args.world_size:
            set_random_state(generators[self.args.process_index])

    def _run_epoch(self, **settings: Any) -> None:
        if self.state.global_step >= self.state.max_steps:
            # The run was ended behind its last step: transformers would take one more.
            self.control.should_training_stop = True
            return
        sampler = settings["train_dataloader"].batch_sampler
        while not hasattr(sampler, "set_epoch") and sampler is not None:
            sampler = getattr(sampler, "batch_sampler", None) or getattr(sampler, "sampler", None)
        if sampler is not None:
            sampler.set_epoch(settings["epoch"])  # accelerate's loaders do not always reach it
        super()._run_epoch(**settings)  # type: ignore[misc]  # Trainer's

    def _trained(self) -> Iterator[tuple[str, Any]]:
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                yield name, parameter

    def _highest(self, here: int) -> int:
        """The highest number that a process gives; all of them must give one."""
        if self.args.world_size == 1:
            return here
        numbers = self.accelerator.gather(torch.tensor([here], device=self.args.device))
        return int(numbers.max())

    def _from_all(self, text: str) -> list[str]:
        """A JSON text of each process, in the order of their ranks; all of them must give one."""
        if self.args.world_size == 1:
            return [text]
        given = torch.tensor([list(text.encode())], dtype=torch.uint8, device=self.args.device)
        padded = self.accelerator.pad_across_processes(given, dim=1)
        return [bytes(one.tolist()).rstrip(b"\0").decode() for one in self.accelerator.gather(padded)]


class _Stopping(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Keeps a checkpoint and ends the loop at the first step's end after a signal."""

    def __init__(self, request: StopRequest, trainer: Keeps) -> None:
        self._request, self._trainer = request, trainer

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Agree with the other processes, which may have had the signal in another step, or not at all."""
        self._request.signal = self._trainer._highest(self._request.signal)
        if self._request.signal:
            control.should_save = control.should_training_stop = True


@contextmanager
def _written(part: Path) -> Iterator[None]:
    """What goes wrong while a checkpoint is written leaves no half folder, and is said in words.

    Raises:
        CheckpointError: the disk is full, or takes no files.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        full = getattr(error, "errno", None) == errno.ENOSPC or "os error 28" in str(error)
        reason = "the disk is full" if full else (getattr(error, "strerror", None) or str(error))
        raise CheckpointError(
            f"no checkpoint could be kept in {part.parent}: {reason}.",
            "Free some space there, then run the same command again: it goes on from the checkpoint before.",
        ) from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
