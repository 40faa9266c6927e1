"""What a comparison's plan says beside what its parts take: speed, and divergence from the reference.

    .venv/bin/python benchmarks/plan_accuracy.py REFERENCE LEVEL… --text FILE [--rounds 2] [--windows 4]

REFERENCE and LEVEL are GGUF files. The plan is made twice: from the files' headers and two seconds of measuring
the machine, and from some tokens measured with each level. It should be right within a factor of 2.
With --rounds 0 or --windows 0 that part is left out.
"""

import argparse
import asyncio
import contextlib
import time
from pathlib import Path

from ophtimus_edge.compare.divergence.in_step import measure_divergence
from ophtimus_edge.compare.divergence.windows import read_text
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.pace import Pace, measure_paces, predict_pace
from ophtimus_edge.compare.running.plan import Asked, Plan, make_plan
from ophtimus_edge.compare.speed.measuring import measure_speed
from ophtimus_edge.compare.speed.samples import SpeedSample
from ophtimus_edge.models import fit, hardware, probe, store


def planned(paces: list[Pace], counts: Counts, machine: hardware.Machine) -> Plan:
    return make_plan(paces[1:], paces[0], Asked(counts=counts), machine)


async def compared(models: list[store.ChosenModel], text: str, rounds: int, windows: int) -> None:
    machine = hardware.read_machine()
    measured = probe.run(machine, fit.computing_threads(machine))
    predicted = [predict_pace(model, machine, measured, gpu_layers=0) for model in models]
    paces = [each async for each in measure_paces(models, predicted, gpu_layers=0)]
    counts = Counts(rounds=rounds, windows=windows)
    plans = [planned(predicted, counts, machine), planned(paces, counts, machine)]
    took, samples = dict[str, float](), list[SpeedSample]()
    start = time.monotonic()
    async with contextlib.aclosing(measure_speed(models, rounds=max(rounds, 2), gpu_layers=0)) as running:
        while len(samples) < len(models) * rounds:
            samples.append(await anext(running))
    took["speed"] = time.monotonic() - start
    start = time.monotonic()
    for level in models[1:] if windows else []:
        async for _ in measure_divergence(models[0], level, text, most=windows, gpu_layers=0):
            pass
    took["divergence"] = time.monotonic() - start
    print("| part | predicted s | from measured paces s | it took s | ratios |")
    print("|---|---|---|---|---|")
    for before, after in zip(plans[0].parts, plans[1].parts, strict=True):
        real = took[before.part]
        print(f"| {before.part} | {before.seconds:.1f} | {after.seconds:.1f} | {real:.1f} "
              f"| {before.seconds / real:.2f}, {after.seconds / real:.2f} |")  # fmt: skip
    for model, one, other in zip(models, predicted, paces, strict=True):
        found = [sample for sample in samples if sample.is_of(model)]
        print(
            f"{model.level}: load s, pp, tg, GiB predicted {_said(one)}; measured {_said(other)}; in the "
            f"rounds {[round(each.prompt_tokens_per_s, 1) for each in found]} "
            f"{[round(each.generated_tokens_per_s, 1) for each in found]}, "
            f"{max((each.peak_memory_bytes for each in found), default=0) / 2**30:.2f} GiB",
            flush=True,
        )


def _said(pace: Pace) -> str:
    return (
        f"{pace.load_s:.1f}, {pace.prompt_tokens_per_s:.1f}, {pace.generated_tokens_per_s:.1f}, "
        f"{pace.memory_bytes / 2**30:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="GGUF")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--windows", type=int, default=4)
    given = parser.parse_args()
    models = [store.choose(name) for name in given.models]
    asyncio.run(compared(models, read_text(given.text), given.rounds, given.windows))


if __name__ == "__main__":
    main()
