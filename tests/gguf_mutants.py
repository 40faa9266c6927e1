"""Changed GGUF headers, drawn by a seeded generator; the weights behind them are left out of the file, as a hole."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gguf_drafts import Draft, Tensor, u32

from ophtimus_edge.models import gguf
from ophtimus_edge.models.shapes import expected_header

_BEGINNING = 400  # where the counts and the first keys stand: half of all changes fall into it
_LARGEST = 4096  # bytes that are put in, taken out or exchanged at once


class Whole(NamedTuple):
    """A sound file: its header with the padding behind it, and how many bytes of weights follow."""

    header: bytes
    weights: int

    def write(self, path: Path, header: bytes | None = None) -> None:
        """Write the file with its header, or with a changed one, and a hole in the place of the weights."""
        header = self.header if header is None else header
        path.write_bytes(header)
        os.truncate(path, len(header) + self.weights)


def of_file(path: Path) -> Whole:
    """The header of a sound file."""
    end = gguf.read_header(path).data_offset
    with path.open("rb") as file:
        return Whole(file.read(end), path.stat().st_size - end)


def of_1b(vocabulary: Path) -> Whole:
    """A Llama 3 of a billion weights with a vocabulary that a file without weights holds."""
    expected, _ = expected_header("1B", "Q4_K_M")
    codes = {name: code for code, (name, _, _) in gguf.TENSOR_TYPES.items()}
    draft = Draft(vocabulary.read_bytes())
    for name, value in {
        "block_count": 16, "context_length": 131_072, "embedding_length": 2048, "feed_forward_length": 8192,
        "attention.head_count": 32, "attention.head_count_kv": 8, "attention.key_length": 64,
        "attention.value_length": 64, "rope.dimension_count": 64, "vocab_size": 128_256,
    }.items():  # fmt: skip
        u32(f"llama.{name}", value)(draft)
    draft.tensors = [
        Tensor(found.name.encode(), found.shape, codes[found.type], found.offset)
        for found in expected.tensors
    ]
    draft.data = b""
    last = expected.tensors[-1]
    return Whole(draft.packed(), last.offset + last.size_bytes)


def changed_bytes(draw: random.Random) -> bytes:
    """Bytes to write over a header: chance, or the extremes of a number."""
    width = draw.choice((1, 1, 4, 8))
    return draw.choice((draw.randbytes(width), b"\xff" * width, b"\0" * width))


def mutant(draw: random.Random, sound: bytes) -> bytes:
    """A header with one change, now and then with four.

    Bytes are written over (six of eleven), put in, taken out, written twice or exchanged, or the header ends.
    """
    header = bytearray(sound)
    for _ in range(draw.choice((1, 1, 1, 4))):
        draw.choice(_CHANGES)(draw, header)
    return bytes(header)


def _place(draw: random.Random, header: bytearray) -> int:
    end = len(header) if draw.random() < 0.5 else min(_BEGINNING, len(header))
    return draw.randrange(end) if end else 0


def _over(draw: random.Random, header: bytearray) -> None:
    at, change = _place(draw, header), changed_bytes(draw)
    header[at : at + len(change)] = change


def _in(draw: random.Random, header: bytearray) -> None:
    at = _place(draw, header)
    header[at:at] = draw.randbytes(draw.randint(1, 16))


def _out(draw: random.Random, header: bytearray) -> None:
    at = _place(draw, header)
    del header[at : at + draw.randint(1, 16)]


def _twice(draw: random.Random, header: bytearray) -> None:
    at, count = _place(draw, header), draw.randint(1, _LARGEST)
    header[at:at] = header[at : at + count]


def _exchanged(draw: random.Random, header: bytearray) -> None:
    count = draw.randint(1, min(_LARGEST, 1 + len(header) // 4))
    one, other = sorted((_place(draw, header), _place(draw, header)))
    if one + count <= other and other + count <= len(header):
        moved = header[one : one + count]
        header[one : one + count] = header[other : other + count]
        header[other : other + count] = moved


def _cut(draw: random.Random, header: bytearray) -> None:
    del header[_place(draw, header) :]


_CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    *[_over] * 6, _in, _out, _twice, _exchanged, _cut,
)  # fmt: skip
