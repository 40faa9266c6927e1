"""What is seen of a run while it goes: a line of figures on standard error, and the same in log.jsonl."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from transformers import TrainerCallback

from ophtimus_training.running.figures import Speed

LOG = "log.jsonl"
_NAMES = {"grad_norm": "gradient_norm", "eval_loss": "heldout_loss", "eval_letters": "letters"}
_KEPT = ("loss", "learning_rate", "grad_norm", "tokens", "seconds", "tokens_per_s", "supervised_share",
         "padding_share", "eval_loss", "eval_letters")  # fmt: skip


class Watching(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Shows and logs; a context, so that the terminal is its own again however a run ends."""

    def __init__(self, log: Path, speed: Speed, first: bool) -> None:
        """Log into a file.

        Args:
            first: whether this is the process that speaks, of those that share the work.
        """
        self._log, self._speed, self._first = log, speed, first
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(file=sys.stderr), disable=not first, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("training", total=None, left="")
        self._began, self._began_at = time.monotonic(), 0

    def __enter__(self) -> "Watching":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._first:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take out of the log what is to come again: a run that goes on from a checkpoint repeats steps."""
        self._began, self._began_at = time.monotonic(), state.global_step
        self._progress.update(self._task, total=state.max_steps, completed=state.global_step)
        if self._first and self._log.is_file():
            lines = [
                line for line in self._log.read_text("utf-8").splitlines() if _step(line) <= state.global_step
            ]
            self._log.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=state.global_step, left=self._left(state))

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Write a line into the log, and a shorter one to be read."""
        given = logs or {}
        line = {_NAMES.get(name, name): given[name] for name in _KEPT if name in given}
        if not self._first or not ("loss" in line or "heldout_loss" in line):
            return
        if "loss" in line:
            line["flops_utilisation"] = self._speed.utilisation(line["tokens_per_s"])
        line = {"step": state.global_step, "epoch": round(float(state.epoch or 0), 4)} | line
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=True) + "\n")
        self.say(self._words(line, state))

    def _words(self, line: dict[str, Any], state: Any) -> str:
        start = f"step {line['step']}/{state.max_steps}"
        if "loss" not in line:
            letters = line.get("letters")
            probed = (
                f"  right letters {letters['value']:.1%} ({letters['low']:.1%} to {letters['high']:.1%}, "
                f"{letters['questions']} questions)" if letters else ""
            )  # fmt: skip
            return f"{start}  held-out loss {line['heldout_loss']:.4f}{probed}"
        used = line["flops_utilisation"]
        share = self._speed.words if used is None else f"{used:.1%} {self._speed.words}"
        return (
            f"{start}  loss {line['loss']:.4f}  {line['tokens_per_s']:,.0f} tokens/s  "
            f"supervised {line['supervised_share']:.0%}  padding {line['padding_share']:.0%}  {share}  "
            f"{self._left(state)}"
        ).rstrip()

    def _left(self, state: Any) -> str:
        done = state.global_step - self._began_at
        if done < 1:
            return ""
        seconds = (time.monotonic() - self._began) / done * (state.max_steps - state.global_step)
        if seconds < 90:
            return f"{math.ceil(seconds)} s left"
        minutes = round(seconds / 60)
        return f"{minutes} min left" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min left"


def _step(line: str) -> int:
    """The step of a line of the log; a line that a kill cut short is of none that is kept."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return sys.maxsize
