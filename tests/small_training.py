"""A training run of a second, for tests that kill it: a Llama of one layer, a process of its own for each try.

``python -m small_training`` loads torch and transformers once. Then every line of JSON on its standard input, a
:class:`Try`, is a process that it forks; it answers with the process's id and, once that has ended, with its exit
code. So a kill costs no start.
"""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from small_llama import small_llama, with_adapter


@dataclass
class Try:
    """A run, begun or gone on with.

    Attributes:
        folder: where it works and answers.
        kind: what is trained: ``lora`` with dropout, or all weights with ``adamw`` or ``muon``.
        save_every: steps between checkpoints; 0 for none.
        die_at: kills itself at so many calls that bring something to the disk or rename it; 0 for never.
        pause: seconds that each step takes longer.
        steps: at the most; 0 for three epochs.
        keep: checkpoints.
    """

    folder: str | Path
    kind: str = "lora"
    save_every: int = 1
    die_at: int = 0
    pause: float = 0.0
    steps: int = 0
    keep: int = 2

    @property
    def work(self) -> Path:
        return Path(self.folder) / "work"

    @property
    def begun(self) -> bool:
        """Whether its first step has begun."""
        return (Path(self.folder) / "begun").exists()

    @property
    def weights(self) -> str:
        """The SHA-256 of the weights that it ended with."""
        return (Path(self.folder) / "weights").read_text()

    @property
    def said(self) -> str:
        return (Path(self.folder) / "stderr").read_text()


def rows() -> list[dict[str, list[int]]]:
    """Rows of several lengths: 11 batches of 2, so that an epoch ends with half a step."""
    draw = random.Random(1)
    drawn = [[draw.randrange(64) for _ in range(draw.randint(4, 12))] for _ in range(22)]
    return [{"input_ids": row, "labels": row} for row in drawn]


def train(one: Try) -> None:
    """Train to the end and leave the SHA-256 of the weights."""
    from datasets import Dataset
    from transformers import TrainingArguments

    from ophtimus_training import recipe as recipes
    from ophtimus_training.order import PooledOrder, share
    from ophtimus_training.packing import Collator
    from ophtimus_training.running.trainer import RecipeTrainer

    class Small(RecipeTrainer):
        def training_step(self, *given: Any, **more: Any) -> Any:
            (Path(one.folder) / "begun").touch()
            time.sleep(one.pause)
            return super().training_step(*given, **more)

    optimizer = "muon" if one.kind == "muon" else "adamw"
    recipe = recipes.load("demo-pretrain", [f"optimizer={optimizer}", "batch=2", "accumulation=2", "seed=7"])
    dealt = share(recipe.batch * recipe.accumulation, recipe.batch, 1)
    made = rows()
    order = PooledOrder([len(row["input_ids"]) for row in made], recipe.batch, recipe.seed)
    arguments = TrainingArguments(
        output_dir=str(one.work),
        num_train_epochs=3,
        max_steps=one.steps or -1,
        per_device_train_batch_size=dealt.at_once,
        gradient_accumulation_steps=dealt.rounds,
        learning_rate=1e-2,
        lr_scheduler_type="cosine",
        use_cpu=True,
        seed=recipe.seed,
        save_strategy="steps" if one.save_every else "no",
        save_steps=one.save_every or 500,
        save_total_limit=one.keep,
        logging_steps=4,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    model = small_llama(tie_word_embeddings=True, attention_dropout=0.1)
    if one.kind == "lora":
        model = with_adapter(model, lora_dropout=0.2)
    trainer = Small(
        recipe, Dataset.from_list(made), order, dealt, 0, [], [],
        model=model, args=arguments, data_collator=Collator(0),
    )  # fmt: skip
    trainer.train()
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode() + weight.contiguous().numpy().tobytes())
    (Path(one.folder) / "weights").write_text(digest.hexdigest())


class Host:
    """The process that forks tries."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "small_training"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            cwd=Path(__file__).parent,
        )

    def start(self, one: Try) -> int:
        """Begin a try; returns its process's id."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asdict(one), default=str) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> int:
        """Wait for the try to end; its exit code, below 0 for a signal."""
        return self._answer()

    def run(self, one: Try) -> int:
        """A try from its beginning to its end; its exit code."""
        self.start(one)
        return self.end()

    def _answer(self) -> int:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the host has ended"
        return int(line)

    def close(self) -> None:
        self._process.communicate()


@contextlib.contextmanager
def host() -> Iterator[Host]:
    """A host for the tries of some tests."""
    process = Host()
    try:
        yield process
    finally:
        process.close()


def _die_at(count: int) -> None:
    """Have this process killed at its ``count``-th call that brings something to the disk or renames it."""
    calls = 0

    def counted(real: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)

        return call

    for name in ("fsync", "rename", "unlink", "mkdir"):
        setattr(os, name, counted(getattr(os, name)))


def _serve() -> None:
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import torch
    import transformers.trainer  # noqa: F401

    import ophtimus_training.running.trainer  # noqa: F401
    from ophtimus_edge.terminal.failures import reported

    torch.set_num_threads(1)
    for line in sys.stdin:
        one = Try(**json.loads(line))
        Path(one.folder).mkdir(exist_ok=True)
        child = os.fork()
        if child == 0:
            error = os.open(Path(one.folder) / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(error, 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 70  # what an error that nobody foresaw ends with; its traceback is in the file
            try:
                if one.die_at:
                    _die_at(one.die_at)
                with reported("train") as ending:
                    train(one)
                code = ending.exit_code
            finally:
                if code == 70:
                    import traceback

                    traceback.print_exc()
                sys.stderr.flush()
                os._exit(code)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
