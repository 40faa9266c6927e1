"""The head of a GGUF file: a Llama's metadata, and the table of its tensors."""

import struct
import tempfile
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from gguf import GGML_QUANT_SIZES, GGUF_VERSION, GGMLQuantizationType, GGUFValueType, GGUFWriter

from ophtimus_convert.checkpoint import Checkpoint, Shape
from ophtimus_convert.vocabulary import Vocabulary
from ophtimus_edge.models.gguf import MAGIC
from ophtimus_edge.models.llama3 import PRE_TOKENIZER

ALIGNMENT = 32
_QUANTIZATION_VERSION = 2


class Metadata(NamedTuple):
    """Keys and values as GGUF packs them, and how many."""

    packed: bytes
    keys: int


class TensorPlace(NamedTuple):
    """A tensor in a file: its ggml type, its shape (rows, columns) or (columns,), its offset in the data."""

    type: str
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


class Head(NamedTuple):
    """The bytes before the data, padded, and where each tensor lies behind them."""

    packed: bytes
    places: dict[str, TensorPlace]
    file_bytes: int


def metadata(
    checkpoint: Checkpoint, shape: Shape, vocabulary: Vocabulary | None, name: str, weights: int
) -> Metadata:
    """A Llama's keys, in the order of llama.cpp's converter, without the two that the quantizer appends.

    Args:
        shape: the model's numbers, its vocabulary as it will be written.
        vocabulary: None leaves the tokenizer out, for a skeleton.
        name: what the model is called inside the file.
        weights: in all, for the size label.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metadata"
        writer = GGUFWriter(path, arch="llama")
        writer.add_type("model")
        writer.add_name(name)
        writer.add_size_label(_size_label(weights))
        writer.add_block_count(shape.layers)
        writer.add_context_length(shape.context)
        writer.add_embedding_length(shape.hidden)
        writer.add_feed_forward_length(shape.intermediate)
        writer.add_head_count(shape.heads)
        writer.add_head_count_kv(shape.kv_heads)
        writer.add_rope_freq_base(float(checkpoint.rope["rope_theta"]))
        writer.add_layer_norm_rms_eps(float(checkpoint.number("rms_norm_eps", 1e-6)))
        writer.add_key_length(shape.head_dim)
        writer.add_value_length(shape.head_dim)
        writer.add_vocab_size(len(vocabulary.tokens) if vocabulary else shape.vocabulary)
        writer.add_rope_dimension_count(shape.head_dim)
        written = len(writer.kv_data[0])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        packed = path.read_bytes()[_PREAMBLE.size :]
    if vocabulary:
        ends, keys = _tokenizer(vocabulary)
        return Metadata(packed + ends, written + keys)
    return Metadata(packed, written)


def head(keys: Metadata, tensors: dict[str, tuple[int, ...]], types: dict[str, str], file_type: int) -> Head:
    """The head of one file.

    Args:
        keys: the model's metadata.
        tensors: the shape of each tensor, rows first, in the order of the file.
        types: the ggml type of each, by name.
        file_type: of ``llama_ftype``.
    """
    places: dict[str, TensorPlace] = {}
    table, offset = bytearray(), 0
    for name, shape in tensors.items():
        kind = GGMLQuantizationType[types[name]]
        block, block_bytes = GGML_QUANT_SIZES[kind]
        size = shape[-1] // block * block_bytes
        for rows in shape[:-1]:
            size *= rows
        places[name] = TensorPlace(types[name], shape, offset, size)
        table += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, offset)
        offset += _padded(size)
    appended = _number("general.quantization_version", _QUANTIZATION_VERSION)
    appended += _number("general.file_type", file_type)
    preamble = _PREAMBLE.pack(MAGIC, GGUF_VERSION, len(tensors), keys.keys + 2)
    packed = preamble + keys.packed + appended + table
    packed += bytes(_padded(len(packed)) - len(packed))
    return Head(bytes(packed), places, len(packed) + offset)


_PREAMBLE = struct.Struct("<4sIQQ")


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _strings(texts: list[str]) -> bytes:
    """Many strings behind one another; each length is packed once, as there are few of them."""
    lengths = cache(struct.Struct("<Q").pack)
    encoded = [text.encode() for text in texts]
    return b"".join(chain.from_iterable((lengths(len(data)), data) for data in encoded))


def _number(key: str, value: int) -> bytes:
    return _string(key) + struct.pack("<II", GGUFValueType.UINT32, value)


def _tokenizer(vocabulary: Vocabulary) -> tuple[bytes, int]:
    """The tokenizer's keys, packed, and how many.

    Packed here: the writer of the gguf package takes a second and more for a quarter of a million texts.
    """
    tokens, merges = vocabulary.tokens, vocabulary.merges
    keys = [
        _text("tokenizer.ggml.model", "gpt2"),
        _text("tokenizer.ggml.pre", PRE_TOKENIZER),
        _array("tokenizer.ggml.tokens", GGUFValueType.STRING, len(tokens), _strings(tokens)),
        _array(
            "tokenizer.ggml.token_type", GGUFValueType.INT32, len(tokens),
            struct.pack(f"<{len(tokens)}i", *vocabulary.types),
        ),
        _array("tokenizer.ggml.merges", GGUFValueType.STRING, len(merges), _strings(merges)),
        _number("tokenizer.ggml.bos_token_id", vocabulary.bos),
        _number("tokenizer.ggml.eos_token_id", vocabulary.eos),
        _string("tokenizer.ggml.add_bos_token") + struct.pack("<I?", GGUFValueType.BOOL, True),
    ]  # fmt: skip
    if vocabulary.template:
        keys.append(_text("tokenizer.chat_template", vocabulary.template))
    return b"".join(keys), len(keys)


def _text(key: str, value: str) -> bytes:
    return _string(key) + struct.pack("<I", GGUFValueType.STRING) + _string(value)


def _array(key: str, kind: GGUFValueType, count: int, packed: bytes) -> bytes:
    return _string(key) + struct.pack("<IIQ", GGUFValueType.ARRAY, kind, count) + packed


def _size_label(weights: int) -> str:
    for unit, size in (("B", 1e9), ("M", 1e6)):
        if weights >= size:
            return f"{weights / size:.1f}".removesuffix(".0") + unit
    return f"{round(weights / 1e3)}K"
