"""What ``ophtimus compare`` is tested on: small files, quick settings, and a run that is stopped on its way."""

import json
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from conftest import BIN

SENTENCE = "The cornea is the clear front of the eye, and the lens lies behind the iris; number {}.\n"
QUICK = ("--without", "speed", "--without", "essay", "--likelihood-only", "--orders", "1")
ESSAYS_ALONE = ("--without", "speed", "--max-tokens", "8")


def text_file(path: Path, sentences: int = 120) -> Path:
    """A text of some windows: about five for a hundred sentences."""
    path.write_text("".join(SENTENCE.format(row) for row in range(sentences)), encoding="utf-8")
    return path


def choice_file(path: Path, rows: int = 12, what: str = "eye") -> Path:
    """Multiple-choice questions with ids, so that other words can stand under the same ones."""
    lines = [
        {
            "id": f"q{row}", "question": f"Which of these is part of the {what}, in row {row}?",
            "option_a": f"cornea {row}", "option_b": f"femur {row}", "answer": "A", "topic": f"topic {row % 3}",
        }
        for row in range(rows)
    ]  # fmt: skip
    return _written(path, lines)


def essay_file(path: Path, rows: int = 3, what: str = "glaucoma") -> Path:
    """Essay questions with ids."""
    lines = [
        {"id": f"e{row}", "question": f"What is {what}, in row {row}?", "answer": f"A disease, {row} mg."}
        for row in range(rows)
    ]
    return _written(path, lines)


def _written(path: Path, lines: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def records(out: Path, part: str) -> dict[str, list[bytes]]:
    """The whole lines of what is kept of a part, without the head, by the file's name."""
    kept = {}
    for path in sorted((out / "measured").glob(f"{part}-*")):
        lines = path.read_bytes().splitlines(keepends=True)
        kept[path.name] = [line for line in lines[1:] if line.endswith(b"\n")]
    return kept


def stopped(
    words: Sequence[str], out: Path, part: str, how: signal.Signals
) -> "subprocess.CompletedProcess[str]":
    """Start a comparison, and stop it as soon as it has kept a record of a part."""
    with subprocess.Popen(
        [str(BIN / "ophtimus"), "compare", *words, "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Tests that run in the background ignore Ctrl-C, and what they start would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        while process.poll() is None and not any(records(out, part).values()):
            time.sleep(0.005)
        process.send_signal(how)
        output, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, output, errors)
