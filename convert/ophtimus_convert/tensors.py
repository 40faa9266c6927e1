"""Where each tensor of a checkpoint goes in a GGUF, and in what layout."""

import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from ophtimus_edge.errors import ConversionError

Floats = npt.NDArray[np.float32]

ROPE_FACTORS = "rope_freqs.weight"
EMBEDDING, OUTPUT = "model.embed_tokens.weight", "lm_head.weight"
TOP = {
    EMBEDDING: "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    OUTPUT: "output.weight",
}
_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LAYER_NAME = re.compile(r"model\.layers\.(\d+)\.(.+)\.weight")
_BLOCK = re.compile(r"blk\.(\d+)\.")


def gguf_name(name: str) -> str | None:
    """The GGUF name of a checkpoint's tensor; None for one that is computed anew.

    Raises:
        ConversionError: the tensor is not part of a Llama.
    """
    if name in TOP:
        return TOP[name]
    if name.endswith("rotary_emb.inv_freq"):
        return None
    match = _LAYER_NAME.fullmatch(name)
    if match and match[2] in _LAYER:
        return f"blk.{match[1]}.{_LAYER[match[2]]}.weight"
    raise ConversionError(
        f"the checkpoint holds a tensor {name}, which a Llama does not have.", "Check what was saved."
    )


def quantizer_order(name: str) -> tuple[int, str]:
    """A sort key: the order in which llama.cpp's quantizer writes tensors."""
    block = _BLOCK.match(name)
    return (int(block[1]) if block else -1, name)


def is_permuted(name: str) -> bool:
    """Whether a checkpoint's tensor is one whose rows llama.cpp wants in another order."""
    return name.endswith(("q_proj.weight", "k_proj.weight"))


def rotary_order(rows: Floats, head_dim: int) -> Floats:
    """Rows of q or k, whole heads of them, in the order that llama.cpp's rotary embedding expects.

    transformers rotates the two halves of a head, llama.cpp neighbouring pairs: (heads, 2, half, in)
    becomes (heads, half, 2, in).
    """
    count, columns = rows.shape
    halves = rows.reshape(count // head_dim, 2, head_dim // 2, columns)
    return halves.swapaxes(1, 2).reshape(count, columns)


def rope_factors(rope: dict[str, Any], head_dim: int) -> Floats | None:
    """The divisor of each rotary frequency, shape (head_dim / 2,), or None for plain rotary embedding.

    For ``rope_type: llama3``: long wavelengths are divided by ``factor``, short ones stay, those
    between are interpolated (transformers, modeling_rope_utils).

    Raises:
        ConversionError: another kind of scaling, or a parameter is missing.
    """
    kind = rope["rope_type"]
    if kind == "default":
        return None
    if kind != "llama3":
        raise ConversionError(
            f"the checkpoint scales its positions by {kind!r}.", "Only llama3 is converted."
        )
    try:
        factor, low, high = (float(rope[key]) for key in ("factor", "low_freq_factor", "high_freq_factor"))
        trained = float(rope["original_max_position_embeddings"])
        base = float(rope["rope_theta"])
    except (KeyError, TypeError, ValueError) as error:
        raise ConversionError(
            f"config.json: the rotary scaling lacks a number ({error}).", "Copy the checkpoint again."
        ) from error
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    frequencies = np.float32(1.0) / (np.float32(base) ** exponents)
    divisors = []
    for frequency in frequencies:  # every step in float32, as llama.cpp's converter does it
        wavelength = 2 * math.pi / frequency
        if wavelength < trained / high:
            divisors.append(1.0)
        elif wavelength > trained / low:
            divisors.append(factor)
        else:
            smooth = (trained / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(divisors, np.float32)


def check_tensors(
    shapes: dict[str, tuple[int, ...]], layers: int, expected: dict[str, tuple[int, ...]]
) -> None:
    """Refuse a checkpoint that lacks a tensor, has one too many, or one of another shape.

    Args:
        shapes: of the tensors, by the checkpoint's names.
        layers: how many there should be.
        expected: the shape of each tensor that there should be, by the checkpoint's names.

    Raises:
        ConversionError: naming the tensor.
    """
    missing = sorted(set(expected) - set(shapes) - {OUTPUT})
    surplus = sorted(set(shapes) - set(expected))
    if missing or surplus:
        what = f"lacks {missing[0]}" if missing else f"has {surplus[0]} too many"
        raise ConversionError(
            f"the checkpoint {what} for {layers} layers.",
            "Copy the checkpoint again; a shard may be missing.",
        )
    for name, shape in shapes.items():
        if shape != expected[name]:
            raise ConversionError(
                f"the tensor {name} has the shape {shape}; config.json makes it {expected[name]}.",
                "config.json belongs to another checkpoint: copy both again.",
            )
