"""What a process really imports: contracts between files do not see dynamic imports."""

import subprocess
import sys
from pathlib import Path

import pytest
from kits import make_kit

from ophtimus_edge.kit import keys

HEAVY = ["textual", "torch", "transformers", "peft", "trl", "llama_cpp", "numpy", "rich", "asyncio"]


def modules_after(script: str) -> set[str]:
    code = f"import sys\n{script}\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in result.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("command", ["ophtimus_edge.cli", "ophtimus_convert.cli", "ophtimus_training.cli"])
def test_help_imports_nothing_heavy(command: str) -> None:
    loaded = modules_after(f"from {command} import parser; parser().format_help()")
    assert "argparse" in loaded
    assert not loaded & {*HEAVY} - {"asyncio"}


def test_asking_imports_neither_llama_cpp_nor_the_screen() -> None:
    script = (
        "import contextlib, io\nfrom ophtimus_edge.cli import main\n"
        "with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):\n"
        "    assert main(['ask', 'What is glaucoma?', '--max-tokens', '1']) == 0"
    )
    loaded = modules_after(script)
    assert "ophtimus_edge" in loaded
    assert not loaded & {"llama_cpp", "textual", "torch", "transformers", "numpy"}
    assert not loaded & {"sqlcipher3", "cryptography"}  # it keeps no history


def test_the_app_does_not_import_llama_cpp() -> None:
    loaded = modules_after("import ophtimus_tui.app, ophtimus_tui.screens.chat")
    assert "textual" in loaded
    assert not loaded & {"llama_cpp", "torch", "transformers", "numpy"}


def test_essay_answers_are_scored_without_loading_the_packages_before() -> None:
    """They take seconds: whoever asks, reads a report or looks scores up does without them."""
    packages = {"nltk", "rouge_score", "sacrebleu", "sentence_transformers", "torch", "transformers"}
    loaded = modules_after(
        "import ophtimus_edge.cli, ophtimus_edge.specialties.published\n"
        "from ophtimus_edge.compare.essay import answering, metrics, pieces, scoring, similarity, summary"
    )
    assert "ophtimus_edge" in loaded
    assert not loaded & packages
    assert not modules_after("import ophtimus_edge.compare.embedding") & packages


def test_verifying_a_kit_waits_for_nothing_that_it_does_without(tmp_path: Path) -> None:
    """Reading a kit takes as long as reading its files: the start may not add to it."""
    kit = make_kit(tmp_path / "kit", keys.generate_key())
    script = (
        "import contextlib, io\nfrom ophtimus_edge.cli import main\n"
        "with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):\n"
        f"    assert main(['kit', 'verify', {str(kit)!r}]) == 0"
    )
    loaded = modules_after(script)
    assert "cryptography" in loaded
    assert not loaded & {*HEAVY, "sqlcipher3", "concurrent", "logging"}
