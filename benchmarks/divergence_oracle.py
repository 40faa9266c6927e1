"""Are our figures of a level's divergence those of llama-perplexity, and how long does either take?

LLAMA_PERPLEXITY is built from llama-cpp-python's own source distribution:

    cmake -S vendor/llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF
    cmake --build build --target llama-perplexity

It passes over the text twice: once with the reference, whose logits it writes into a file in 16 bits (1 GB for
16 windows of Llama 3), once with the level. Both sides in turn; each time is that of everything, loading too.

Its file keeps no token that is rarer than e⁻¹⁶ times the likeliest: what the second pass prints of the
reference's perplexity is too low where a text surprises the model more than that. The first pass prints it
from the logits themselves, and that is what ours is held to.

    .venv/bin/python benchmarks/divergence_oracle.py LLAMA_PERPLEXITY REFERENCE LEVEL [--text FILE] [--windows 64]
        [--rounds 3] [--work FOLDER] [--alone]

With --alone the two models of benchmarks/divergence_cost.py, each by itself, take their turn too.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from divergence_cost import TIME_BAR as ALONE_BAR
from divergence_cost import Asked, alone, arguments, ours, prepared, report_memory
from engine import report

from ophtimus_edge.compare.divergence.scores import Divergence

BAR, TIME_BAR = 0.01, "≤ 1.1"
NUMBER = r" *[:=] +(-?[\d.]+)"
# What it prints → ours, how many of its units make one of ours, and whether ours is held to it.
FIGURES = {
    r"Final estimate: PPL": ("ppl_reference", 1, True),  # of the first pass
    r"Mean PPL\(base\)": ("ppl_reference", 1, False),  # of the second: from the file
    r"Mean PPL\(Q\)": ("ppl", 1, True),
    r"Mean PPL\(Q\)/PPL\(base\)": ("ppl_ratio", 1, False),
    r"Cor\(ln\(PPL\(Q\)\), ln\(PPL\(base\)\)\)": ("ln_ppl_correlation", 100, False),
    r"Mean    KLD": ("kl_mean", 1, True),
    r"Median  KLD": ("kl_median", 1, False),
    r"90\.0%   KLD": ("kl_p90", 1, False),
    r"95\.0%   KLD": ("kl_p95", 1, False),
    r"99\.0%   KLD": ("kl_p99", 1, False),
    r"99\.9%   KLD": ("kl_p999", 1, False),
    r"Maximum KLD": ("kl_max", 1, False),
    r"Mean    Δp": ("delta_p_mean", 100, False),
    r"RMS Δp": ("delta_p_rms", 100, False),
    r"Same top p": ("same_top", 100, True),
}


def theirs(program: str, asked: Asked, work: Path) -> tuple[float, str]:
    """Both passes: seconds, and what they print."""
    text, logits = work / "text.txt", work / "logits.bin"
    text.write_text(asked.text, "utf-8")
    start, printed = time.monotonic(), ""
    for model, more in ((asked.reference, []), (asked.level, ["--kl-divergence"])):
        command = [program, "-m", str(model.path), "-c", "512", "-t", str(asked.threads), "-f", str(text)]
        run = subprocess.run(
            [*command, "--kl-divergence-base", str(logits), *more],
            capture_output=True,
            text=True,
            check=False,
        )
        printed += run.stdout + run.stderr
        if run.returncode:
            sys.exit(f"{' '.join(command)}\n{run.stderr[-2000:]}")
    seconds = time.monotonic() - start
    logits.unlink()
    return seconds, printed


def compared(found: Divergence, printed: str) -> None:
    """Each figure of both, and the relative difference."""
    print("| figure | ours | llama-perplexity | difference |\n|---|---|---|---|")
    for pattern, (name, times, held) in FIGURES.items():
        match = re.search(pattern + NUMBER, printed)
        if match is None:
            sys.exit(f"llama-perplexity did not print {name}:\n{printed[-3000:]}")
        value = getattr(found, name)
        own, other = getattr(value, "value", value), float(match[1]) / times
        apart = own / other - 1 if other else own - other
        bar = (" (bar 1 %)" if abs(apart) <= BAR else " (bar 1 %) MISSED") if held else ""
        what = f"{name}, its 16-bit file" if "base" in pattern else name
        print(f"| {what} | {own:.6g} | {other:.6g} | {apart:+.4%}{bar} |", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", metavar="LLAMA_PERPLEXITY")
    arguments(parser)
    parser.add_argument("--work", type=Path, help="where the logits file goes; it is removed")
    parser.add_argument("--alone", action="store_true", help="time both models by themselves too")
    given = parser.parse_args()
    asked = await prepared(given)
    own, other, apart, memory = [], [], [], []
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        for turn in range(given.rounds):
            one = await ours(asked)
            seconds, printed = theirs(given.program, asked, Path(folder))
            own.append(one.seconds)
            other.append(seconds)
            print(f"  {one.seconds:.1f} s and {seconds:.1f} s", flush=True)
            if given.alone:
                runs = [alone(asked, model) for model in (asked.reference, asked.level)]
                apart.append(sum(run["seconds"] for run in runs))
                memory.append((one.peak_bytes, sum(int(run["peak_bytes"]) for run in runs)))
                print(f"  both models alone {apart[-1]:.1f} s", flush=True)
            if not turn:
                compared(one.found, printed)
                print(f"our peak memory: {one.peak_bytes / 1e6:.0f} MB", flush=True)
    report("divergence ÷ both passes of llama-perplexity", own, other, TIME_BAR, " s")
    if given.alone:
        report("divergence ÷ both models alone", own, apart, ALONE_BAR, " s")
        report_memory(memory)


if __name__ == "__main__":
    asyncio.run(main())
