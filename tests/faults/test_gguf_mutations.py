"""Changed headers: nothing but the one error, every unchanged file passes, and what passes ends well.

300 mutants of the header and 8 through the engine in `make test`; 100,000 and 2,000 in `make faults`.
"""

import contextlib
import os
import random
import tracemalloc
from pathlib import Path

import psutil
from engines import QUESTION

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Sampling
from ophtimus_edge.errors import EngineError, InvalidModelError
from ophtimus_edge.models import gguf, store

LONG = os.environ.get("OPHTIMUS_CAMPAIGN") == "long"
COUNT = 100_000 if LONG else 300
LOADED = 2000 if LONG else 8


def changed(rng: random.Random) -> bytes:
    """Bytes to write over a header."""
    width = rng.choice((1, 1, 4, 8))
    return rng.choice((rng.randbytes(width), b"\xff" * width, b"\0" * width))


def test_a_changed_header_gives_nothing_but_the_one_error(tiny_model: Path, tmp_path: Path) -> None:
    sound = tiny_model / "tiny-Q4_K_M.gguf"
    data = sound.read_bytes()
    end = gguf.read_header(sound).data_offset
    path = tmp_path / "mutant.gguf"
    path.write_bytes(data)
    tracemalloc.start()
    rng = random.Random(4)
    refused = 0
    with path.open("r+b") as file:
        for _ in range(COUNT):
            at = rng.randrange(end if rng.random() < 0.5 else 400)
            change = changed(rng)
            file.seek(at)
            file.write(change)
            file.flush()
            try:
                gguf.check(path)
            except InvalidModelError:
                refused += 1
            file.seek(at)
            file.write(data[at : at + len(change)])
            file.flush()
    assert refused > COUNT / 20
    assert tracemalloc.get_traced_memory()[1] < 200 << 20
    tracemalloc.stop()
    assert path.read_bytes() == data
    gguf.check(path)


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
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 1, 4))):
            at = rng.randrange(end if rng.random() < 0.8 else len(data) - 8)
            change = changed(rng)
            mutant[at : at + len(change)] = change
        path.write_bytes(mutant)
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
