"""Whether a header describes a Llama that llama.cpp can run.

llama.cpp refuses some contradictions between metadata, vocabulary and tensors, and ends the process on
others (its GGML_ASSERT). What it says then is for its developers; here each has a sentence, before a worker
is started. Keys and tensors: ggml, docs/gguf.md; llama.cpp, src/models/llama.cpp.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ophtimus_edge.models.gguf import Header

# Key → the least and the most that llama.cpp, or a Llama of any size, has.
_NUMBERS = {
    "llama.block_count": (1, 512),
    "llama.context_length": (1, (1 << 31) - 1),
    "llama.embedding_length": (1, 1 << 20),
    "llama.feed_forward_length": (1, 1 << 24),
    "llama.attention.head_count": (1, 4096),
}
_OPTIONAL_NUMBERS = {
    "llama.attention.head_count_kv": (1, 4096),
    "llama.attention.key_length": (2, 4096),
    "llama.attention.value_length": (2, 4096),
    "llama.rope.dimension_count": (2, 4096),
    "llama.expert_count": (0, 0),  # a mixture of experts is no Llama of this program's catalogue
    "llama.expert_used_count": (0, 0),
    "llama.expert_group_count": (0, 0),
    "llama.nextn_predict_layers": (0, 0),
    "general.file_type": (0, 1 << 16),
}
_EPSILON = "llama.attention.layer_norm_rms_epsilon"
_FREQUENCY, _SCALING = "llama.rope.freq_base", "llama.rope.scaling.factor"
_SCALINGS = {"none", "linear", "yarn", "longrope"}
_TOKENS, _MERGES = "tokenizer.ggml.tokens", "tokenizer.ggml.merges"
_SPECIAL = ("tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id")
_WHOLE_NUMBERS = {"I8", "I16", "I32", "I64", "F64"}  # stored in tensors, never multiplied with


def objection(header: "Header") -> str:
    """What is wrong with the header of a Llama, as the end of "it is not sound: …"; "" where nothing is."""
    for doubts in (_numbers, _heads, _vocabulary, _tensors):
        for doubt in doubts(header):
            return doubt
    return ""


def _numbers(header: "Header") -> Iterator[str]:
    values, kinds = header.metadata, header.kinds
    for key, (least, most) in (_NUMBERS | _OPTIONAL_NUMBERS).items():
        if key in values:
            if kinds[key] != "u32":
                yield f"{key} is of the type {kinds[key]}"
            elif not least <= values[key] <= most:
                yield f"{key} is {values[key]}"
        elif key in _NUMBERS:
            yield f"{key} is missing"
    if _EPSILON not in values:
        yield f"{_EPSILON} is missing"
    for key, limit in ((_EPSILON, 1.0), (_FREQUENCY, math.inf), (_SCALING, math.inf)):
        if key in values and kinds[key] != "f32":
            yield f"{key} is of the type {kinds[key]}"
        elif key in values and not 0 < values[key] < limit and not (key == _SCALING and values[key] == 0):
            yield f"{key} is {values[key]}"
    scaling = values.get("llama.rope.scaling.type", "none")
    if scaling not in _SCALINGS:
        yield f"llama.rope.scaling.type is {str(scaling)[:40]!r}"
    if values.get("llama.attention.causal", True) is not True:
        yield "llama.attention.causal is not true: it reads texts and writes none"


def _heads(header: "Header") -> Iterator[str]:
    values = header.metadata
    heads, groups = values["llama.attention.head_count"], _key_value_heads(values)
    if heads % groups:
        yield f"{heads} heads cannot share {groups} heads of keys and values"
    if "llama.attention.key_length" not in values and values["llama.embedding_length"] % heads:
        yield f"llama.embedding_length is {values['llama.embedding_length']}, for {heads} heads"
    size = _head_size(values)
    others = ("llama.attention.value_length", "llama.rope.dimension_count")
    if size % 2 or any(values.get(key, size) != size for key in others):
        yield f"its heads have {size} dimensions in one place and another number in another"
    if "llama.attention.value_length" not in values and values["llama.embedding_length"] // heads != size:
        yield "llama.attention.value_length is missing"


def _vocabulary(header: "Header") -> Iterator[str]:
    values, kinds = header.metadata, header.kinds
    model = values.get("tokenizer.ggml.model", "")
    if model not in {"gpt2", "llama"}:
        yield f"its tokenizer is {str(model)[:40]!r}, which no Llama has"
    if kinds.get(_TOKENS) != "arr[str]" or not values[_TOKENS]:
        yield "it has no vocabulary"
    if model == "gpt2" and kinds.get(_MERGES) != "arr[str]":
        yield "its vocabulary has no merges"
    for key, allowed in (("scores", {"arr[f32]", "arr[i32]"}), ("token_type", {"arr[i32]"})):
        kind = kinds.get(f"tokenizer.ggml.{key}")
        if kind and (kind not in allowed or values[f"tokenizer.ggml.{key}"] < values[_TOKENS]):
            yield f"tokenizer.ggml.{key} does not fit its vocabulary"
    for key in _SPECIAL:
        if key in values and (kinds[key] != "u32" or values[key] >= values[_TOKENS]):
            yield f"{key} is {str(values[key])[:40]}, of {values[_TOKENS]} tokens"


def _tensors(header: "Header") -> Iterator[str]:
    found = {tensor.name: tensor for tensor in header.tensors}
    for name, shape, optional in _expected(header.metadata):
        if name not in found:
            if not optional:
                yield f"the tensor {name} is missing"
            continue
        tensor = found[name]
        if tensor.shape != shape and tensor.shape != (*shape, 1):
            yield f"the tensor {name} has the shape {tensor.shape}, where its metadata makes it {shape}"
    for tensor in header.tensors:
        if len(tensor.shape) == 1 and tensor.type != "F32":  # what is added or multiplied element by element
            yield f"the tensor {tensor.name} is of the type {tensor.type}, not F32"
        if tensor.type in _WHOLE_NUMBERS:
            yield f"the tensor {tensor.name} is of the type {tensor.type}"


def _expected(values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Name and shape (fastest dimension first) of a Llama's tensors, and whether one may be missing."""
    width, inner, tokens = (
        values[key] for key in ("llama.embedding_length", "llama.feed_forward_length", _TOKENS)
    )
    size = _head_size(values)
    queries, keys = values["llama.attention.head_count"] * size, _key_value_heads(values) * size
    yield "token_embd.weight", (width, tokens), False
    yield "output_norm.weight", (width,), False
    yield "output.weight", (width, tokens), True
    yield "rope_freqs.weight", (size // 2,), True
    for layer in range(values["llama.block_count"]):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", (width,), False
        yield f"{block}.attn_q.weight", (width, queries), False
        yield f"{block}.attn_k.weight", (width, keys), False
        yield f"{block}.attn_v.weight", (width, keys), False
        yield f"{block}.attn_output.weight", (queries, width), False
        yield f"{block}.ffn_norm.weight", (width,), False
        yield f"{block}.ffn_gate.weight", (width, inner), False
        yield f"{block}.ffn_up.weight", (width, inner), False
        yield f"{block}.ffn_down.weight", (inner, width), False


def _head_size(values: Mapping[str, Any]) -> int:
    default = values["llama.embedding_length"] // values["llama.attention.head_count"]
    return int(values.get("llama.attention.key_length", default))


def _key_value_heads(values: Mapping[str, Any]) -> int:
    return int(values.get("llama.attention.head_count_kv", values["llama.attention.head_count"]))
