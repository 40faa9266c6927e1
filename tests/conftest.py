"""What several rooms of the tests share: small real models, folders to install, the command line as a user has it."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ophtimus_edge.history import keys
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.fit import LARGEST_CONTEXT
from ophtimus_edge.models.formats import Licence, read_model_folder, write_model_folder

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Several processes share the cores: a thread that waits for others shall sleep, and not take the time that they need.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch; llama.cpp computes with as many as it is told to
for _size in ("COLUMNS", "LINES"):  # of whoever runs the tests; a terminal of a test has its own
    os.environ.pop(_size, None)

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a home of its own: no test sees the developer's models, nor writes to their cache."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OPHTIMUS_HOME", str(folder))
    return folder


@pytest.fixture
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> int:
    """A passphrase takes a hundredth of its work, but in a command; returns how much it takes elsewhere.

    How much it was stands in the file.
    """
    real = keys._SCRYPT_N
    monkeypatch.setattr(keys, "_SCRYPT_N", 1 << 10)
    return real


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


@pytest.fixture(scope="session")
def endless_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with the longest context: an answer that fills it takes seconds, so that one can be stopped."""
    from gguf_drafts import Draft, u32

    draft = Draft((tiny_model / "tiny-Q4_K_M.gguf").read_bytes())
    u32("llama.context_length", LARGEST_CONTEXT)(draft)
    path = tmp_path_factory.mktemp("endless") / "endless.gguf"
    path.write_bytes(draft.packed())
    return path


@pytest.fixture
def base_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, described as a base model without a template."""
    folder = tmp_path / "base"
    shutil.copytree(tiny_model, folder)
    model = read_model_folder(folder)
    model.kind, model.template = "base", None
    write_model_folder(folder, model)
    return folder


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
