"""The header of a safetensors file: checked by the library, then read for the tensors' offsets.

The library offers tensors through a memory map only; the fused pass reads them at their offsets.
"""

import json
import struct
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open

from ophtimus_edge.errors import ConversionError

_METADATA = "__metadata__"


class Tensor(NamedTuple):
    """Where a tensor lies: ``offset`` and ``size_bytes`` from the start of the file, in bytes."""

    file: Path
    type: str
    shape: tuple[int, ...]
    offset: int
    size_bytes: int

    @property
    def columns(self) -> int:
        """Weights of a row; of a vector, all."""
        return self.shape[-1]


def read_tensors(path: Path, error_kind: type[ConversionError] = ConversionError) -> dict[str, Tensor]:
    """Every tensor of a file, by name.

    Raises:
        ConversionError: it cannot be read, is cut short, or its header lies about offsets or sizes; of
            the kind that is given.
    """
    try:
        with safe_open(path, framework="np"):  # refuses holes, overlaps, wrong sizes and cut files
            pass
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        return {
            name: Tensor(
                file=path,
                type=entry["dtype"],
                shape=tuple(entry["shape"]),
                offset=8 + length + entry["data_offsets"][0],
                size_bytes=entry["data_offsets"][1] - entry["data_offsets"][0],
            )
            for name, entry in header.items()
            if name != _METADATA
        }
    except Exception as error:  # safetensors raises types of its own Rust core
        raise error_kind(f"{path} is damaged: {error}.", "Copy it again from its source.") from error
