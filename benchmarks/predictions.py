"""What `ophtimus doctor` predicts beside what is measured: tokens a second, and peak resident memory.

Each level is loaded as the app loads it and asked a question of some 400 tokens; then it writes 128 tokens,
three times. The speed is the median; the memory is VmHWM of the engine's process (Linux), mapped pages of the
file included. The machine is measured once, before everything else, as the doctor does it.

    .venv/bin/python benchmarks/predictions.py [MODEL …]

MODEL is `demo` (the default), a model folder, all of whose levels are measured, or a GGUF file.
"""

import argparse
import asyncio
import statistics
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Sampling, Turn
from ophtimus_edge.models import fit, gguf, hardware, probe, store
from ophtimus_edge.models.formats import read_model_folder

QUESTION = "Which findings at the slit lamp tell anterior uveitis from acute angle closure? " * 24
TOKENS, ROUNDS = 128, 3
MEMORY_BAR, SPEED_BAR = (0.9, 1.1), (0.75, 1.33)


class Measured(NamedTuple):
    """What one level came to."""

    context: int
    gpu_layers: int
    peak_bytes: int
    tokens_per_s: list[float]


def peak_resident(process: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


async def measured(model: store.ChosenModel) -> Measured:
    speeds = []
    async with Engine() as engine:
        loaded = await engine.load(model)
        for _ in range(ROUNDS):
            sampling = Sampling(max_tokens=TOKENS, min_tokens=TOKENS)
            async for event in engine.answer(
                [Turn("user", QUESTION)], sampling, plain=not loaded.has_template
            ):
                if isinstance(event, Answered):
                    speeds.append(event.tokens_per_s)
        assert engine.process_id
        return Measured(loaded.context, loaded.gpu_layers, peak_resident(engine.process_id), speeds)


def levels_of(name: str) -> list[store.ChosenModel]:
    first = store.choose(name)
    if first.folder is None:
        return [first]
    return [store.choose(name, level.level) for level in read_model_folder(first.path.parent).levels]


def within(ratio: float, bar: tuple[float, float]) -> str:
    return f"{ratio:.2f}" + ("" if bar[0] <= ratio <= bar[1] else " MISSED")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=["demo"], metavar="MODEL")
    given = parser.parse_args()
    machine = hardware.read_machine()
    speed = probe.run(machine, fit.computing_threads(machine))
    print(f"{machine.cpu_name}, {speed.threads} threads: {speed.bandwidth / 1e9:.1f} GB/s, "
          f"{speed.arithmetic / 1e9:.0f} GFLOP/s, {speed.step_s * 1e9:.0f} ns a step")  # fmt: skip
    print("| model | file MB | context | peak memory MB: predicted / measured | ratio (0.9 to 1.1) "
          "| tokens/s: predicted / measured (from, to) | ratio (0.75 to 1.33) |")  # fmt: skip
    print("|---" * 7 + "|")
    for model in [level for name in given.models for level in levels_of(name)]:
        header, size = gguf.check(model.path), model.path.stat().st_size
        found = asyncio.run(measured(model))
        memory = fit.predict_memory(header, size, found.context, found.gpu_layers, machine)
        rate = fit.predict_speed(header, size, machine, speed, found.gpu_layers)
        middle = statistics.median(found.tokens_per_s)
        print(
            f"| {model.name} {model.level} | {size / 1e6:.0f} | {found.context} "
            f"| {memory / 1e6:.0f} / {found.peak_bytes / 1e6:.0f} | {within(memory / found.peak_bytes, MEMORY_BAR)} "
            f"| {rate:.1f} / {middle:.1f} ({min(found.tokens_per_s):.1f}, {max(found.tokens_per_s):.1f}) "
            f"| {within(rate / middle, SPEED_BAR)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
