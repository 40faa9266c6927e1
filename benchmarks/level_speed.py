"""The speed part of a comparison beside llama-bench: tokens a second of pp512 and tg128, both sides in turn.

    .venv/bin/python benchmarks/level_speed.py LLAMA_BENCH MODEL.gguf [--rounds 5]

LLAMA_BENCH is the program of llama.cpp, built from llama-cpp-python's own source distribution
(vendor/llama.cpp: `cmake -B build && cmake --build build --target llama-bench`) and linked with the libraries
of the installed wheel, so that the arithmetic is the same and the method alone is compared.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess

from ophtimus_edge.compare.speed.measuring import measure_speed
from ophtimus_edge.compare.speed.samples import SpeedSample
from ophtimus_edge.models import store


def llama_bench(program: str, model: store.ChosenModel, threads: int) -> tuple[float, float]:
    """Its tokens a second: a warm-up and one repetition of each, in a process of its own."""
    result = subprocess.run(
        [program, "-m", str(model.path), "-p", "512", "-n", "128", "-r", "1", "-ngl", "0",
         "-t", str(threads), "-o", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    prompt, generated = (float(test["avg_ts"]) for test in json.loads(result.stdout))
    return prompt, generated


def report(what: str, ours: list[float], theirs: list[float]) -> None:
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(
        f"{what}: {statistics.median(ours):.2f} ({min(ours):.2f} to {max(ours):.2f}) ÷ "
        f"{statistics.median(theirs):.2f} ({min(theirs):.2f} to {max(theirs):.2f}) tokens/s; median of the "
        f"ratios {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
        flush=True,
    )


async def once(model: store.ChosenModel) -> SpeedSample:
    """The level in the first round of a comparison."""
    async with contextlib.aclosing(measure_speed([model], gpu_layers=0)) as samples:
        return await anext(samples)


async def measured(program: str, model: store.ChosenModel, rounds: int) -> None:
    samples: list[SpeedSample] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(rounds):
        samples.append(await once(model))
        theirs.append(await asyncio.to_thread(llama_bench, program, model, samples[-1].threads))
        print(
            f"  {samples[-1].prompt_tokens_per_s:.2f} and {samples[-1].generated_tokens_per_s:.2f}; "
            f"llama-bench {theirs[-1][0]:.2f} and {theirs[-1][1]:.2f}",
            flush=True,
        )
    report("pp512", [one.prompt_tokens_per_s for one in samples], [one[0] for one in theirs])
    report("tg128", [one.generated_tokens_per_s for one in samples], [one[1] for one in theirs])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("llama_bench")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    asyncio.run(measured(given.llama_bench, store.choose(given.model), given.rounds))


if __name__ == "__main__":
    main()
