"""The tensors of an adapter's safetensors file: what each one is, and its rows in float32.

Only the header is read at once; rows are read where they lie in the file, a piece at a time, so that
an adapter of any size costs little memory. Each read opens the file for itself: threads share nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ophtimus_convert.safetensors_header import read_tensors
from ophtimus_convert.tensors import Floats
from ophtimus_edge.errors import AdapterError

FILE = "adapter_model.safetensors"

_PREFIX = "base_model.model."
_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_PIECE = 1 << 20  # numbers that are looked at together: 4 MiB in float32
# How the keys that peft writes end, once the adapter's own name is taken out, and what they hold: the
# pair of a linear layer or of an embedding, DoRA's magnitudes, rows trained one by one, the base's own
# weight in the training (where the vocabulary was resized, or an embedding adapted), a whole new weight,
# and the same again (where the vocabulary was resized and its embedding trained whole).
_PARTS = {
    ".lora_A.weight": "A",
    ".lora_B.weight": "B",
    ".lora_embedding_A": "embedding_A",
    ".lora_embedding_B": "embedding_B",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
    ".token_adapter.trainable_tokens_delta": "tokens",
    ".token_adapter.base_layer.weight": "base",
    ".base_layer.weight": "base",
    ".original_module.weight": "base",
    ".modules_to_save.weight": "again",
    ".weight": "weight",
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        key: its name in the file.
        shape: one or two lengths.
        offset: of its first byte in the file.
    """

    path: Path
    key: str
    type: str
    shape: tuple[int, ...]
    offset: int

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))

    def whole(self) -> Floats:
        """All of it, in its own shape."""
        return self._read([(0, self.count)]).reshape(self.shape)

    def rows(self, start: int, stop: int) -> Floats:
        """Rows ``start`` to ``stop``, shape (stop - start, columns); a vector is one row."""
        columns = self.shape[-1]
        if not 0 <= start <= stop <= self.count // columns:  # what lies beyond is another tensor
            raise IndexError(f"{self.key} has no rows {start} to {stop}")
        return self._read([(start * columns, (stop - start) * columns)]).reshape(stop - start, columns)

    def columns(self, start: int, stop: int) -> Floats:
        """Columns ``start`` to ``stop``, shape (rows, stop - start)."""
        rows, columns = self.shape
        if not 0 <= start <= stop <= columns:
            raise IndexError(f"{self.key} has no columns {start} to {stop}")
        pieces = [(row * columns + start, stop - start) for row in range(rows)]
        return self._read(pieces).reshape(rows, stop - start)

    def pieces(self) -> Iterator[Floats]:
        """All of it, a piece after the other, flat."""
        for start in range(0, self.count, _PIECE):
            yield self._read([(start, min(_PIECE, self.count - start))])

    def _read(self, pieces: list[tuple[int, int]]) -> Floats:
        """The numbers of pieces, each (first, count), in float32."""
        kind = _TYPES[self.type]
        raw: NDArray[Any] = np.empty(sum(count for _, count in pieces), kind)
        filled = 0
        try:
            with self.path.open("rb") as file:
                for first, count in pieces:
                    file.seek(self.offset + first * kind.itemsize)
                    if file.readinto(raw[filled : filled + count].data) != count * kind.itemsize:
                        raise AdapterError(f"{self.path} ends within {self.key}.", "Copy the adapter again.")
                    filled += count
        except OSError as error:
            raise AdapterError(f"{self.path} cannot be read: {error}.", "Copy the adapter again.") from error
        if self.type == "BF16":
            bits = raw.astype(np.uint32)  # bfloat16 is the upper half of a float32
            np.left_shift(bits, 16, out=bits)
            raw = bits.view(np.float32)
        numbers: Floats = raw.astype(np.float32, copy=False)
        return numbers


def same_numbers(one: StoredTensor, other: StoredTensor) -> bool:
    """Whether two tensors hold the same numbers in the same shape."""
    if one.shape != other.shape:
        return False
    return all(np.array_equal(*pair) for pair in zip(one.pieces(), other.pieces(), strict=True))


def read_modules(folder: Path) -> dict[str, dict[str, StoredTensor]]:
    """What an adapter's file holds: by the module's path, by part.

    Raises:
        AdapterError: there is no safetensors file, or it is damaged, or holds what is not merged here;
            the message names it.
    """
    path = folder / FILE
    if not path.is_file():
        pickled = sorted(entry.name for kind in ("*.bin", "*.pt", "*.pth") for entry in folder.glob(kind))
        why = f": {pickled[0]} is a pickle, which can run code" if pickled else ""
        raise AdapterError(
            f"there is no {path}{why}.", "Save the adapter with save_pretrained, which writes safetensors."
        )
    modules: dict[str, dict[str, StoredTensor]] = {}
    for key, where in read_tensors(path, AdapterError).items():
        tensor = StoredTensor(path, key, where.type, where.shape, where.offset)
        if tensor.type not in _TYPES or len(tensor.shape) not in {1, 2} or not tensor.count:
            raise AdapterError(
                f"the adapter's {key} is of the type {tensor.type} and the shape {list(tensor.shape)}.",
                "Save it gathered, in float32, float16 or bfloat16.",
            )
        module, part = _place(tensor.key)
        parts = modules.setdefault(module, {})
        if part in parts:
            raise AdapterError(
                f"the adapter holds {module} twice: {parts[part].key} and {tensor.key}.", "Save it again."
            )
        parts[part] = tensor
    return modules


def _place(key: str) -> tuple[str, str]:
    """The module's path and the part of it that a key names."""
    name = key.removeprefix(_PREFIX).removesuffix(".default").replace(".default.", ".")
    for ending, part in _PARTS.items():
        if name.endswith(ending):
            return name.removesuffix(ending), part
    raise AdapterError(
        f"the adapter holds {key}, which is not merged here.",
        "Let peft merge it (merge_and_unload) and convert the merged checkpoint.",
    )
