"""What the tests of the runtime share: a batch with the tiny model, model folders to be installed, a header."""

import hashlib
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from gguf_drafts import Draft

from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Licence, read_model_folder, write_model_folder


@pytest.fixture
def answer(ophtimus: Command, tiny_model: Path, tmp_path: Path) -> Any:
    """Answer a file with the tiny model, four tokens an answer."""

    def run(source: Path, out: str = "out.jsonl", *words: str) -> "subprocess.CompletedProcess[str]":
        return ophtimus(
            "batch", str(source), "--out", str(tmp_path / out), "--model", str(tiny_model),
            "--max-tokens", "4", *words,
        )  # fmt: skip

    return run


@pytest.fixture
def source(tiny_model: Path, tmp_path: Path) -> Path:
    """A model folder with a licence, a readme, and things that do not belong to it."""
    folder = tmp_path / "stick" / "eyes-7"
    shutil.copytree(tiny_model, folder)
    model = read_model_folder(folder)
    model.name, model.version = "eyes", "7"
    model.licences = [Licence(name="Llama-3.2", file="LICENSE.txt", notice="Built with Llama")]
    write_model_folder(folder, model)
    (folder / "LICENSE.txt").write_text("a licence")
    (folder / "NOTICE").write_text("a notice")
    (folder / "README.md").write_text("a readme")
    (folder / "patients.csv").write_text("must not travel")
    (folder / "loose.gguf").symlink_to("/etc/passwd")
    return folder


@pytest.fixture
def large(tiny_model: Path, tmp_path: Path) -> Callable[[int], Path]:
    """A model folder whose one file has so many chunks and a half: the tiny model, and random bytes behind it."""

    def make(chunks: int) -> Path:
        folder = tmp_path / "large"
        folder.mkdir()
        data = (tiny_model / "tiny-Q4_K_M.gguf").read_bytes()
        data += random.Random(3).randbytes(chunks * CHUNK_BYTES + CHUNK_BYTES // 2 - len(data))
        (folder / "tiny-Q4_K_M.gguf").write_bytes(data)
        model = read_model_folder(tiny_model)
        (level,) = (level for level in model.levels if level.level == "Q4_K_M")
        level.size_bytes, level.sha256 = len(data), hashlib.sha256(data).hexdigest()
        level.chunk_sha256 = [
            hashlib.sha256(data[at : at + CHUNK_BYTES]).hexdigest() for at in range(0, len(data), CHUNK_BYTES)
        ]
        model.name, model.levels = "large", [level]
        write_model_folder(folder, model)
        return folder

    return make


@pytest.fixture(scope="module")
def draft(tiny_model: Path) -> Draft:
    """A sound header of the tiny model, to be changed and put together again."""
    return Draft((tiny_model / "tiny-Q4_K_M.gguf").read_bytes())
