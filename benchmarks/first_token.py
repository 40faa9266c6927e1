"""How long a person waits: from starting `ophtimus ask` to the answer's first letter on standard output.

Whole processes, seven times, after one that warms the disk cache; prints the median and the spread.

    .venv/bin/python benchmarks/first_token.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

QUESTION = "What is glaucoma?"


def first_letter(command: list[str]) -> float:
    start = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        lines = 0
        while lines < 2:  # the question and the demonstration's warning come before the answer
            lines += process.stdout.read(1) == b"\n"
        process.stdout.read(1)
        waited = time.monotonic() - start
        process.stdout.read()
    return waited


def main() -> None:
    command = [str(Path(sys.executable).parent / "ophtimus"), "ask", QUESTION]
    first_letter(command)
    waits = [first_letter(command) for _ in range(7)]
    print(f"first letter after {statistics.median(waits):.2f} s (from {min(waits):.2f} to {max(waits):.2f})")


if __name__ == "__main__":
    main()
