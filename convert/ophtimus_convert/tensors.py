"""Where each tensor of a checkpoint goes in a GGUF, and in what layout."""

import math
import re
from typing import Any

import torch

from ophtimus_edge.errors import ConversionError

_TOP = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
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


def gguf_name(name: str) -> str | None:
    """The GGUF name of a checkpoint's tensor; None for one that is computed anew.

    Raises:
        ConversionError: the tensor is not part of a Llama.
    """
    if name in _TOP:
        return _TOP[name]
    if name.endswith("rotary_emb.inv_freq"):
        return None
    match = _LAYER_NAME.fullmatch(name)
    if match and match[2] in _LAYER:
        return f"blk.{match[1]}.{_LAYER[match[2]]}.weight"
    raise ConversionError(
        f"the checkpoint holds a tensor {name}, which a Llama does not have.", "Check what was saved."
    )


def permuted(name: str, weight: torch.Tensor, heads: int, kv_heads: int) -> torch.Tensor:
    """The rows of q and k in the order that llama.cpp's rotary embedding expects.

    transformers rotates the two halves of a head, llama.cpp neighbouring pairs: (heads, 2, half, in)
    becomes (heads, half, 2, in).
    """
    if name.endswith("q_proj.weight"):
        count = heads
    elif name.endswith("k_proj.weight"):
        count = kv_heads
    else:
        return weight
    rows, columns = weight.shape
    halves = weight.reshape(count, 2, rows // count // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns).contiguous()


def rope_factors(rope: dict[str, Any], head_dim: int) -> torch.Tensor | None:
    """The divisor of each rotary frequency, shape (head_dim / 2,), or None for plain rotary embedding.

    For ``rope_type: llama3``: long wavelengths are divided by ``factor``, short ones stay, those
    between are interpolated (transformers, modeling_rope_utils).

    Raises:
        ConversionError: another kind of scaling.
    """
    kind = rope["rope_type"]
    if kind == "default":
        return None
    if kind != "llama3":
        raise ConversionError(
            f"the checkpoint scales its positions by {kind!r}.", "Only llama3 is converted."
        )
    factor, low, high = (float(rope[key]) for key in ("factor", "low_freq_factor", "high_freq_factor"))
    trained = float(rope["original_max_position_embeddings"])
    exponents = torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim
    frequencies = 1.0 / (float(rope["rope_theta"]) ** exponents)
    divisors = []
    for frequency in frequencies.tolist():
        wavelength = 2 * math.pi / frequency
        if wavelength < trained / high:
            divisors.append(1.0)
        elif wavelength > trained / low:
            divisors.append(factor)
        else:
            smooth = (trained / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / factor + smooth))
    return torch.tensor(divisors, dtype=torch.float32)
