"""Batches that are killed at seeded moments: the next run goes on, and no row is lost or there twice.

With ``--parallel 1`` every text must be that of an undisturbed run; drawn words show the slightest
difference in the model's numbers. With more at once, llama.cpp's last digits depend on what is computed
together, so that only the rows, their questions and their wholeness are promised.
"""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import BIN

from ophtimus_edge.batch.journal import folder_of

KILLS = 20 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 3
ROWS, TOKENS = 96, 24
TOPICS = ["glaucoma", "a cataract", "the macula", "uveitis", "keratitis", "the fovea", "amblyopia", "녹내장"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions of unlike lengths, some beginning alike, one of them empty and one too long."""
    drawn = random.Random(5)
    path = tmp_path_factory.mktemp("batch") / "in.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, ROWS + 1):
            begin = drawn.choice(["What is", "What is the treatment of", "How does one examine", "Why"])
            question = f"{begin} {drawn.choice(TOPICS)} {'and more ' * drawn.randrange(6)}in case {number}?"
            question = {17: " ", 40: "glaucoma " * 600}.get(number, question)
            file.write(json.dumps({"id": f"q-{number}", "question": question}, ensure_ascii=False) + "\n")
    return path


def command(source: Path, out: Path, model: Path, parallel: int) -> list[str]:
    return [
        str(BIN / "ophtimus"), "batch", str(source), "--out", str(out), "--model", str(model),
        "--max-tokens", str(TOKENS), "--parallel", str(parallel), "--temperature", "1", "--seed", "5",
    ]  # fmt: skip


def finished(words: list[str], out: Path) -> list[dict[str, Any]]:
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    assert f"2 of {ROWS} questions could not be answered" in result.stderr
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def rows_in(journal: Path) -> int:
    try:
        return journal.read_bytes().count(b'{"row":')
    except OSError:
        return 0


def killed(words: list[str], out: Path, at: int, delay: float) -> int:
    """Run, kill when about so many rows are there; returns how many were. The worker ends by itself."""
    journal = folder_of(out) / "journal.jsonl"
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        workers: list[psutil.Process] = []
        while rows_in(journal) < at and process.poll() is None:
            time.sleep(0.002)
        time.sleep(delay)
        if process.poll() is None:
            workers = psutil.Process(process.pid).children(recursive=True)
            os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    return rows_in(journal)


@pytest.mark.parametrize("parallel", [1, 6])
def test_every_killed_batch_ends_as_an_undisturbed_one(
    tiny_model: Path, source: Path, tmp_path: Path, parallel: int
) -> None:
    whole_out = tmp_path / "whole.jsonl"
    whole = finished(command(source, whole_out, tiny_model, parallel), whole_out)
    assert [row["row"] for row in whole] == list(range(1, ROWS + 1))
    moments = random.Random(13)
    went_on = 0
    for number in range(KILLS):
        out = tmp_path / f"out-{number}.jsonl"
        words = command(source, out, tiny_model, parallel)
        for _ in range(moments.randrange(1, 3)):
            if not out.exists():
                there = killed(words, out, moments.randrange(ROWS), moments.choice([0.0, 0.003, 0.02]))
                went_on += 0 < there < ROWS
        if out.exists() and not folder_of(out).exists():
            rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        else:
            rows = finished(words, out)
        assert not folder_of(out).exists()
        assert [(row["row"], row["id"], row["question"]) for row in rows] == [
            (row["row"], row["id"], row["question"]) for row in whole
        ]
        for row, same in zip(rows, whole, strict=True):
            assert set(row) == set(same)
            assert row.get("error") == same.get("error")
            assert row.get("completion_tokens") == same.get("completion_tokens")
        if parallel == 1:
            assert rows == whole
    assert went_on  # some kills fell between rows
