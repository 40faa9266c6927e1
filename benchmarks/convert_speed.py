"""ophtimus-convert beside the chain that people use otherwise: time, memory, bytes written.

The chain: peft's merge_and_unload and save_pretrained, llama.cpp's convert_hf_to_gguf.py from the source
distribution that is named, llama_model_quantize once a level. Ours without the gates logits and answers.
Both sides alternate; medians are printed with their ratio. Memory is the greatest sum of resident memory over
all processes of a side, mapped pages included, sampled 20 times a second. convert_hf_to_gguf.py imports
sentencepiece, which nothing here needs: put it on PYTHONPATH.

    .venv/bin/python benchmarks/convert_speed.py CHECKPOINT --adapter DIR --vendor VENDORED_LLAMA_CPP
        --work FOLDER [--rounds 3] [--case one|plain|seven|all|alone]

``alone`` runs only ours, without the adapter, and puts the plan's prediction beside it: for a shape that the other
side cannot hold in memory here.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SEVEN = ("BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
CODES = {"BF16": 32, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q4_K_M": 15, "Q3_K_M": 12, "Q2_K": 10}
MERGE = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
PeftModel.from_pretrained(base, sys.argv[2]).merge_and_unload().save_pretrained(sys.argv[3])
AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[3])
"""
QUANTIZE = """
import ctypes, llama_cpp, sys
llama_cpp.llama_backend_init()
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.ftype, parameters.nthread = int(sys.argv[3]), len(__import__("os").sched_getaffinity(0))
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(parameters)))
"""


class Cost(NamedTuple):
    """What a side took."""

    seconds: float
    peak_bytes: int
    written_bytes: int


class Meter:
    """Runs commands and watches them and all that they start."""

    def __init__(self) -> None:
        self.peak = 0
        self.written: dict[int, int] = {}

    def run(self, command: list[str], **environment: str) -> None:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                self._look(process.pid)
                time.sleep(0.05)

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, errors = process.communicate()
        done.set()
        watcher.join()
        if process.returncode:
            sys.exit(f"{' '.join(command)[:200]} failed:\n{errors.decode()[-2000:]}")

    def _look(self, root: int) -> None:
        total = 0
        for pid in [root, *_descendants(root)]:
            try:
                fields = dict(
                    line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                )
                total += int(fields["VmRSS"].split()[0]) * 1024
                if pid == root:  # its counts gain those of every child that has ended
                    counts = dict(
                        line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines()
                    )
                    self.written[pid] = int(counts["wchar"])
            except (OSError, KeyError, ValueError):
                continue  # it ended meanwhile
        self.peak = max(self.peak, total)


def _descendants(pid: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                found += [int(child), *_descendants(int(child))]
        except OSError:
            continue
    return found


def measured(work: Path, side: Callable[[Meter, Path], None]) -> Cost:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    meter, start = Meter(), time.monotonic()
    side(meter, work)
    return Cost(time.monotonic() - start, meter.peak, sum(meter.written.values()))


def ours(source: Path, adapter: Path | None, levels: tuple[str, ...]) -> Callable[[Meter, Path], None]:
    def side(meter: Meter, work: Path) -> None:
        command = [
            str(Path(sys.executable).parent / "ophtimus-convert"),
            str(source),
            "-o",
            str(work / "model"),
        ]
        command += ["--skip-gate", "logits", "--skip-gate", "answers"]
        command += ["--adapter", str(adapter)] if adapter else []
        for level in levels:
            command += ["-l", level]
        meter.run(command)

    return side


def chain(
    source: Path, adapter: Path, vendor: Path, levels: tuple[str, ...]
) -> Callable[[Meter, Path], None]:
    def side(meter: Meter, work: Path) -> None:
        meter.run([sys.executable, "-c", MERGE, str(source), str(adapter), str(work / "merged")])
        gguf16 = work / "model-BF16.gguf"
        oracle_convert(meter, vendor, work / "merged", gguf16)
        for level in levels:
            if level != "BF16":
                quantize(meter, gguf16, work / f"model-{level}.gguf", level)

    return side


def oracle_convert(meter: Meter, vendor: Path, source: Path, target: Path) -> None:
    command = [sys.executable, str(vendor / "convert_hf_to_gguf.py"), str(source)]
    command += ["--outfile", str(target), "--outtype", "bf16"]
    meter.run(
        command, PYTHONPATH=os.pathsep.join([str(vendor / "gguf-py"), os.environ.get("PYTHONPATH", "")])
    )


def quantize(meter: Meter, source: Path, target: Path, level: str) -> None:
    meter.run([sys.executable, "-c", QUANTIZE, str(source), str(target), str(CODES[level])])


def compare(title: str, bar: float, rounds: int, work: Path, a: Callable, b: Callable, output: str) -> None:
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(rounds):
        for side, kept, name in ((a, costs[0], "ours"), (b, costs[1], "theirs")):
            kept.append(measured(work / name, side))
            print(f"  {name}: {kept[-1].seconds:.1f} s", flush=True)
    sizes = sum(path.stat().st_size for path in (work / "ours").rglob(output))
    one, other = (statistics.median(cost.seconds for cost in side) for side in costs)
    peaks = [max(cost.peak_bytes for cost in side) / 1e6 for side in costs]
    written = [statistics.median(cost.written_bytes for cost in side) for side in costs]
    print(
        f"{title}: {one:.1f} s against {other:.1f} s, ratio {one / other:.2f} (bar {bar}); peak memory "
        f"{peaks[0]:.0f} MB against {peaks[1]:.0f} MB; written {written[0] / 1e6:.0f} MB "
        f"({written[0] / sizes:.3f} of the outputs) against {written[1] / 1e6:.0f} MB",
        flush=True,
    )


def alone(source: Path, work: Path, level: str) -> None:
    """Ours once, beside what its plan says."""
    command = [
        str(Path(sys.executable).parent / "ophtimus-convert"),
        str(source),
        "-o",
        str(work / "planned"),
    ]
    said = json.loads(subprocess.check_output([*command, "-l", level, "--plan", "--json"]))
    cost = measured(work / "ours", ours(source, None, (level,)))
    size = sum(path.stat().st_size for path in (work / "ours").rglob("*.gguf"))
    print(
        f"{source.name} to {level}: planned {said['seconds']:.0f} s, took {cost.seconds:.0f} s; planned "
        f"{said['peak_memory_bytes'] / 1e6:.0f} MB, took {cost.peak_bytes / 1e6:.0f} MB; planned "
        f"{said['peak_disk_bytes'] / 1e6:.0f} MB, written {cost.written_bytes / 1e6:.0f} MB "
        f"({cost.written_bytes / size:.3f} of the output)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--vendor", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", choices=("one", "plain", "seven", "all", "alone"), default="all")
    given = parser.parse_args()
    source, adapter, vendor, work, rounds = (
        given.checkpoint, given.adapter, given.vendor, given.work, given.rounds,
    )  # fmt: skip
    if given.case == "alone":
        alone(source, work, "Q4_K_M")
    if given.case in {"one", "all"}:
        levels = ("Q4_K_M",)
        compare("checkpoint + adapter to Q4_K_M", 0.6, rounds, work, ours(source, adapter, levels),
                chain(source, adapter, vendor, levels), "*.gguf")  # fmt: skip
    if given.case in {"plain", "all"}:
        ready = work / "ready" / "model-BF16.gguf"
        ready.parent.mkdir(parents=True, exist_ok=True)
        oracle_convert(Meter(), vendor, source, ready)
        compare("checkpoint to Q4_K_M, against the quantizer alone", 1.15, rounds, work,
                ours(source, None, ("Q4_K_M",)),
                lambda meter, folder: quantize(meter, ready, folder / "q4.gguf", "Q4_K_M"), "*.gguf")  # fmt: skip
        shutil.rmtree(work / "ready")
    if given.case in {"seven", "all"}:
        compare("checkpoint + adapter to seven levels", 0.9, rounds, work, ours(source, adapter, SEVEN),
                chain(source, adapter, vendor, SEVEN), "*.gguf")  # fmt: skip


if __name__ == "__main__":
    main()
