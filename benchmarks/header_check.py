"""The header check under changed headers: what it says, how long it takes, and how much memory it needs.

    .venv/bin/python benchmarks/header_check.py [--mutants 1000] [--vocabulary GGUF] [--seed 4]

First the demonstration model's header, then a header of Llama 3 with a billion weights and the real vocabulary
(``--vocabulary``, a GGUF file without weights; left out where it is not here): the sound one is checked as often
as the changed ones are, and each time is of the call alone. The memory is the peak of this process, less what it
had before the first check. Anything but InvalidModelError ends the benchmark with a traceback.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from gguf_mutants import Whole, mutant, of_1b, of_file  # noqa: E402

from ophtimus_edge.errors import InvalidModelError  # noqa: E402
from ophtimus_edge.locations import demo_folder  # noqa: E402
from ophtimus_edge.models import gguf  # noqa: E402

MEMORY_BAR_MB, DEMO_BAR_MS, LLAMA_BAR_MS = 200, 5, 150


def peak_bytes(*, anew: bool = False) -> int:
    """The most memory that this process has held; from now on, where it is counted anew."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def checked(path: Path) -> tuple[float, bool]:
    """Seconds that a check takes, and whether the file is refused."""
    began = time.perf_counter()
    try:
        gguf.check(path)
    except InvalidModelError:
        return time.perf_counter() - began, True
    return time.perf_counter() - began, False


def measure(name: str, sound: Whole, count: int, seed: int, folder: Path, bar_ms: float) -> None:
    draw, path = random.Random(seed), folder / "mutant.gguf"  # noqa: S311
    of_mutants, of_sound, refused = [], [], 0
    for number in range(count):
        sound.write(path, mutant(draw, sound.header))
        seconds, no = checked(path)
        of_mutants.append(seconds)
        refused += no
        if number % max(1, count // 1000) == 0:
            sound.write(path)
            seconds, no = checked(path)
            of_sound.append(seconds)
            assert not no, "the sound file is refused"
    both = [1000 * statistics.median(times) for times in (of_mutants, of_sound)]
    print(
        f"{name}: header of {len(sound.header) / 1e6:.2f} MB, {count:,} mutants, {refused:,} refused, nothing but "
        f"InvalidModelError; median {both[0]:.2f} ms, longest {1000 * max(of_mutants):.1f} ms; the sound one "
        f"{len(of_sound):,} times accepted, median {both[1]:.2f} ms (bar {bar_ms} ms)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutants", type=int, default=1000, help="of each header; of Llama 3 at most 1000")
    parser.add_argument("--vocabulary", type=Path, default=ROOT.parent / "shared/fixtures/llama3-vocab.gguf")
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    demo = of_file(demo_folder() / "Ophtimus-Demo-Q4_K_M.gguf")
    llama = of_1b(options.vocabulary) if options.vocabulary.is_file() else None
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:  # noqa: PTH112, S108
        before = peak_bytes(anew=True)
        measure("demonstration", demo, options.mutants, options.seed, Path(name), DEMO_BAR_MS)
        print(f"memory {(peak_bytes() - before) / 1e6:.0f} MB (bar {MEMORY_BAR_MB} MB)", flush=True)
        if llama is None:
            print(f"Llama 3: not measured, {options.vocabulary} is not here")
            return
        before = peak_bytes(anew=True)
        count = min(1000, options.mutants)
        measure("Llama 3 1B", llama, count, options.seed, Path(name), LLAMA_BAR_MS)
        print(f"memory {(peak_bytes() - before) / 1e6:.0f} MB (bar {MEMORY_BAR_MB} MB)")


if __name__ == "__main__":
    main()
