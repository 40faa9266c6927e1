"""What the divergence of a level costs, beside both models that evaluate the same windows alone.

Both sides in turn: the whole of ours, from the start of the models' processes to the report with its
intervals, and a bare loop of llama.cpp over the same windows with the same rows of logits, first with the
reference, then with the level, their loading left out. Memory is VmHWM (Linux): of our three processes together,
what they share counted in each, and of both bare loops.

    .venv/bin/python benchmarks/divergence_cost.py REFERENCE LEVEL [--text FILE] [--windows 64] [--rounds 3]

REFERENCE and LEVEL are GGUF files. Without a text, the answers of training/primer are used.
"""

import argparse
import asyncio
import statistics
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from bare_loop import peak_resident
from engine import bare, report

from ophtimus_edge.compare.divergence.in_step import measure_divergence
from ophtimus_edge.compare.divergence.report import report_divergence
from ophtimus_edge.compare.divergence.scores import Divergence, WindowScores, summarize
from ophtimus_edge.compare.divergence.windows import ROWS, WINDOW, cut, first_token, read_text
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.models import store
from ophtimus_training import primer as primers

HERE = Path(__file__).parent
TIME_BAR, MEMORY_BAR = "≤ 1.25", 1e9


class Asked(NamedTuple):
    """What both sides work on.

    Attributes:
        text: of exactly the windows that were asked for.
        windows: their token ids.
        threads: of computation.
    """

    reference: store.ChosenModel
    level: store.ChosenModel
    text: str
    windows: list[list[int]]
    threads: int


class Ours(NamedTuple):
    """One run of ours: seconds, bytes of our three processes at the most, what was found."""

    seconds: float
    peak_bytes: int
    found: Divergence


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference")
    parser.add_argument("level")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)


async def prepared(given: argparse.Namespace) -> Asked:
    """The text cut to the windows that were asked for, or to those that it has."""
    reference, level = store.choose(given.reference), store.choose(given.level)
    text = read_text(given.text) if given.text else primer_text()
    begins = first_token(reference.path)
    async with Engine() as engine:
        loaded = await engine.load(reference, WINDOW, gpu_layers=0)
        tokens = await engine.tokenize(text)
        part = b"".join(await engine.pieces(tokens[: given.windows * WINDOW + WINDOW // 2]))
        text = part.decode("utf-8", "ignore").rstrip("\n")
        windows = [window.ids for window in cut(await engine.tokenize(text), begins)]
    print(f"{len(windows)} windows of {WINDOW}, {loaded.threads} threads, {loaded.build}", flush=True)
    return Asked(reference, level, text, windows, loaded.threads)


def primer_text() -> str:
    essays = primers.read(HERE.parent / "training" / "primer").essays
    return "\n\n".join(f"{essay.question}\n{essay.answer}" for essay in essays if essay.language == "en")


async def ours(asked: Asked) -> Ours:
    start, peak = time.monotonic(), 0
    scores: list[WindowScores] = []
    measured = measure_divergence(asked.reference, asked.level, asked.text, gpu_layers=0)
    async with aclosing(measured) as windows:
        async for window in windows:
            scores.append(window)
            peak = sum(map(peak_resident, ["self", *(child.pid for child in psutil.Process().children())]))
    report_divergence(scores)
    return Ours(time.monotonic() - start, peak, summarize(scores))


def alone(asked: Asked, model: store.ChosenModel) -> dict[str, Any]:
    """One model's own evaluation of the windows."""
    order = {"model": str(model.path), "context": WINDOW, "threads": asked.threads}
    return bare({**order, "windows": asked.windows, "rows": ROWS})


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments(parser)
    given = parser.parse_args()
    asked = await prepared(given)
    own, apart, memory = [], [], []
    for _ in range(given.rounds):
        one = await ours(asked)
        theirs = [alone(asked, model) for model in (asked.reference, asked.level)]
        own.append(one.seconds)
        apart.append(sum(run["seconds"] for run in theirs))
        memory.append((one.peak_bytes, sum(int(run["peak_bytes"]) for run in theirs)))
        print(f"  {own[-1]:.1f} s and {apart[-1]:.1f} s", flush=True)
    report("divergence ÷ both models alone", own, apart, TIME_BAR, " s")
    report_memory(memory)


def report_memory(memory: list[tuple[int, int]]) -> None:
    """Ours and both bare loops', in bytes, each round's."""
    more = statistics.median(one - other for one, other in memory)
    print(
        f"peak memory: {memory[0][0] / 1e6:.0f} MB, both models {memory[0][1] / 1e6:.0f} MB: {more / 1e6:+.0f} MB "
        f"(bar ≤ {MEMORY_BAR / 1e6:.0f} MB more)"
    )


if __name__ == "__main__":
    asyncio.run(main())
