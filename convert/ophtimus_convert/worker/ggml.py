"""ggml's own row functions, through ctypes: conversion, quantization, validation.

libggml-base is opened by itself: it is small, it has all of this, and llama_cpp does not load it by
name. A call releases the GIL, so a thread a core is enough.
"""

import ctypes
import functools
import importlib.util
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ophtimus_convert.tensors import Floats
from ophtimus_edge.errors import ConversionError

_TYPE_COUNT = 64  # beyond the last ggml_type
_NAMES = {"linux": "libggml-base.so", "darwin": "libggml-base.dylib", "win32": "ggml-base.dll"}


@functools.cache
def library() -> ctypes.CDLL:
    """Open libggml-base beside llama_cpp.

    Raises:
        ConversionError: it is not there.
    """
    spec = importlib.util.find_spec("llama_cpp")
    folder = Path(spec.origin).parent / "lib" if spec and spec.origin else Path()
    path = folder / _NAMES.get(sys.platform, "libggml-base.so")
    try:
        lib = ctypes.CDLL(str(path))
    except OSError as error:
        raise ConversionError(
            f"ggml's library cannot be loaded: {error}.", "Install llama-cpp-python again."
        ) from error
    size, wide = ctypes.c_size_t, ctypes.c_int64
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("ggml_type_name", ctypes.c_char_p, [number]),
        ("ggml_row_size", size, [number, wide]),
        ("ggml_quantize_init", None, [number]),
        ("ggml_quantize_requires_imatrix", ctypes.c_bool, [number]),
        ("ggml_quantize_chunk", size, [number, pointer, pointer, wide, wide, wide, pointer]),
        ("ggml_bf16_to_fp32_row", None, [pointer, pointer, wide]),
        ("ggml_fp16_to_fp32_row", None, [pointer, pointer, wide]),
        ("ggml_fp32_to_bf16_row_ref", None, [pointer, pointer, wide]),
        ("ggml_fp32_to_fp16_row", None, [pointer, pointer, wide]),
        ("ggml_validate_row_data", ctypes.c_bool, [number, pointer, size]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


@functools.cache
def type_code(name: str) -> int:
    """The number of a ggml type by its name, in any case.

    Raises:
        ConversionError: this build of ggml has no such type.
    """
    for code in range(_TYPE_COUNT):
        known = library().ggml_type_name(code)
        if known and known.decode().upper() == name.upper():
            return code
    raise ConversionError(f"this build of ggml has no type {name}.", "Install llama-cpp-python again.")


def row_size(kind: str, columns: int) -> int:
    """Bytes of a row of ``columns`` weights."""
    return int(library().ggml_row_size(type_code(kind), columns))


def prepare(kind: str) -> None:
    """Build a type's lookup tables; call it before threads do."""
    library().ggml_quantize_init(type_code(kind))


def requires_imatrix(kind: str) -> bool:
    """Whether ggml makes a type only with an importance matrix."""
    return bool(library().ggml_quantize_requires_imatrix(type_code(kind)))


def to_float32(raw: npt.NDArray[np.generic], kind: str) -> Floats:
    """Raw rows of F32, F16 or BF16 as float32, of the same shape."""
    if kind == "F32":
        return raw.view(np.float32)
    out = np.empty(raw.shape, np.float32)
    convert = library().ggml_bf16_to_fp32_row if kind == "BF16" else library().ggml_fp16_to_fp32_row
    convert(raw.ctypes.data, out.ctypes.data, raw.size)
    return out


def rounded(values: Floats, kind: str) -> Floats:
    """Float32 rows rounded once, to nearest and even, to F16 or BF16 and back."""
    if kind == "F32":
        return values
    raw = np.empty(values.shape, np.uint16)
    convert = library().ggml_fp32_to_bf16_row_ref if kind == "BF16" else library().ggml_fp32_to_fp16_row
    convert(values.ctypes.data, raw.ctypes.data, values.size)
    return to_float32(raw, kind)


def quantize(values: Floats, kind: str, importance: Floats | None) -> memoryview:
    """Rows of float32, shape (rows, columns), as ``kind``: the bytes that a GGUF holds.

    Args:
        values: contiguous.
        kind: a ggml type.
        importance: shape (columns,), or None.
    """
    rows, columns = values.shape
    out = np.empty(rows * row_size(kind, columns), np.uint8)
    weights = importance.ctypes.data if importance is not None else None
    written = library().ggml_quantize_chunk(
        type_code(kind), values.ctypes.data, out.ctypes.data, 0, rows, columns, weights
    )
    if written != out.nbytes:
        raise ConversionError(
            f"ggml wrote {written} bytes of {kind} where {out.nbytes} were due.",
            "Install llama-cpp-python again.",
        )
    return out.data


def valid(data: bytes, kind: str) -> bool:
    """Whether every block of some whole rows is finite and well formed."""
    return bool(library().ggml_validate_row_data(type_code(kind), data, len(data)))
