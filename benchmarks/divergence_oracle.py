"""Are our figures of a level's divergence those of llama-perplexity, and how long does either take?

LLAMA_PERPLEXITY is built from llama-cpp-python's own source distribution:

    cmake -S vendor/llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF
    cmake --build build --target llama-perplexity

It passes over the text twice: once with the reference, whose logits it writes into a file in 16 bits (260 bytes a
thousand tokens and token of the vocabulary, 1 GB for 16 windows of Llama 3), once with the level. Both sides
in turn; each time is that of everything, loading too.

    .venv/bin/python benchmarks/divergence_oracle.py LLAMA_PERPLEXITY REFERENCE LEVEL [--text FILE] [--windows 64]
        [--rounds 3] [--work FOLDER]
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from divergence_cost import Asked, arguments, ours, prepared
from engine import report

from ophtimus_edge.compare.divergence.scores import Divergence

BAR, TIME_BAR = 0.01, "≤ 1.1"
NUMBER = r"\s*:?\s+(-?[\d.]+)"
# What it prints → ours, and how many of its units make one of ours.
FIGURES = {
    r"Mean PPL\(Q\)": ("ppl", 1),
    r"Mean PPL\(base\)": ("ppl_reference", 1),
    r"Mean PPL\(Q\)/PPL\(base\)": ("ppl_ratio", 1),
    r"Cor\(ln\(PPL\(Q\)\), ln\(PPL\(base\)\)\)": ("ln_ppl_correlation", 100),
    r"Mean    KLD": ("kl_mean", 1),
    r"Median  KLD": ("kl_median", 1),
    r"90\.0%   KLD": ("kl_p90", 1),
    r"95\.0%   KLD": ("kl_p95", 1),
    r"99\.0%   KLD": ("kl_p99", 1),
    r"99\.9%   KLD": ("kl_p999", 1),
    r"Maximum KLD": ("kl_max", 1),
    r"Mean    Δp": ("delta_p_mean", 100),
    r"RMS Δp": ("delta_p_rms", 100),
    r"Same top p": ("same_top", 100),
}
HELD_TO_THE_BAR = {"ppl", "ppl_reference", "kl_mean", "same_top"}


def theirs(program: str, asked: Asked, work: Path) -> tuple[float, str]:
    """Both passes: seconds, and what the second prints."""
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
        printed = run.stdout
        if run.returncode:
            sys.exit(f"{' '.join(command)}\n{run.stderr[-2000:]}")
    seconds = time.monotonic() - start
    logits.unlink()
    return seconds, printed


def compared(found: Divergence, printed: str) -> None:
    """Each figure of both, and the relative difference."""
    print("| figure | ours | llama-perplexity | difference |\n|---|---|---|---|")
    for pattern, (name, times) in FIGURES.items():
        match = re.search(f"^ *{pattern}{NUMBER}", printed, re.MULTILINE)
        if match is None:
            sys.exit(f"llama-perplexity did not print {name}:\n{printed[-3000:]}")
        value = getattr(found, name)
        own, other = getattr(value, "value", value), float(match[1]) / times
        apart = own / other - 1 if other else own - other
        missed = " MISSED" if name in HELD_TO_THE_BAR and abs(apart) > BAR else ""
        bar = " (bar 1 %)" if name in HELD_TO_THE_BAR else ""
        print(f"| {name} | {own:.6g} | {other:.6g} | {apart:+.3%}{bar}{missed} |", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", metavar="LLAMA_PERPLEXITY")
    arguments(parser)
    parser.add_argument("--work", type=Path, help="where the logits file goes; it is removed")
    given = parser.parse_args()
    asked = await prepared(given)
    own, other = [], []
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        for turn in range(given.rounds):
            one = await ours(asked)
            seconds, printed = theirs(given.program, asked, Path(folder))
            own.append(one.seconds)
            other.append(seconds)
            if not turn:
                compared(one.found, printed)
                print(f"our peak memory: {one.peak_bytes / 1e6:.0f} MB", flush=True)
    report("divergence ÷ both passes of llama-perplexity", own, other, TIME_BAR, " s")


if __name__ == "__main__":
    asyncio.run(main())
