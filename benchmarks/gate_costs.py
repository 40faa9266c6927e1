"""What each gate of a conversion takes, in seconds, and the most memory while it ran.

    .venv/bin/python benchmarks/gate_costs.py CHECKPOINT --work FOLDER [-l LEVEL …] [-- OPTIONS OF ophtimus-convert]

A conversion with all gates, each of which is timed; the engine that the first gate starts and the model that it loads
count for that gate. Resident memory of all processes, mapped pages included, sampled 20 times a second.
"""

import argparse
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from ophtimus_convert import cli, gates

SAMPLE_S = 0.05


class Watch:
    """Seconds and greatest memory of each gate."""

    def __init__(self) -> None:
        self.now = ""
        self.seconds: dict[str, float] = {}
        self.peak: dict[str, int] = {}
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        here = psutil.Process(os.getpid())
        while True:
            name, total = self.now or "conversion", 0
            for process in [here, *here.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue  # it has just ended
            self.peak[name] = max(self.peak.get(name, 0), total)
            time.sleep(SAMPLE_S)

    def over(self, name: str, gate: Any) -> Any:
        """A gate that is watched."""

        async def watched(subject: Any) -> Any:
            self.now, began = name, time.perf_counter()
            try:
                return await gate(subject)
            finally:
                self.seconds[name] = time.perf_counter() - began
                self.now = ""

        return watched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("-l", "--level", action="append", dest="levels")
    parser.add_argument("options", nargs="*", help="for ophtimus-convert, behind --")
    arguments = parser.parse_args()
    levels = arguments.levels or ["BF16", "Q4_K_M"]
    watch = Watch()
    for name, gate in list(gates._GATES.items()):
        gates._GATES[name] = watch.over(name, gate)
    out = arguments.work / "gates"
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    command = [arguments.checkpoint, "-o", str(out), "--name", "gates"]
    status = cli.main([*command, *(word for level in levels for word in ("-l", level)), *arguments.options])
    total = time.perf_counter() - began
    shutil.rmtree(out, ignore_errors=True)
    print(f"{' '.join(levels)}: {total:.1f} s in all")
    for name, seconds in watch.seconds.items():
        print(f"  {name:9} {seconds:6.1f} s  {watch.peak.get(name, 0) / 1e6:6.0f} MB")
    print(
        f"  the rest  {total - sum(watch.seconds.values()):6.1f} s  {watch.peak['conversion'] / 1e6:6.0f} MB"
    )
    sys.exit(status)


if __name__ == "__main__":
    main()
