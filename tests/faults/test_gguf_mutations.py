"""Changed headers: nothing but the one error, every unchanged file passes, and what passes ends well.

600 mutants of the header and 8 through the engine in `make test`; 200,000 and 2,000 in `make faults`. Times are
measured by benchmarks/header_check.py and benchmarks/mutants_loaded.py.
"""

import contextlib
import os
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from engines import QUESTION
from gguf_mutants import Whole, changed_bytes, mutant, of_1b, of_file

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Sampling
from ophtimus_edge.errors import EngineError, InvalidModelError
from ophtimus_edge.locations import demo_folder
from ophtimus_edge.models import gguf, store

LONG = os.environ.get("OPHTIMUS_CAMPAIGN") == "long"
COUNT = 100_000 if LONG else 300  # of each header
OF_LLAMA_3 = 1000 if LONG else 5
LOADED = 2000 if LONG else 8

REAL_VOCABULARY = Path(
    os.environ.get(
        "OPHTIMUS_LLAMA3_VOCABULARY", Path(__file__).parents[3] / "shared/fixtures/llama3-vocab.gguf"
    )
)


@contextlib.contextmanager
def less_than(size: int) -> Iterator[None]:
    """Fail where this process takes so much more memory meanwhile: by the system's count, which costs no time."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    except OSError:
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < size
        finally:
            tracemalloc.stop()
        return
    before = peak()
    yield
    assert peak() - before < size


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def refused_of(sound: Whole, count: int, path: Path, seed: int) -> int:
    """How many mutants of a header the check refuses; with anything but its one error this fails."""
    draw = random.Random(seed)
    refused = 0
    with less_than(200 << 20):
        for _ in range(count):
            sound.write(path, mutant(draw, sound.header))
            try:
                gguf.check(path)
            except InvalidModelError:
                refused += 1
    sound.write(path)
    assert gguf.check(path).tensors
    return refused


@pytest.mark.parametrize("which", ["tiny", "demonstration"])
def test_a_changed_header_gives_nothing_but_the_one_error(
    tiny_model: Path, tmp_path: Path, which: str
) -> None:
    folder = tiny_model if which == "tiny" else demo_folder()
    (source,) = folder.glob("*-Q4_K_M.gguf")
    refused = refused_of(of_file(source), COUNT, tmp_path / "mutant.gguf", 4)
    assert COUNT / 20 < refused < COUNT


@pytest.mark.skipif(not REAL_VOCABULARY.is_file(), reason="the vocabulary of Llama-3 is not here")
def test_so_does_a_changed_header_with_the_vocabulary_of_llama_3(tmp_path: Path) -> None:
    refused = refused_of(of_1b(REAL_VOCABULARY), OF_LLAMA_3, tmp_path / "mutant.gguf", 6)
    assert refused > 0


async def test_a_changed_header_that_passes_ends_in_an_answer_or_an_error(
    tiny_model: Path, tmp_path: Path
) -> None:
    """Through the real worker: this process lives on, and no worker is left."""
    sound = tiny_model / "tiny-Q4_K_M.gguf"
    data = sound.read_bytes()
    end = gguf.read_header(sound).data_offset
    path = tmp_path / "mutant.gguf"
    rng = random.Random(5)
    loaded = answered = 0
    while loaded < LOADED:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 4))):
            at = rng.randrange(end if rng.random() < 0.8 else len(data) - 8)
            change = changed_bytes(rng)
            changed[at : at + len(change)] = change
        path.write_bytes(changed)
        try:
            model = store.choose(str(path))
        except InvalidModelError:
            continue
        loaded += 1
        with contextlib.suppress(InvalidModelError, EngineError):
            async with Engine() as engine:
                await engine.load(model)
                answered += len([event async for event in engine.answer(QUESTION, Sampling(2))]) > 0
    assert answered
    running = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    assert not any("ophtimus_edge.engine.worker" in line for line in running)
