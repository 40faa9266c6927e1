"""A LoRA adapter as peft writes it: read against an allow-list, added in float32.

W' = W + s · B · A with s = alpha / r, or alpha / sqrt(r) with rsLoRA (Hu et al. 2021; Kalajdzievski
2023). The sum is rounded once, to the checkpoint's own type. Whatever this module does not treat is
refused by name, never skipped: a merge that leaves something out is wrong without a sign.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ophtimus_edge.errors import AdapterError

_FILE = "adapter_model.safetensors"
_PREFIX = "base_model.model."

# Keys that say nothing about the merged weights, whatever their value: how it was trained, and which
# modules were chosen (the tensors themselves tell). megatron_core names a module that only
# megatron_config, which must be unused, puts to work.
_HARMLESS = frozenset({
    "auto_mapping", "base_model_name_or_path", "exclude_modules", "inference_mode", "layers_pattern",
    "layers_to_transform", "lora_dropout", "megatron_core", "peft_version", "revision", "target_modules",
    "task_type",
})  # fmt: skip
# Keys that this module treats.
_TREATED = frozenset({"lora_alpha", "peft_type", "r", "use_rslora", "init_lora_weights"})
# Every other key must have a value that means "not used".
_UNUSED: tuple[Any, ...] = (None, False, [], {}, "none")
_UNUSED_BY_KEY: dict[str, tuple[Any, ...]] = {
    "ensure_weight_tying": (False, None),
    "qalora_group_size": (16,),
}
# Initializations that leave the base as it is.
_SOUND_STARTS: tuple[Any, ...] = (True, False, "gaussian", "eva", "orthogonal")


class Adapter:
    """An adapter, checked, with its pairs of matrices in memory."""

    def __init__(self, folder: Path) -> None:
        """Read an adapter.

        Raises:
            AdapterError: it is missing, damaged, or asks for something that is not merged here.
        """
        self.folder = folder
        self.config = _read_config(folder)
        self.scale = self._scale()
        self._pairs = _read_pairs(folder / _FILE)

    @property
    def names(self) -> set[str]:
        """The base tensors that the adapter changes."""
        return set(self._pairs)

    def merge(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """A base tensor with the adapter's share added in float32, rounded once to the tensor's type.

        Args:
            name: the base tensor's name, such as ``model.layers.0.mlp.up_proj.weight``.
            weight: shape (out, in).

        Raises:
            AdapterError: the shapes do not fit.
        """
        if name not in self._pairs:
            return weight
        a, b = self._pairs[name]
        if weight.dim() != 2 or (b.shape[0], a.shape[1]) != tuple(weight.shape):
            raise AdapterError(
                f"the adapter's {name} has the shape ({b.shape[0]}, {a.shape[1]}), "
                f"the checkpoint's {tuple(weight.shape)}.",
                "The adapter was trained on another base: name that checkpoint.",
            )
        return (weight.float() + self.scale * (b.float() @ a.float())).to(weight.dtype)

    def _scale(self) -> float:
        r, alpha = self.config.get("r"), self.config.get("lora_alpha")
        if not isinstance(r, int) or r < 1 or not isinstance(alpha, int | float) or not math.isfinite(alpha):
            raise AdapterError(f"the adapter's r is {r!r} and its lora_alpha {alpha!r}.", "Train it again.")
        return float(alpha) / (math.sqrt(r) if self.config.get("use_rslora") else r)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(
            f"{path} cannot be read: {error}.", "Name the folder that peft's save_pretrained wrote."
        ) from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise AdapterError(f"the adapter is of the kind {kind!r}.", "Only LORA adapters are merged.")
    start = config.get("init_lora_weights", True)
    if start not in _SOUND_STARTS:
        raise AdapterError(
            f"the adapter was started with init_lora_weights={start!r}, which changes the base.",
            "Let peft merge it (merge_and_unload) and convert the merged checkpoint.",
        )
    for key, value in config.items():
        if key in _HARMLESS or key in _TREATED or value in _UNUSED_BY_KEY.get(key, _UNUSED):
            continue
        raise AdapterError(
            f"the adapter sets {key}={json.dumps(value)[:80]}, which is not merged here.",
            "Let peft merge it (merge_and_unload) and convert the merged checkpoint.",
        )
    return config


def _read_pairs(path: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    if not path.is_file():
        raise AdapterError(
            f"there is no {path}.", "Save the adapter as safetensors; pickles (.bin) are not read."
        )
    try:
        tensors = load_file(path)
    except Exception as error:  # safetensors raises types of its own Rust core
        raise AdapterError(f"{path} is damaged: {error}.", "Copy the adapter again.") from error
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        base, dot, half = name.removeprefix(_PREFIX).replace(".default.", ".").partition(".lora_")
        if not dot or half not in {"A.weight", "B.weight"}:
            raise AdapterError(
                f"the adapter holds {name}, which is not merged here.",
                "Let peft merge it (merge_and_unload) and convert the merged checkpoint.",
            )
        if not bool(torch.isfinite(tensor).all()):
            raise AdapterError(f"the adapter's {name} holds NaN or infinity.", "Train it again.")
        halves.setdefault(base.replace(".base_layer", "") + ".weight", {})[half[0]] = tensor
    pairs = {}
    for name, pair in halves.items():
        if set(pair) != {"A", "B"} or pair["A"].shape[0] != pair["B"].shape[1]:
            raise AdapterError(f"the adapter's two halves of {name} do not fit.", "Copy the adapter again.")
        pairs[name] = (pair["A"], pair["B"])
    if not any(bool(b.any()) for _, b in pairs.values()):
        raise AdapterError("every B of the adapter is zero: it does nothing.", "Name a trained adapter.")
    return pairs
