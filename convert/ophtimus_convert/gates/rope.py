"""The gate on rotary factors: without them short prompts look right and long ones break silently."""

import contextlib
import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

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
    checkpoint = subject.blueprint.checkpoint
    theirs = inverse_frequencies(checkpoint.config)
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


def inverse_frequencies(config: dict[str, Any]) -> npt.NDArray[np.float64]:
    """What transformers turns queries and keys by: one inverse frequency for each pair of a head.

    Its class LlamaConfig imports most of transformers and of torch's distributed parts, which takes two seconds
    of a core. So a configuration is made of the part of it that reads the rotary parameters, where these are
    scaled; the plain ones are in the model's own code only.

    Args:
        config: what config.json says.
    """
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS, RotaryEmbeddingConfigMixin

    class Rotary(RotaryEmbeddingConfigMixin):  # type: ignore[misc]  # transformers has no types
        def __init__(self) -> None:
            self.__dict__.update(config)
            self.rope_parameters = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
            self.convert_rope_params_to_dict()

    rotary = Rotary()
    scaled = ROPE_INIT_FUNCTIONS.get(rotary.rope_parameters["rope_type"])
    if scaled:
        frequencies, _ = scaled(rotary)
    else:
        from transformers import LlamaConfig
        from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

        frequencies = LlamaRotaryEmbedding(LlamaConfig.from_dict(dict(config))).inv_freq
    return np.asarray(frequencies.double().numpy())
