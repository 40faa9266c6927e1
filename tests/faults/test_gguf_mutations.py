"""Changed headers: nothing but the one error, and every unchanged file passes.

300 mutants in `make test`, 100,000 in `make faults`.
"""

import os
import random
import resource
from pathlib import Path

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models import gguf

COUNT = 100_000 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 300


def test_a_changed_header_gives_nothing_but_the_one_error(tiny_model: Path, tmp_path: Path) -> None:
    sound = tiny_model / "tiny-Q4_K_M.gguf"
    data = sound.read_bytes()
    end = gguf.read_header(sound).data_offset
    path = tmp_path / "mutant.gguf"
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = random.Random(4)
    refused = 0
    with path.open("r+b") as file:
        for _ in range(COUNT):
            at = rng.randrange(end if rng.random() < 0.5 else 400)
            width = rng.choice((1, 1, 4, 8))
            file.seek(at)
            file.write(rng.choice((rng.randbytes(width), b"\xff" * width, b"\0" * width)))
            file.flush()
            try:
                gguf.check(path)
            except InvalidModelError:
                refused += 1
            file.seek(at)
            file.write(data[at : at + width])
            file.flush()
    assert refused > COUNT / 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB
    assert path.read_bytes() == data
    gguf.check(path)
