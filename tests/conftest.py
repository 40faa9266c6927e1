"""What several rooms of the tests share: small real models, and the command line as a user has it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a home of its own: no test sees the developer's models, nor writes to their cache."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OPHTIMUS_HOME", str(folder))
    return folder


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ophtimus() -> Command:
    """Run ``ophtimus`` as a user does; returns what it printed and its exit code."""

    def run(*words: str, stdin: str = "", **more: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(BIN / "ophtimus"), *words], input=stdin, text=True, capture_output=True, timeout=120, **more
        )

    return run


Disk = Callable[[Path, int], Path]


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Mount a file system of its own at a folder, of so many MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    mounted: list[Path] = []

    def mount(folder: Path, mebibytes: int) -> Path:
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real Llama checkpoint with random weights, as transformers writes it: 2 layers, 1,024 tokens."""
    import torch

    from ophtimus_training import primer as primers
    from ophtimus_training import recipe as recipes
    from ophtimus_training.pretrain import new_model
    from ophtimus_training.tokenizer import SPECIAL_TOKENS, train_tokenizer

    folder = tmp_path_factory.mktemp("tiny")
    recipe = recipes.load("demo-pretrain", ["layers=2", "vocabulary=1024", "context=512"])
    assert isinstance(recipe, recipes.PretrainRecipe)
    exchanges = primers.exchanges(primers.read(ROOT / "training" / "primer"))[::4][:300]
    texts = [text for exchange in exchanges for text in exchange]
    tokenizer = train_tokenizer(texts, recipe.vocabulary, recipe.context)
    model = new_model(recipe, tokenizer)
    with torch.no_grad():
        # Control tokens get the logit 0, so that a greedy answer never ends by chance.
        model.model.embed_tokens.weight[-len(SPECIAL_TOKENS) :] = 0
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of the tiny checkpoint: BF16 and Q4_K_M."""
    from conversions import converted

    out = tmp_path_factory.mktemp("converted") / "tiny"
    converted(tiny_checkpoint, out, "BF16", "Q4_K_M")
    return out


@pytest.fixture
def base_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, described as a base model without a template."""
    import shutil

    from ophtimus_edge.models.formats import read_model_folder, write_model_folder

    folder = tmp_path / "base"
    shutil.copytree(tiny_model, folder)
    model = read_model_folder(folder)
    model.kind, model.template = "base", None
    write_model_folder(folder, model)
    return folder
