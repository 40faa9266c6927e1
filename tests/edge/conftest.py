"""What the tests of the runtime share: a batch with the tiny model, a header."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from gguf_drafts import Draft


@pytest.fixture
def answer(ophtimus: Command, tiny_model: Path, tmp_path: Path) -> Any:
    """Answer a file with the tiny model, four tokens an answer."""

    def run(source: Path, out: str = "out.jsonl", *words: str) -> "subprocess.CompletedProcess[str]":
        return ophtimus(
            "batch", str(source), "--out", str(tmp_path / out), "--model", str(tiny_model),
            "--max-tokens", "4", *words,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def draft(tiny_model: Path) -> Draft:
    """A sound header of the tiny model, to be changed and put together again."""
    return Draft((tiny_model / "tiny-Q4_K_M.gguf").read_bytes())
