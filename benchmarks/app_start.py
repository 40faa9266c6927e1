"""From the command to the app's first drawing, and to a letter that stands in its question box.

    .venv/bin/python benchmarks/app_start.py [--rounds 15]

The installed command with the demonstration model, in a pseudo-terminal, the first start's questions answered. The
letter is typed at the first drawing, so that it waits in the terminal until the box takes it. The packages are
compiled first, as pip does when it installs them.
"""

import argparse
import compileall
import statistics
import sys
import tempfile
from pathlib import Path

from in_terminal import Terminal

from ophtimus_edge.settings import FIRST_START

PAINT_BAR_S, TYPING_BAR_S = 0.7, 1.0
LETTER = "뷁"  # in no text of the app


def start(home: Path) -> tuple[float, float]:
    """Seconds to the first drawing and to the letter."""
    home.joinpath("settings.toml").write_text(f'language = "en"\nfirst_start_done = {FIRST_START}\n')
    command = str(Path(sys.executable).with_name("ophtimus"))
    with Terminal([command], OPHTIMUS_HOME=str(home)) as terminal:
        drawn = terminal.wait("Ophtimus")
        terminal.write(LETTER)
        return drawn - terminal.began, terminal.wait(LETTER) - terminal.began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for package in ("ophtimus_edge", "tui"):
        compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)
    parser.add_argument("--rounds", type=int, default=15)
    times = []
    for _ in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory() as home:
            times.append(start(Path(home)))
    bars = {"first drawing": PAINT_BAR_S, "typing": TYPING_BAR_S}
    for (name, bar), values in zip(bars.items(), zip(*times, strict=True), strict=True):
        least, most = min(values), max(values)
        print(f"{name}: median {statistics.median(values):.2f} s, {least:.2f} to {most:.2f} (bar ≤ {bar} s)")


if __name__ == "__main__":
    main()
