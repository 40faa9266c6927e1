"""A checkpoint folder as transformers writes it: its configuration and its safetensors."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ophtimus_edge.errors import ConversionError

ARCHITECTURE = "LlamaForCausalLM"
_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Checkpoint:
    """A folder with ``config.json`` and safetensors, one file or sharded.

    Attributes:
        type: of the weights, F32, F16 or BF16.
        config: what ``config.json`` says.
    """

    def __init__(self, folder: Path) -> None:
        """Open a checkpoint; no tensor is read yet.

        Raises:
            ConversionError: the folder is no Llama checkpoint in safetensors.
        """
        self.folder = folder
        self.config = _read_config(folder)
        self.files = sorted(folder.glob("*.safetensors"))
        if not self.files:
            pickled = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
            why = (
                f"{pickled[0].name} is a pickle, which can run code" if pickled else "it has no .safetensors"
            )
            raise ConversionError(
                f"{folder} cannot be converted: {why}.",
                "Save the checkpoint with save_pretrained(…, safe_serialization=True) and name that folder.",
            )
        self._where: dict[str, Path] = {}
        types: set[str] = set()
        for path in self.files:
            try:
                with safe_open(path, framework="pt") as file:
                    for name in file.keys():  # noqa: SIM118 - not a mapping
                        self._where[name] = path
                        types.add(file.get_slice(name).get_dtype())
            except Exception as error:  # safetensors raises types of its own Rust core
                raise ConversionError(f"{path} is damaged: {error}.", "Copy the checkpoint again.") from error
        if len(types) != 1 or not types <= set(_TYPES):
            raise ConversionError(
                f"the weights in {folder} are of the types {', '.join(sorted(types))}.",
                "All weights must be of one type: F32, F16 or BF16.",
            )
        self.type = types.pop()

    @property
    def dtype(self) -> torch.dtype:
        """The weights' type, as torch has it."""
        return _TYPES[self.type]

    @property
    def tensor_names(self) -> list[str]:
        """The names of all tensors, sorted."""
        return sorted(self._where)

    def tensor(self, name: str) -> torch.Tensor:
        """Read one tensor.

        Raises:
            ConversionError: it is missing, or holds NaN or infinity.
        """
        if name not in self._where:
            raise ConversionError(f"{self.folder} has no tensor {name}.", "Copy the checkpoint again.")
        with safe_open(self._where[name], framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(name)
        if not bool(torch.isfinite(tensor).all()):
            raise ConversionError(
                f"the tensor {name} holds NaN or infinity.",
                "The training went wrong: use an earlier checkpoint.",
            )
        return tensor

    def number(self, key: str, default: float | None = None) -> Any:
        """A number of the configuration.

        Raises:
            ConversionError: it is missing or not a positive finite number.
        """
        value = self.config.get(key)
        value = default if value is None else value
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise ConversionError(
                f"{self.folder / 'config.json'}: {key} is {value!r}.", "It must be a positive number."
            )
        return value

    @property
    def rope(self) -> dict[str, Any]:
        """The rotary parameters: ``rope_theta`` and those of its scaling.

        transformers 5 writes ``rope_parameters``; before, ``rope_theta`` stood beside ``rope_scaling``.
        """
        parameters = dict(self.config.get("rope_parameters") or self.config.get("rope_scaling") or {})
        parameters.setdefault("rope_theta", self.config.get("rope_theta", 10000.0))
        parameters.setdefault("rope_type", parameters.pop("type", "default"))
        return parameters

    @property
    def tied(self) -> bool:
        """Whether the output layer is the embedding."""
        return "lm_head.weight" not in self._where


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConversionError(
            f"{folder} is no checkpoint: it has no config.json.",
            "Name the folder that save_pretrained wrote.",
        ) from None
    except (OSError, ValueError) as error:
        raise ConversionError(f"{path} cannot be read: {error}.", "Copy the checkpoint again.") from error
    architectures = config.get("architectures") if isinstance(config, dict) else None
    if architectures != [ARCHITECTURE]:
        raise ConversionError(
            f"{folder} is of the architecture {architectures}, which is not converted.",
            f"Only {ARCHITECTURE} is.",
        )
    return dict(config)
