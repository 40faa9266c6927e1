"""Memory: the longest batch is tried before the first step, and having too little does not change what is learned."""

import sys
from typing import Any

import torch
from accelerate.utils.memory import should_reduce_batch_size
from transformers import TrainerCallback

from ophtimus_edge.errors import TrainingError
from ophtimus_training.order import Share

_GIB = 2**30
_BYTES_OF_MOMENTS = {"adamw": 8, "adamw_8bit": 2, "muon": 4}  # a trained weight


class LongestFirst(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Works on the batch that takes the most memory before anything is learned.

    What runs out does so in the first minute, not in the fourth hour when that batch comes by chance
    (transformers #10649).

    Attributes:
        measured: the most bytes that were in use then; 0 while it was not tried.
    """

    def __init__(self, predicted: int | None, say: Any) -> None:
        """Compare with a prediction.

        Args:
            predicted: bytes at the peak, as ``ophtimus-train plan`` has them; None where it has none.
            say: prints a line.
        """
        self._predicted, self._say = predicted, say
        self.trainer: Any = None
        self.measured = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Try it; raises what the device raises when it has too little memory."""
        if self.trainer.is_deepspeed_enabled:
            return  # its engine would take the batch for part of a step
        self.measured = tried(self.trainer)
        place = "tensors on the GPU" if args.device.type == "cuda" else "the whole process"
        line = f"longest batch: measured {self.measured / _GIB:.2f} GiB at the peak ({place})"
        if self._predicted is not None:
            line += f", predicted {self._predicted / _GIB:.2f} GiB"
            if args.device.type == "cuda":
                line += f" ({self._predicted / self.measured:.2f} of it)"
            else:
                line += " for its tensors, without the libraries themselves"
        self._say(line)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """From here on weights change: the step is not whole before all have."""
        self.trainer.in_optimizer = True

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """All weights have changed."""
        self.trainer.in_optimizer = False


def tried(trainer: Any) -> int:
    """Work on the longest batch twice, as rounds of one step do, and learn nothing from it.

    Room for the optimizer's moments is taken meanwhile: it makes them in its first step only.

    Returns:
        Bytes in use at the peak: of the GPU, or of the process where there is none.
    """
    device = trainer.args.device
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    batch = trainer.longest()
    supervised = (batch["labels"][:, 1:] != -100).sum().to(device)
    with torch.random.fork_rng([device] if cuda else []):
        room = _moments(trainer)
        for _ in range(2):
            trainer.accelerator.gradient_state._set_sync_gradients(True)
            trainer.training_step(trainer.model_wrapped, dict(batch), supervised)
        del room
    trainer.model_wrapped.zero_grad()
    trainer.tally.clear()
    return int(torch.cuda.max_memory_allocated(device)) if cuda else _peak_of_process()


def _moments(trainer: Any) -> list[torch.Tensor]:
    if trainer.optimizer.state:
        return []  # a run that goes on has them
    size = _BYTES_OF_MOMENTS[trainer.recipe.optimizer]
    trained = [one for one in trainer.model.parameters() if one.requires_grad]
    local = [one.to_local() if hasattr(one, "to_local") else one for one in trained]
    # In adapters of bfloat16 the moments are bfloat16 too.
    return [
        torch.empty(one.numel() * size * one.element_size() // 4, dtype=torch.uint8, device=one.device)
        for one in local
    ]


def _peak_of_process() -> int:
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def ran_out(error: RuntimeError) -> bool:
    """Whether a device, or this machine, had too little memory."""
    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)


def smaller(share: Share, in_optimizer: bool) -> Share:
    """Half as many rows at once and twice as often, where that can help.

    Raises:
        TrainingError: a single row is too much already, the optimizer was at work, or other devices take part,
            which cannot know of it.
    """
    if share.devices > 1:
        raise TrainingError(
            f"one of {share.devices} devices ran out of memory with {share.at_once} rows at once.",
            "Run it again with half of `batch` and twice of `accumulation` (--set): the steps stay the same.",
        )
    if share.at_once == 1 or in_optimizer:
        raise TrainingError(
            "there is too little memory for a single row at once."
            if share.at_once == 1
            else "memory ran out while the optimizer took its step.",
            "Train with --set checkpointing=true, a smaller length, method=qlora or optimizer=adamw_8bit; "
            "`ophtimus-train plan` says what each takes.",
        )
    return share.halved()
