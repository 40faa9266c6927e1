"""Multiple choice beside llama.cpp asked one prompt after the other, as evaluation harnesses do it.

Two lines, each measured in this run, both sides in turn: the letters of four-option questions from one evaluation
of each, against one prompt for each option; and answers generated and parsed many at once, against one by one.
The baselines are benchmarks/bare_loop.py: one process, an empty cache before each prompt, logits of its last token
alone. Of a letter of one token only the prompt before it is evaluated. Neither side's load counts.

    .venv/bin/python benchmarks/choices.py MODEL_FOLDER_OR_GGUF [--letters 200] [--answers 64] [--rounds 3]

The bars are for a Llama of the 1B shape at Q4_K_M on two cores. 200 questions take the baseline ten minutes a round,
64 answers of 128 tokens six.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from ophtimus_edge.compare.choices import asking
from ophtimus_edge.compare.choices.asking import Asked
from ophtimus_edge.compare.choices.measuring import PARALLEL, generate_answers, measure_letters
from ophtimus_edge.compare.choices.records import ChoiceRecord
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.models import store
from ophtimus_training import primer as primers

HERE = Path(__file__).parent
BARE_CONTEXT = 1024  # clearing a larger cache would count against the baseline


def four_options(count: int) -> list[Asked]:
    """The primer's four-option questions: as they are written, then in a second order until there are enough."""
    primer = primers.read(HERE.parent / "training" / "primer")
    questions = [one for one in (*primer.choices, *primer.heldout_choices) if len(one.options) == 4]
    asked = [one for one in asking.plan(questions, 2) if len(one.order) == 4]
    assert len(asked) >= count
    return asked[:count]


def bare(order: dict[str, Any]) -> float:
    """Seconds that benchmarks/bare_loop.py takes for an order."""
    result = subprocess.run(
        [sys.executable, str(HERE / "bare_loop.py")],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(result.stdout)["seconds"])


async def timed(records: AsyncGenerator[ChoiceRecord, None]) -> tuple[float, list[ChoiceRecord]]:
    start = time.monotonic()
    found = [record async for record in records]
    return time.monotonic() - start, found


def report(what: str, ours: list[float], theirs: list[float], bar: str) -> None:
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(
        f"{what}: {statistics.median(ours):.2f} s ({min(ours):.2f} to {max(ours):.2f}) ÷ "
        f"{statistics.median(theirs):.2f} s ({min(theirs):.2f} to {max(theirs):.2f}) = "
        f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}; bar {bar})",
        flush=True,
    )


async def letters(model: store.ChosenModel, asked: list[Asked], rounds: int) -> None:
    """The letters' likelihood, against one prompt an option."""
    ours, theirs = [], []
    for _ in range(rounds):
        async with Engine() as engine:
            threads = (await engine.load(model, gpu_layers=0, sequences=PARALLEL)).threads
            prompts = [await engine.render(asking.turns_up_to_letter(one)) for one in asked]
            seconds, found = await timed(measure_letters(engine, model, asked))
        assert len(found) == len(asked)
        ours.append(seconds)
        each = [prompt for prompt in prompts for _ in range(4)]
        order = {
            "model": str(model.path),
            "context": BARE_CONTEXT,
            "threads": threads,
            "prompt": [],
            "options": each,
        }
        theirs.append(bare(order))
        print(f"  {ours[-1]:.2f} s ÷ {theirs[-1]:.2f} s", flush=True)
    tokens = statistics.mean(map(len, prompts))
    report(
        f"letters of {len(asked)} questions of {tokens:.0f} tokens ÷ a prompt an option",
        ours,
        theirs,
        "≤ 0.25",
    )


async def answers(model: store.ChosenModel, asked: list[Asked], write: int, rounds: int) -> None:
    """Generated and parsed, against one by one."""
    ours, theirs = [], []
    for _ in range(rounds):
        async with Engine() as engine:
            threads = (await engine.load(model, gpu_layers=0, sequences=PARALLEL)).threads
            prompts = [await engine.render(asking.turns(one)) for one in asked]
            seconds, found = await timed(generate_answers(engine, model, asked, PARALLEL, write))
        # Random weights never end an answer, so that both sides write as many tokens.
        assert len(found) == len(asked)
        if not all(record.cut_short for record in found):
            print("  an answer ended by itself: the two sides wrote different numbers of tokens", flush=True)
        ours.append(seconds)
        order = {"model": str(model.path), "context": BARE_CONTEXT, "threads": threads, "prompts": prompts}
        theirs.append(bare(order | {"write": write}))
        print(f"  {ours[-1]:.2f} s ÷ {theirs[-1]:.2f} s", flush=True)
    report(f"{len(asked)} answers of {write} tokens, {PARALLEL} at once ÷ one by one", ours, theirs, "≤ 0.5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--letters", type=int, default=200, help="questions; 0 to leave this line out")
    parser.add_argument("--answers", type=int, default=64, help="questions; 0 to leave this line out")
    parser.add_argument("--write", type=int, default=128, help="tokens of an answer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    model = store.choose(options.model)
    if options.letters:
        asyncio.run(letters(model, four_options(options.letters), options.rounds))
    if options.answers:
        asyncio.run(answers(model, four_options(options.answers), options.write, options.rounds))


if __name__ == "__main__":
    main()
