"""A bounded check of a GGUF file's header, in pure Python, before llama.cpp sees the file.

llama.cpp asks not to be given untrusted models, and its loader ends the process on some damaged
files. This reader takes the layout from the GGUF specification (ggml, docs/gguf.md), trusts no count
and no length, never reads past the header, and proves that every tensor lies inside the file.
"""

import math
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models.soundness import objection

MAGIC = b"GGUF"
SUPPORTED_ARCHITECTURE = "llama"

_FIRST_READ = 1 << 20
_HEADER_LIMIT = 64 << 20  # that of a Llama-3 has 8 MB, which are its vocabulary
_MAX_KEYS = 4096
_MAX_TENSORS = 16384
_MAX_NAME = 63
_MAX_KEY = 65535
_MAX_TEXT = 8 << 20  # keys and values that are kept, together: a character takes up to four bytes here
_MAX_KEPT = 1 << 20  # of one value
_MAX_TOKENS = 1 << 19
_MAX_STRINGS = 1 << 21  # in all arrays
_MAX_DIMS = 4
_MIN_ALIGNMENT, _MAX_ALIGNMENT = 32, 1 << 20  # llama.cpp computes on the mapped file, 32 bytes at a time
_STRING, _ARRAY = 8, 9
_TOKENS = "tokenizer.ggml.tokens"
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"
}  # fmt: skip
_KINDS = {
    0: "u8", 1: "i8", 2: "u16", 3: "i16", 4: "u32", 5: "i32", 6: "f32", 7: "bool", 8: "str", 10: "u64",
    11: "i64", 12: "f64",
}  # fmt: skip

# ggml type → (name, weights in a block, bytes of a block); ggml-common.h.
TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8),
    28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip

# general.file_type → level; llama.h, enum llama_ftype.
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16",
}  # fmt: skip


class TensorInfo(NamedTuple):
    """A tensor of the file: its shape as GGUF writes it, fastest dimension first."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    size_bytes: int


class Header(NamedTuple):
    """What the header says.

    Attributes:
        metadata: the scalar and string values by key; of an array, only its length; of a text above 1 MiB,
            only its bytes.
        tensors: in file order; offsets count from ``data_offset``.
        data_offset: where tensor data starts, in bytes from the start of the file.
        kinds: the type of each value, such as ``u32``, ``str`` or ``arr[str]``.
    """

    version: int
    metadata: dict[str, Any]
    tensors: list[TensorInfo]
    data_offset: int
    kinds: Mapping[str, str] = MappingProxyType({})

    @property
    def architecture(self) -> str:
        """``general.architecture``, or "" where it is missing."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def level(self) -> str:
        """The quantization level that the file declares, or "" where it declares none known."""
        return FILE_TYPES.get(self.metadata.get("general.file_type", -1), "")


class _ShortReadError(Exception):
    """The header goes on behind the bytes read so far."""


def read_header(path: Path) -> Header:
    """Read and check a GGUF header.

    Raises:
        InvalidModelError: the file cannot be read, is no GGUF, is damaged, or is cut short.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _invalid("it is not a file")
        size = status.st_size
        with path.open("rb") as file:
            limit = _FIRST_READ
            while True:
                file.seek(0)
                try:
                    return _parse(file.read(min(limit, size)), size)
                except _ShortReadError:
                    if limit >= size:
                        raise _invalid("it ends inside its header") from None
                    if limit >= _HEADER_LIMIT:
                        raise _invalid("its header is too large") from None
                limit = min(limit * 8, _HEADER_LIMIT)
    except OSError as error:
        raise InvalidModelError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and that you may read the file."
        ) from error
    except InvalidModelError as error:
        raise _unsound(path, error) from None


def check(path: Path) -> Header:
    """Read the header and make sure that this program can run the model.

    Raises:
        InvalidModelError: as :func:`read_header`; or the model is of another architecture, a part of one,
            or contradicts itself in a way that llama.cpp refuses or dies of.
    """
    header = read_header(path)
    if header.architecture != SUPPORTED_ARCHITECTURE:
        raise InvalidModelError(
            f"{path} is a GGUF of the architecture {header.architecture[:40]!r}, not of Llama.",
            "Ophtimus models are Llama models: name the GGUF file of one, or --model demo.",
        )
    parts = header.metadata.get("split.count", 0)
    if parts not in {0, 1}:
        raise InvalidModelError(
            f"{path} is one of {str(parts)[:20]} parts of a model.",
            "Join the parts (llama-gguf-split --merge), or convert the model again.",
        )
    if not header.tensors:
        raise InvalidModelError(
            f"{path} holds a vocabulary and no weights.",
            "Name the GGUF file of a whole model, or --model demo.",
        )
    if reason := objection(header):
        raise _unsound(path, _invalid(reason))
    return header


def _invalid(reason: str) -> InvalidModelError:
    return InvalidModelError(reason, "Copy the file again from its source, or convert the model again.")


def _unsound(path: Path, error: InvalidModelError) -> InvalidModelError:
    return InvalidModelError(f"{path} is not a sound GGUF file: {error.message}.", error.hint)


class _Cursor:
    """A position in the bytes read so far."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.kept = 0  # bytes of keys and values
        self.strings = 0  # in arrays

    def number(self, layout: str) -> Any:
        end = self.at + struct.calcsize(layout)
        if end > len(self.data):
            raise _ShortReadError
        (value,) = struct.unpack_from(layout, self.data, self.at)
        self.at = end
        return value

    def skip(self, count: int) -> None:
        if self.at + count > len(self.data):
            raise _ShortReadError
        self.at += count

    def name(self, limit: int, what: str) -> str:
        """A key or a tensor's name. llama.cpp compares both up to a zero byte, so none may be in them."""
        length = self.number("<Q")
        if not 0 < length <= limit:
            raise _invalid(f"{what} is {length} bytes long")
        start = self.at
        self.skip(length)
        text = self.data[start : self.at].decode("ascii", "replace")
        if not (text.isascii() and text.isprintable()):
            raise _invalid(f"{what} is not plain ASCII")
        self._keep(length)
        return text

    def text(self, key: str) -> str | int:
        """A value; where it is very long, only how long."""
        length = int(self.number("<Q"))
        if length > _HEADER_LIMIT:
            raise _invalid(f"the value of {key[:60]!r} is {length} bytes long")
        start = self.at
        self.skip(length)
        if length > _MAX_KEPT:
            return length
        self._keep(length)
        try:
            return self.data[start : self.at].decode("utf-8")
        except UnicodeDecodeError:
            raise _invalid(f"the value of {key[:60]!r} is not UTF-8") from None

    def skip_strings(self, count: int) -> None:
        """Skip an array of strings; a vocabulary has hundreds of thousands, so this loop is bare."""
        self._count(count)
        data, at, end = self.data, self.at, len(self.data)
        unpack = struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at + 8 > end:
                raise _ShortReadError
            at += 8 + unpack(data, at)[0]
        if at > end:
            raise _ShortReadError
        self.at = at

    def skip_tokens(self, count: int) -> None:
        """Skip a vocabulary without twins, which end llama.cpp's process.

        It reads a token up to a zero byte, and an empty one as its number.
        """
        if count > _MAX_TOKENS:
            raise _invalid(f"its vocabulary has {count} tokens")
        self._count(count)
        data, at, end = self.data, self.at, len(self.data)
        unpack = struct.Struct("<Q").unpack_from
        words = []
        for _ in range(count):
            if at + 8 > end:
                raise _ShortReadError
            start = at + 8
            at = start + unpack(data, at)[0]
            words.append(data[start:at])
        if at > end:
            raise _ShortReadError
        self.at = at
        different = set(words)
        if b"" in different or b"\0" in b"".join(words):
            cut = (word.partition(b"\0")[0] for word in words)
            different = {word or b"[EMPTY_%d]" % index for index, word in enumerate(cut)}
        if len(different) < count:
            raise _invalid("a token occurs twice in its vocabulary")

    def _count(self, strings: int) -> None:
        self.strings += strings
        if self.strings > _MAX_STRINGS:
            raise _invalid(f"its arrays hold {self.strings} texts")

    def _keep(self, length: int) -> None:
        self.kept += length
        if self.kept > _MAX_TEXT:
            raise _invalid("its keys and values are too long")


def _parse(data: bytes, size: int) -> Header:
    cursor = _Cursor(data)
    if data[:4] != MAGIC:
        raise _invalid("it does not start with the letters GGUF")
    cursor.skip(4)
    version = cursor.number("<I")
    if version in (2 << 24, 3 << 24):
        raise _invalid("it is written for machines with the other byte order")
    if version not in (2, 3):
        raise _invalid(f"its format version is {version}; 2 and 3 are known")
    tensor_count, key_count = cursor.number("<Q"), cursor.number("<Q")
    if key_count > _MAX_KEYS or tensor_count > _MAX_TENSORS:
        raise _invalid(f"it declares {tensor_count} tensors and {key_count} keys")
    metadata: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for _ in range(key_count):
        key = cursor.name(_MAX_KEY, "a key")
        if key in metadata:
            raise _invalid(f"the key {key[:60]!r} occurs twice")
        metadata[key], kinds[key] = _value(cursor, size, key)
    alignment = metadata.get("general.alignment", 32)
    if kinds.get("general.alignment", "u32") != "u32" or alignment.bit_count() != 1:
        raise _invalid("its alignment is not a power of two")
    if not _MIN_ALIGNMENT <= alignment <= _MAX_ALIGNMENT:
        raise _invalid(f"its alignment is {alignment}")
    tensors = _tensors(cursor, tensor_count, alignment)
    data_offset = -(-cursor.at // alignment) * alignment
    need = data_offset + tensors[-1].offset + tensors[-1].size_bytes if tensors else cursor.at
    if need > size:
        raise _invalid(f"it is cut short ({size} of at least {need} bytes)")
    return Header(version, metadata, tensors, data_offset, kinds)


def _value(cursor: _Cursor, size: int, key: str) -> tuple[Any, str]:
    """A value and its kind."""
    code = cursor.number("<I")
    if code in _SCALARS:
        return cursor.number(_SCALARS[code]), _KINDS[code]
    if code == _STRING:
        return cursor.text(key), _KINDS[code]
    if code != _ARRAY:
        raise _invalid(f"the key {key[:60]!r} has the unknown type {code}")
    item, count = cursor.number("<I"), cursor.number("<Q")
    if item not in _KINDS:
        raise _invalid(f"the key {key[:60]!r} is an array of the type {item}")
    least = struct.calcsize(_SCALARS[item]) if item in _SCALARS else 8  # of a string, its length
    if count * least > size:
        raise _invalid(f"the array {key[:60]!r} is longer than the file")
    if item in _SCALARS:
        cursor.skip(count * least)
    elif key == _TOKENS:
        cursor.skip_tokens(count)
    else:
        cursor.skip_strings(count)
    return count, f"arr[{_KINDS[item]}]"


def _tensors(cursor: _Cursor, count: int, alignment: int) -> list[TensorInfo]:
    tensors: list[TensorInfo] = []
    names: set[str] = set()
    end = 0
    for _ in range(count):
        name = cursor.name(_MAX_NAME, "a tensor's name")
        if name in names:
            raise _invalid(f"the tensor {name!r} occurs twice")
        names.add(name)
        dims = cursor.number("<I")
        if not 0 < dims <= _MAX_DIMS:
            raise _invalid(f"the tensor {name!r} has {dims} dimensions")
        shape = tuple(cursor.number("<Q") for _ in range(dims))
        code, offset = cursor.number("<I"), cursor.number("<Q")
        if code not in TENSOR_TYPES:
            raise _invalid(f"the tensor {name!r} is of the unknown type {code}")
        type_name, block, block_bytes = TENSOR_TYPES[code]
        weights = math.prod(shape)
        if not 0 < weights < 1 << 60 or shape[0] % block:
            raise _invalid(f"the tensor {name!r} has the shape {shape}, which {type_name} does not allow")
        # One behind the other, each at the next aligned place: llama.cpp has it no other way.
        if offset != end:
            what = "overlaps the one before it" if offset < end else "does not follow the one before it"
            raise _invalid(f"the tensor {name!r} {what}")
        size = weights // block * block_bytes
        end += -(-size // alignment) * alignment
        tensors.append(TensorInfo(name, shape, type_name, offset, size))
    return tensors
