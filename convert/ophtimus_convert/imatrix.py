"""Importance matrices: how much each input column of a weight matters, measured on a text.

The GGUF form of llama.cpp holds, for each weight, the sum of the squared inputs (``NAME.in_sum2``) and
the number of rows summed (``NAME.counts``); the older ``.dat`` form holds means and a number of calls.
"""

import contextlib
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gguf import GGUFReader, GGUFWriter

from ophtimus_convert.calibration_text import Calibration, write_calibration
from ophtimus_convert.tensors import EMBEDDING, OUTPUT, TOP, Floats
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.gguf import MAGIC

_EMBEDDING, _OUTPUT = TOP[EMBEDDING], TOP[OUTPUT]
# What llama.cpp makes of a layer's weight only with importances (llama-quant.cpp, tensor_requires_imatrix).
_WEIGHED_ONLY = frozenset({"IQ1_M", "IQ1_S", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ3_XXS"})
_UNWEIGHED = frozenset({_EMBEDDING, _OUTPUT})
_SUMS, _COUNTS = ".in_sum2", ".counts"
_MAX_NAME, _MAX_ENTRIES = 256, 1 << 20


class ImportanceMatrix(NamedTuple):
    """Importances by GGUF tensor name, each of shape (columns,).

    Attributes:
        datasets: the names of the texts it was computed on.
        windows: how many windows of text, 0 where the file does not say.
    """

    entries: dict[str, Floats]
    datasets: list[str]
    windows: int

    def weights(self, name: str) -> Floats | None:
        """The importances of a tensor's columns, or None where it has none."""
        return self.entries.get(name)


def read_imatrix(path: Path) -> ImportanceMatrix:
    """Read either form, normalized as llama.cpp's own tool does.

    Raises:
        ConversionError: it cannot be read, is neither form, or holds NaN or infinity.
    """
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == MAGIC
        matrix = _read_gguf(path) if is_gguf else _read_legacy(path.read_bytes())
    except OSError as error:
        raise ConversionError(
            f"the importance matrix {path} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    except (ValueError, KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise ConversionError(
            f"{path} is not an importance matrix, or is damaged ({error}).",
            "Compute one with --calibrate TEXT.",
        ) from error
    for name, values in matrix.entries.items():
        if not bool(np.isfinite(values).all()):
            raise ConversionError(
                f"the importance matrix {path} holds NaN or infinity for {name}.",
                "Compute it again with --calibrate TEXT.",
            )
    if not matrix.entries:
        raise ConversionError(f"the importance matrix {path} is empty.", "Compute one with --calibrate TEXT.")
    return matrix


def check_fits(matrix: ImportanceMatrix, shapes: dict[str, tuple[int, ...]], path: Path) -> None:
    """Refuse a matrix of another model.

    Args:
        shapes: of the model's tensors, by GGUF name.
        path: of the matrix, for the message.

    Raises:
        ConversionError: it names a tensor that the model does not have, or of another width.
    """
    for name, values in matrix.entries.items():
        shape = shapes.get(name)
        # Old matrices have another width for the embedding, and llama.cpp passes over it.
        if shape is None or (values.size != shape[-1] and name != _EMBEDDING):
            what = f"{values.size} columns for {name}, where the model has {shape[-1]}" if shape else name
            raise ConversionError(
                f"the importance matrix {path} belongs to another model: it has {what}.",
                "Compute one for this model with --calibrate TEXT.",
            )


def check_covers(matrix: ImportanceMatrix, level: str, types: dict[str, str]) -> None:
    """Refuse a matrix that lacks a tensor which its level cannot be made without.

    Args:
        types: the ggml type of each tensor at that level, by name.

    Raises:
        ConversionError: naming the tensor.
    """
    for name, kind in types.items():
        needs = kind in _WEIGHED_ONLY or (kind == "Q2_K" and level == "Q2_K_S")
        if needs and name not in _UNWEIGHED and name not in matrix.entries:
            raise ConversionError(
                f"the importance matrix has nothing for {name}, which {level} needs.",
                "Compute a whole one with --calibrate TEXT, or leave this level out.",
            )


@contextlib.contextmanager
def planning_matrix(
    given: Path | None, calibrate: bool, shapes: dict[str, tuple[int, ...]]
) -> Iterator[Path | None]:
    """The matrix to plan types with: their choice depends on which tensors it names, not on its numbers.

    Args:
        given: the matrix that will be used, or None.
        calibrate: whether one will be computed, over the layers' matrices.
        shapes: of the model's tensors, by GGUF name.
    """
    if given or not calibrate:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ones.gguf"
        ones = {
            name: (np.ones(shape[-1], np.float32), 1)
            for name, shape in shapes.items()
            if name.startswith("blk.") and len(shape) > 1
        }
        write_imatrix(path, ones, "planning", 1, 1)
        yield path


def copy_as_gguf(source: Path, target: Path) -> None:
    """Copy a matrix; one of the older form becomes a GGUF with the same numbers.

    Raises:
        ConversionError: it cannot be read.
        OSError: it cannot be written.
    """
    with source.open("rb") as file:
        is_gguf = file.read(4) == MAGIC
    if is_gguf:
        shutil.copyfile(source, target)
        return
    matrix = read_imatrix(source)
    sums = {name: (values, 1) for name, values in matrix.entries.items()}
    write_imatrix(target, sums, ", ".join(matrix.datasets), matrix.windows, 0)


def write_imatrix(
    path: Path,
    sums: dict[str, tuple[Floats, int]],
    dataset: str,
    windows: int,
    size: int,
    text: Calibration | None = None,
) -> None:
    """Write sums of squared inputs and their row counts, by tensor name, in llama.cpp's GGUF form.

    Args:
        size: tokens of a window.
        text: what the text is to be recognized by, where it was read here.
    """
    writer = GGUFWriter(path, arch="")
    writer.kv_data[0].clear()  # an importance matrix has a type, and no architecture
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [dataset])
    writer.add_uint32("imatrix.chunk_count", windows)
    writer.add_uint32("imatrix.chunk_size", size)
    if text:
        write_calibration(writer, text)
    for name in sorted(sums):
        values, rows = sums[name]
        writer.add_tensor(name + _SUMS, values.astype(np.float32).reshape(1, -1))
        writer.add_tensor(name + _COUNTS, np.full((1, 1), rows, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _read_gguf(path: Path) -> ImportanceMatrix:
    reader = GGUFReader(path)
    kind = reader.get_field("general.type")
    if kind is None or kind.contents() != "imatrix":
        raise ValueError("its general.type is not imatrix")
    tensors = {tensor.name: np.array(tensor.data, np.float32) for tensor in reader.tensors}
    entries = {}
    for name, sums in tensors.items():
        if not name.endswith(_SUMS):
            continue
        base = name.removesuffix(_SUMS)
        count = float(tensors[base + _COUNTS].reshape(-1)[0])
        values = sums.reshape(-1)
        entries[base] = values / np.float32(count) if count > 0 else np.ones_like(values)
    datasets, windows = reader.get_field("imatrix.datasets"), reader.get_field("imatrix.chunk_count")
    return ImportanceMatrix(
        entries, datasets.contents() if datasets else [], int(windows.contents()) if windows else 0
    )


def _read_legacy(data: bytes) -> ImportanceMatrix:
    def number(at: int, most: int) -> int:
        (value,) = struct.unpack_from("<i", data, at)
        if not 0 <= value <= most:
            raise ValueError(f"a length of {value}")
        return int(value)

    at, entries = 4, {}
    for _ in range(number(0, _MAX_ENTRIES)):
        length = number(at, _MAX_NAME)
        name = data[at + 4 : at + 4 + length].decode()
        at += 4 + length
        (calls,) = struct.unpack_from("<i", data, at)
        count = number(at + 4, len(data) // 4)
        values = np.frombuffer(data, np.float32, count, at + 8)
        at += 8 + 4 * count
        entries[name] = values / np.float32(calls) if calls > 0 else values.copy()
    windows, datasets = 0, []
    if at + 8 <= len(data):
        windows = number(at, 1 << 30)
        length = number(at + 4, len(data))
        datasets = [data[at + 8 : at + 8 + length].decode()]
    return ImportanceMatrix(entries, datasets, windows)
