"""A checkpoint folder as transformers writes it: its configuration and its safetensors."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ophtimus_convert.positioned import PositionedFile
from ophtimus_convert.safetensors_header import Tensor, read_tensors
from ophtimus_convert.tensors import EMBEDDING, OUTPUT
from ophtimus_edge.errors import ConversionError

ARCHITECTURE = "LlamaForCausalLM"
INDEX = "model.safetensors.index.json"
_LAYOUT: dict[str, np.dtype[np.generic]] = {
    "F32": np.dtype("<u4"),
    "F16": np.dtype("<u2"),
    "BF16": np.dtype("<u2"),
}
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


class Shape(NamedTuple):
    """The numbers of a Llama."""

    layers: int
    context: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int


class Checkpoint:
    """A folder with ``config.json`` and safetensors, one file or sharded.

    Attributes:
        type: of the matrices: F32, F16 or BF16.
        config: what ``config.json`` says.
        files: the safetensors.
        notes: sentences for the person who converts.
    """

    def __init__(self, folder: Path) -> None:
        """Open a checkpoint; its headers are read, its weights are not.

        Raises:
            ConversionError: the folder is no whole Llama checkpoint in safetensors.
        """
        self.folder = folder
        self.notes: list[str] = []
        self.config = _read_config(folder)
        self._tensors = _read_tensors(folder)
        self.files = sorted({tensor.file for tensor in self._tensors.values()})
        self._open = {path: PositionedFile(path) for path in self.files}
        _refuse_packed(folder, self.config, self._tensors)
        if self.config.get("quantization_config"):
            self.notes.append(
                "config.json has a quantization_config, but the weights are not packed: ignored."
            )
        types = {tensor.type for tensor in self._tensors.values() if len(tensor.shape) > 1}
        if len(types) != 1 or not {tensor.type for tensor in self._tensors.values()} <= set(_LAYOUT):
            every = sorted({tensor.type for tensor in self._tensors.values()})
            raise ConversionError(
                f"the weights in {folder} are of the types {', '.join(every)}.",
                "All matrices must be of one type: F32, F16 or BF16.",
            )
        self.type = types.pop()
        if self.tied and self.config.get("tie_word_embeddings") is False:
            raise ConversionError(
                f"{folder} says that its embeddings are not tied, and has no {OUTPUT}.",
                "Copy the checkpoint again, or set tie_word_embeddings to true where it was trained so.",
            )
        if self.config.get("hidden_act", "silu") != "silu":
            raise ConversionError(
                f"config.json: hidden_act is {self.config['hidden_act']!r}.",
                "Only Llama's own, silu, is converted.",
            )
        self._drop_redundant_output()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor, by name, in the order of the names."""
        return {name: tensor.shape for name, tensor in sorted(self._tensors.items())}

    @property
    def tied(self) -> bool:
        """Whether the output layer is the embedding."""
        return OUTPUT not in self._tensors

    def type_of(self, name: str) -> str:
        """The type of a tensor."""
        return self._tensors[name].type

    def rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.generic]:
        """Rows of a tensor, raw, shape (stop − start, columns); a vector is one row.

        Raises:
            OSError: the file cannot be read.
        """
        tensor = self._tensors[name]
        layout = _LAYOUT[tensor.type]
        row = tensor.columns * layout.itemsize
        data = self._open[tensor.file].read((stop - start) * row, tensor.offset + start * row)
        return np.frombuffer(data, layout).reshape(stop - start, tensor.columns)

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
    def shape(self) -> Shape:
        """The model's numbers.

        Raises:
            ConversionError: one is missing or impossible.
        """
        hidden, heads = int(self.number("hidden_size")), int(self.number("num_attention_heads"))
        shape = Shape(
            layers=int(self.number("num_hidden_layers")),
            context=int(self.number("max_position_embeddings")),
            hidden=hidden,
            intermediate=int(self.number("intermediate_size")),
            heads=heads,
            kv_heads=int(self.number("num_key_value_heads", heads)),
            head_dim=int(self.number("head_dim", hidden // heads)),
            vocabulary=int(self.number("vocab_size")),
        )
        if heads % shape.kv_heads or shape.head_dim % 2:
            raise ConversionError(
                f"{heads} heads do not divide into {shape.kv_heads} key/value heads of {shape.head_dim}.",
                "Check the checkpoint's config.json.",
            )
        return shape

    @property
    def rope(self) -> dict[str, Any]:
        """The rotary parameters: ``rope_theta`` and those of its scaling.

        transformers 5 writes ``rope_parameters``; before, ``rope_theta`` stood beside ``rope_scaling``.
        """
        parameters = dict(self.config.get("rope_parameters") or self.config.get("rope_scaling") or {})
        parameters.setdefault("rope_theta", self.config.get("rope_theta", 10000.0))
        parameters.setdefault("rope_type", parameters.pop("type", "default"))
        return parameters

    def _drop_redundant_output(self) -> None:
        """Leave out an output layer that only repeats a tied embedding; it would change the type plan."""
        if self.tied or not self.config.get("tie_word_embeddings"):
            return
        embedding, output = self._tensors.get(EMBEDDING), self._tensors.get(OUTPUT)
        if embedding is None or output is None:
            return
        if embedding.shape != output.shape or not self._equal(embedding, output):
            raise ConversionError(
                f"{self.folder} says tie_word_embeddings, and its {OUTPUT} differs from its embedding.",
                "Set tie_word_embeddings to false in config.json if the output layer was trained, "
                f"or remove {OUTPUT}.",
            )
        del self._tensors[OUTPUT]
        self.notes.append(f"{OUTPUT} repeats the tied embedding and is left out.")

    def _equal(self, one: Tensor, other: Tensor) -> bool:
        if one.type != other.type:
            return False
        step = 8 << 20
        return all(
            self._open[one.file].read(min(step, one.size_bytes - at), one.offset + at)
            == self._open[other.file].read(min(step, one.size_bytes - at), other.offset + at)
            for at in range(0, one.size_bytes, step)
        )


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


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    index = folder / INDEX
    paths = sorted(folder.glob("*.safetensors"))
    whole = folder / "model.safetensors"
    if index.is_file() and whole.is_file():
        raise ConversionError(
            f"{folder} has both {INDEX} and {whole.name}: which one is the model is not clear.",
            "Move the one that is not away.",
        )
    if index.is_file():
        return _read_sharded(folder, index)
    if not paths:
        pickled = [path for pattern in _PICKLES for path in sorted(folder.glob(pattern))]
        why = f"{pickled[0].name} is a pickle, which can run code" if pickled else "it has no .safetensors"
        raise ConversionError(
            f"{folder} cannot be converted: {why}.",
            "Save the checkpoint with save_pretrained(…, safe_serialization=True) and name that folder.",
        )
    tensors: dict[str, Tensor] = {}
    for path in [whole] if whole in paths else paths:
        more = read_tensors(path)
        if twice := sorted(set(tensors) & set(more)):
            raise ConversionError(
                f"{folder} holds {twice[0]} twice, in {tensors[twice[0]].file.name} and {path.name}.",
                f"Move the file that is not part of the model away, or add {INDEX}.",
            )
        tensors |= more
    return tensors


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a folder, in order; none where it or its index cannot be read."""
    index = folder / INDEX
    try:
        return sorted(
            set(_named(folder, index).values()) if index.is_file() else folder.glob("*.safetensors")
        )
    except (ConversionError, OSError):
        return []


def _named(folder: Path, index: Path) -> dict[str, Path]:
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {name: folder / Path(str(file)).name for name, file in dict(places).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConversionError(f"{index} is damaged: {error!r}.", "Copy the checkpoint again.") from error


def _read_sharded(folder: Path, index: Path) -> dict[str, Tensor]:
    named = _named(folder, index)
    found: dict[str, Tensor] = {}
    for path in sorted(set(named.values())):
        if not path.is_file():
            raise ConversionError(
                f"the shard {path.name} of {folder} is missing.", "Copy the checkpoint again, all of it."
            )
        found |= read_tensors(path)
    for name, path in named.items():
        if name not in found or found[name].file != path:
            raise ConversionError(
                f"{index.name} names a tensor {name} in {path.name}, which does not hold it.",
                "Copy the checkpoint again, all of it.",
            )
    return {name: found[name] for name in named}


def _refuse_packed(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    packed = next(
        (name for name, tensor in sorted(tensors.items())
         if tensor.type in {"U8", "I8"} or ".quant_state." in name or name.endswith(("absmax", ".SCB"))),
        "",
    )  # fmt: skip
    if packed:
        quantization = config.get("quantization_config")
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None
        raise ConversionError(
            f"{folder} is quantized already ({method or 'bitsandbytes'}: {packed} is packed).",
            "Name the 16-bit checkpoint that it was made from, with the adapter.",
        )
