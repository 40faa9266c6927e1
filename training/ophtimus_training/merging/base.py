"""The checkpoint that an adapter is merged into: its configuration and its tensors, read one at a time."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ophtimus_edge.errors import BaseCheckpointError

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
_INDEX = "model.safetensors.index.json"
_AGAIN = "Copy the checkpoint again, all of it."
_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Checkpoint:
    """A folder with ``config.json`` and safetensors, one file or sharded; nothing of the weights is held.

    Attributes:
        config: what ``config.json`` says.
        shapes: of every tensor, by its name, in the order of the files.
        types: likewise.
        files: the safetensors.
    """

    def __init__(self, folder: Path) -> None:
        """Open a checkpoint.

        Raises:
            BaseCheckpointError: it is no whole Llama in 16 or 32 bits, as safetensors.
        """
        self.folder = folder
        self.config = _config(folder)
        self.files = _files(folder)
        self._places: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.types: dict[str, torch.dtype] = {}
        for path in self.files:
            try:
                handle = safe_open(path, "pt")
                for name in handle.keys():  # noqa: SIM118  # no dictionary, and its keys alone can be listed
                    said = handle.get_slice(name)
                    if said.get_dtype() not in _TYPES:
                        raise BaseCheckpointError(
                            f"the base in {folder} is quantized: {name} is {said.get_dtype()}.",
                            "Name the checkpoint in 16 bits that it was made from, with --base.",
                        )
                    self._places[name] = handle
                    self.shapes[name] = tuple(said.get_shape())
                    self.types[name] = _TYPES[said.get_dtype()]
            except (SafetensorError, OSError) as error:
                raise BaseCheckpointError(f"{path} cannot be read: {error}.", _AGAIN) from error
        self._check_whole()

    @property
    def tied(self) -> bool:
        """Whether the output layer is the embedding."""
        return HEAD not in self.shapes

    def tensor(self, name: str) -> Tensor:
        """A tensor as it is stored; the embedding, where the output layer is asked for and is the same.

        Raises:
            BaseCheckpointError: it cannot be read.
        """
        stored = EMBEDDING if name == HEAD and self.tied else name
        try:
            tensor: Tensor = self._places[stored].get_tensor(stored)
        except (SafetensorError, OSError) as error:
            raise BaseCheckpointError(
                f"{stored} of {self.folder} cannot be read: {error}.", _AGAIN
            ) from error
        return tensor

    def _check_whole(self) -> None:
        layers = int(self.config.get("num_hidden_layers", 0))
        wanted = [EMBEDDING, "model.norm.weight"]
        parts = ("q_proj", "k_proj", "v_proj", "o_proj")
        for layer in range(layers):
            wanted += [f"model.layers.{layer}.self_attn.{part}.weight" for part in parts]
            wanted += [
                f"model.layers.{layer}.mlp.{part}.weight" for part in ("gate_proj", "up_proj", "down_proj")
            ]
        if not self.config.get("tie_word_embeddings"):
            wanted.append(HEAD)
        missing = [name for name in wanted if name not in self.shapes]
        if missing:
            raise BaseCheckpointError(
                f"the base in {self.folder} is not whole: {missing[0]} is missing"
                + (f", and {len(missing) - 1} more." if missing[1:] else "."),
                _AGAIN,
            )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BaseCheckpointError(
            f"there is no base checkpoint in {folder}.", "Name the folder of the base with --base."
        ) from None
    except (OSError, ValueError) as error:
        raise BaseCheckpointError(f"{path} cannot be read: {error}.", _AGAIN) from error
    kinds = config.get("architectures") if isinstance(config, dict) else None
    if kinds != ["LlamaForCausalLM"]:
        raise BaseCheckpointError(
            f"the base in {folder} is of the architecture {kinds}.", "Only LlamaForCausalLM is merged."
        )
    if config.get("quantization_config"):
        method = config["quantization_config"].get("quant_method", "some method")
        raise BaseCheckpointError(
            f"the base in {folder} is quantized ({method}).",
            "Name the checkpoint in 16 bits that it was made from, with --base.",
        )
    return dict(config)


def _files(folder: Path) -> list[Path]:
    index = folder / _INDEX
    if index.is_file():
        try:
            named = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BaseCheckpointError(f"{index} is damaged: {error!r}.", _AGAIN) from error
        files = [folder / Path(name).name for name in named]
    else:
        files = sorted(folder.glob("*.safetensors"))
    missing = [path.name for path in files if not path.is_file()]
    if missing or not files:
        what = f"the shard {missing[0]}" if missing else "a safetensors file"
        raise BaseCheckpointError(f"{what} is missing in {folder}.", _AGAIN)
    return files
