"""The gate on rotary factors: without them short prompts look right and long ones break silently."""

import contextlib
import importlib.util

import numpy as np

from ophtimus_convert.gates.finding import Finding, GateError, Subject
from ophtimus_convert.positioned import PositionedFile
from ophtimus_convert.tensors import ROPE_FACTORS
from ophtimus_edge.models.gguf import read_header

_TOLERANCE = 1e-6  # of a quotient of two float32 numbers


async def rope(subject: Subject) -> Finding:
    """Every file's factors turn the plain inverse frequencies into transformers' own.

    Raises:
        GateError: they are missing, or differ.
    """
    if importlib.util.find_spec("torch") is None:
        return Finding(False, "torch is not installed")
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    checkpoint = subject.blueprint.checkpoint
    config = LlamaConfig.from_dict(dict(checkpoint.config))
    theirs = LlamaRotaryEmbedding(config).inv_freq.double().numpy()
    head_dim, base = subject.blueprint.shape.head_dim, float(checkpoint.rope["rope_theta"])
    plain = base ** -(np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    for level, path in subject.files.items():
        header = read_header(path)
        written = next((tensor for tensor in header.tensors if tensor.name == ROPE_FACTORS), None)
        factors = np.ones(head_dim // 2)
        if written:
            with contextlib.closing(PositionedFile(path)) as file:
                data = file.read(written.size_bytes, header.data_offset + written.offset)
            factors = np.frombuffer(data, np.float32).astype(np.float64)
        if header.metadata.get("llama.rope.freq_base") != np.float32(base):
            raise GateError(
                f"{level} has the base {header.metadata.get('llama.rope.freq_base')}, config.json {base}",
                "Convert again; if it fails again, report it with config.json.",
            )
        if factors.shape != theirs.shape or float(np.max(np.abs(plain / factors / theirs - 1))) > _TOLERANCE:
            worst = np.max(np.abs(plain / factors / theirs - 1)) if factors.shape == theirs.shape else np.inf
            raise GateError(
                f"{level}{'' if written else ' has no rope_freqs and'} turns by other frequencies than "
                f"transformers (by {worst:.1%} at the most)",
                "Convert again; if it fails again, report it with config.json.",
            )
    return Finding(True, f"{len(subject.files)} files turn by transformers' own {head_dim // 2} frequencies")
