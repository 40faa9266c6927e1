"""Models that are not here yet, as headers: what a conversion of a published checkpoint will be like.

A catalog states a model's parameters ("8B"). The Llama-3 models of that size have one shape each, and
llama.cpp quantizes each kind of tensor of a level to one type or two: both together give the tensors of
the file, their sizes, and so what the file will cost to run.
"""

import math
from typing import Final, NamedTuple

from ophtimus_edge.models.gguf import TENSOR_TYPES, Header, TensorInfo

_BLOCKS = {name: (weights, size) for name, weights, size in TENSOR_TYPES.values()}
VOCABULARY, _MERGES, _TRAINED = 128_256, 280_147, 131_072
# Of such a vocabulary: tokens, their types and the merges, as every Llama-3 GGUF file holds them.
_METADATA_BYTES: Final = 7_823_000


class Shape(NamedTuple):
    """A published shape: Meta's config.json of Llama-3.2-1B, Llama-3.2-3B and Llama-3.1-8B."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    tied: bool


# By the size that a catalog states, in billions of parameters.
PUBLISHED = {
    1.0: Shape(16, 2048, 8192, 32, 8, 64, True),
    3.0: Shape(28, 3072, 8192, 24, 8, 128, True),
    8.0: Shape(32, 4096, 14336, 32, 8, 128, False),
}


class _Types(NamedTuple):
    """The types of a level; ``value`` and ``down`` are those of every second layer where two stand."""

    most: str
    value: tuple[str, ...]
    down: tuple[str, ...]
    joined: str
    output: str


# From llama.cpp's own choice by level and tensor, llama-quant.cpp.
_LEVELS = {
    "BF16": _Types("BF16", ("BF16",), ("BF16",), "BF16", "BF16"),
    "Q8_0": _Types("Q8_0", ("Q8_0",), ("Q8_0",), "Q8_0", "Q8_0"),
    "Q6_K": _Types("Q6_K", ("Q6_K",), ("Q6_K",), "Q6_K", "Q6_K"),
    "Q5_K_M": _Types("Q5_K", ("Q6_K", "Q5_K"), ("Q6_K", "Q5_K"), "Q5_K", "Q6_K"),
    "Q4_K_M": _Types("Q4_K", ("Q6_K", "Q4_K"), ("Q6_K", "Q4_K"), "Q4_K", "Q6_K"),
    "Q3_K_M": _Types("Q3_K", ("Q4_K",), ("Q4_K",), "Q4_K", "Q6_K"),
    "Q2_K": _Types("Q2_K", ("Q4_K",), ("Q3_K",), "Q3_K", "Q6_K"),
}
LEVELS = tuple(_LEVELS)


def expected_header(parameters: str, level: str) -> tuple[Header, int]:
    """The header that a Llama-3 model of a size will have at a level, and the bytes of its file.

    Args:
        parameters: as a catalog states them, such as "8B". A size that no Llama-3 model has takes the
            nearest one's shape with as many layers as make up the difference.
        level: one of :data:`LEVELS`.
    """
    billions = float(parameters.strip().upper().removesuffix("B"))
    nearest = min(PUBLISHED, key=lambda size: abs(math.log(size / billions)))
    shape = PUBLISHED[nearest]
    if billions != nearest:
        shape = shape._replace(layers=max(1, round(shape.layers * billions / nearest)))
    tensors: list[TensorInfo] = []
    offset = 0
    for name, dims, kind in _tensors(shape, _LEVELS[level]):
        weights, size = _BLOCKS[kind]
        count = math.prod(dims) // weights * size
        tensors.append(TensorInfo(name, dims, kind, offset, count))
        offset += -(-count // 32) * 32
    metadata = {
        "general.architecture": "llama",
        "llama.block_count": shape.layers,
        "llama.context_length": _TRAINED,
        "llama.embedding_length": shape.width,
        "tokenizer.ggml.tokens": VOCABULARY,
        "tokenizer.ggml.merges": _MERGES,
    }
    return Header(3, metadata, tensors, _METADATA_BYTES), _METADATA_BYTES + offset


def _tensors(shape: Shape, types: _Types) -> list[tuple[str, tuple[int, ...], str]]:
    """Name, shape (fastest dimension first) and type of each tensor, as llama.cpp's converter orders them."""
    wide, narrow = shape.heads * shape.head, shape.kv_heads * shape.head
    embedding = types.output if shape.tied else types.most
    found: list[tuple[str, tuple[int, ...], str]] = [
        ("token_embd.weight", (shape.width, VOCABULARY), embedding)
    ]
    for layer in range(shape.layers):
        value, down = (kinds[layer % len(kinds)] for kinds in (types.value, types.down))
        found += [
            (f"blk.{layer}.attn_norm.weight", (shape.width,), "F32"),
            (f"blk.{layer}.attn_q.weight", (shape.width, wide), types.most),
            (f"blk.{layer}.attn_k.weight", (shape.width, narrow), types.most),
            (f"blk.{layer}.attn_v.weight", (shape.width, narrow), value),
            (f"blk.{layer}.attn_output.weight", (wide, shape.width), types.joined),
            (f"blk.{layer}.ffn_norm.weight", (shape.width,), "F32"),
            (f"blk.{layer}.ffn_gate.weight", (shape.width, shape.inner), types.most),
            (f"blk.{layer}.ffn_up.weight", (shape.width, shape.inner), types.most),
            (f"blk.{layer}.ffn_down.weight", (shape.inner, shape.width), down),
        ]
    found.append(("output_norm.weight", (shape.width,), "F32"))
    if not shape.tied:
        found.append(("output.weight", (shape.width, VOCABULARY), types.output))
    return found
