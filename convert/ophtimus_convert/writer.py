"""The merged checkpoint as one GGUF file of the checkpoint's own type."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType

from ophtimus_convert.adapter import Adapter
from ophtimus_convert.checkpoint import Checkpoint
from ophtimus_convert.tensors import gguf_name, permuted, rope_factors
from ophtimus_convert.vocabulary import Vocabulary
from ophtimus_edge.errors import AdapterError, ConversionError
from ophtimus_edge.models.llama3 import PRE_TOKENIZER

_GGML_TYPES = {
    "F32": (GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "F16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "BF16": (GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16),
}
_ROPE_FACTORS = "rope_freqs.weight"


class Shape(NamedTuple):
    """The numbers of a Llama that its GGUF states."""

    layers: int
    context: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int


def shape_of(checkpoint: Checkpoint) -> Shape:
    """Read the shape from the configuration.

    Raises:
        ConversionError: a number is missing or impossible.
    """
    hidden, heads = int(checkpoint.number("hidden_size")), int(checkpoint.number("num_attention_heads"))
    shape = Shape(
        layers=int(checkpoint.number("num_hidden_layers")),
        context=int(checkpoint.number("max_position_embeddings")),
        hidden=hidden,
        intermediate=int(checkpoint.number("intermediate_size")),
        heads=heads,
        kv_heads=int(checkpoint.number("num_key_value_heads", heads)),
        head_dim=int(checkpoint.number("head_dim", hidden // heads)),
        vocabulary=int(checkpoint.number("vocab_size")),
    )
    if heads % shape.kv_heads or shape.head_dim % 2:
        raise ConversionError(
            f"{heads} heads do not divide into {shape.kv_heads} key/value heads of {shape.head_dim}.",
            "Check the checkpoint's config.json.",
        )
    return shape


def write_merged(
    checkpoint: Checkpoint,
    adapter: Adapter | None,
    vocabulary: Vocabulary,
    name: str,
    path: Path,
    on_progress: Callable[[int, int], None],
) -> None:
    """Write a checkpoint, with its adapter merged, as a GGUF; one tensor is in memory at a time.

    Args:
        name: what the model is called inside the file.
        path: the file to write.
        on_progress: told the tensors written and their number.

    Raises:
        ConversionError: the checkpoint is not a sound Llama.
        AdapterError: the adapter does not fit it.
    """
    shape = shape_of(checkpoint)
    targets = {source: target for source in checkpoint.tensor_names if (target := gguf_name(source))}
    _check_complete(set(targets.values()), shape)
    unmatched = sorted(adapter.names - set(targets)) if adapter else []
    if unmatched:
        raise AdapterError(
            f"the adapter changes {unmatched[0]}, which the checkpoint does not have.",
            "The adapter was trained on another base: name that checkpoint.",
        )
    writer = GGUFWriter(path=None, arch="llama")
    _add_metadata(writer, checkpoint, shape, vocabulary, name)
    factors = rope_factors(checkpoint.rope, shape.head_dim)
    plan: list[str] = []
    if factors is not None:
        writer.add_tensor_info(_ROPE_FACTORS, tuple(factors.shape), np.dtype(np.float32), factors.nbytes)
        plan.append(_ROPE_FACTORS)
    for source, target in targets.items():
        tensor = checkpoint.tensor(source)
        kind = GGMLQuantizationType.F32 if tensor.dim() == 1 else _GGML_TYPES[checkpoint.type][0]
        size = tensor.numel() * (4 if kind == GGMLQuantizationType.F32 else 2)
        layout = np.dtype(np.float32 if kind == GGMLQuantizationType.F32 else np.int16)
        writer.add_tensor_info(target, tuple(tensor.shape), layout, size, raw_dtype=kind)
        plan.append(source)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    try:
        for done, source in enumerate(plan, start=1):
            if source == _ROPE_FACTORS:
                assert factors is not None  # noqa: S101 - it stands in the plan for that reason
                writer.write_tensor_data(factors.numpy())
            else:
                tensor = checkpoint.tensor(source)
                merged = adapter.merge(source, tensor) if adapter else tensor
                writer.write_tensor_data(_bytes(permuted(source, merged, shape.heads, shape.kv_heads)))
            on_progress(done, len(plan))
    finally:
        writer.close()


def _bytes(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dim() == 1 or tensor.dtype == torch.float32:
        return tensor.float().contiguous().numpy()
    return tensor.contiguous().view(torch.int16).numpy()


def _check_complete(names: set[str], shape: Shape) -> None:
    parts = ["attn_k", "attn_norm", "attn_output", "attn_q", "attn_v"]
    parts += ["ffn_down", "ffn_gate", "ffn_norm", "ffn_up"]
    needed = {"token_embd.weight", "output_norm.weight"}
    needed |= {f"blk.{layer}.{part}.weight" for layer in range(shape.layers) for part in parts}
    missing, surplus = sorted(needed - names), sorted(names - needed - {"output.weight"})
    if missing or surplus:
        what = f"lacks {missing[0]}" if missing else f"has {surplus[0]} too many"
        raise ConversionError(
            f"the checkpoint {what} for {shape.layers} layers.",
            "Copy the checkpoint again; a shard may be missing.",
        )


def _add_metadata(
    writer: GGUFWriter, checkpoint: Checkpoint, shape: Shape, vocabulary: Vocabulary, name: str
) -> None:
    """The keys of a Llama, in the order in which llama.cpp's own converter writes them."""
    writer.add_type("model")
    writer.add_name(name)
    writer.add_size_label(_size_label(checkpoint))
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
    writer.add_file_type(_GGML_TYPES[checkpoint.type][1])
    writer.add_vocab_size(shape.vocabulary)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_quantization_version(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(vocabulary.bos)
    writer.add_eos_token_id(vocabulary.eos)
    writer.add_add_bos_token(True)
    if vocabulary.template:
        writer.add_chat_template(vocabulary.template)


def _size_label(checkpoint: Checkpoint) -> str:
    weights = sum(checkpoint.tensor(name).numel() for name in checkpoint.tensor_names)
    for unit, size in (("B", 1e9), ("M", 1e6)):
        if weights >= size:
            return f"{weights / size:.1f}".removesuffix(".0") + unit
    return f"{round(weights / 1e3)}K"
