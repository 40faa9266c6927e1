"""What will be written, known before any weight is read: tensors, vocabulary, metadata."""

import math
from pathlib import Path
from typing import NamedTuple

from ophtimus_convert.adapter import Adapter
from ophtimus_convert.checkpoint import Checkpoint, Shape
from ophtimus_convert.header import Metadata, metadata
from ophtimus_convert.tensors import (
    EMBEDDING,
    OUTPUT,
    ROPE_FACTORS,
    Floats,
    check_tensors,
    gguf_name,
    quantizer_order,
    rope_factors,
)
from ophtimus_convert.vocabulary import Vocabulary, read_vocabulary, tokenizer_folder


class OutputTensor(NamedTuple):
    """A tensor of the GGUF.

    Attributes:
        name: in the checkpoint's names.
        base: the checkpoint's tensor that it starts from.
        shape: (rows, columns), or (columns,) for a vector.
    """

    name: str
    base: str
    shape: tuple[int, ...]


class Blueprint(NamedTuple):
    """A model to write.

    Attributes:
        tensors: by GGUF name, in the file's order; the rotary factors are not among them.
        factors: the rotary factors, or None.
        keys: the metadata of every file.
        notes: sentences for the person who converts.
    """

    name: str
    checkpoint: Checkpoint
    adapter: Adapter | None
    shape: Shape
    vocabulary: Vocabulary
    tensors: dict[str, OutputTensor]
    factors: Floats | None
    keys: Metadata
    notes: list[str]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor of the GGUF, the rotary factors among them, in the file's order."""
        shapes = {target: tensor.shape for target, tensor in self.tensors.items()}
        if self.factors is not None:
            shapes[ROPE_FACTORS] = self.factors.shape
        return {name: shapes[name] for name in sorted(shapes, key=quantizer_order)}

    @property
    def source_types(self) -> dict[str, str]:
        """The ggml type of each tensor in a file of the checkpoint's own type: vectors stay F32."""
        return {
            name: "F32" if len(shape) == 1 else self.checkpoint.type for name, shape in self.shapes.items()
        }


def draw(
    source: Path,
    adapter_folder: Path | None,
    tokenizer: Path | None,
    template: Path | None,
    name: str,
    source_id: str = "",
) -> Blueprint:
    """Read everything but the weights, and check that it fits together.

    Args:
        tokenizer: a folder to take the tokenizer from, instead of the adapter's or the checkpoint's.
        template: a file to take the chat template from.
        name: what the model is called.
        source_id: the checkpoint's hub id, where it came from there.

    Raises:
        ConversionError: the checkpoint or the tokenizer cannot be converted.
        AdapterError: the adapter cannot be merged into it.
    """
    checkpoint = Checkpoint(source)
    shape = checkpoint.shape
    shapes = {key: value for key, value in checkpoint.shapes.items() if gguf_name(key)}
    check_tensors(shapes, shape.layers, expected_shapes(shape))
    notes = list(checkpoint.notes)
    adapter = Adapter(adapter_folder) if adapter_folder else None
    outputs = {key: OutputTensor(key, key, value) for key, value in shapes.items()}
    rows = shapes[EMBEDDING][0]
    if adapter:
        fit = adapter.fit(shapes, checkpoint.tied)
        adapter.check_finite()
        adapter.compare_base(*([source_id] if source_id else []), source.resolve().name)
        outputs = {key: OutputTensor(key, base, grown) for key, (base, grown) in fit.tensors.items()}
        rows = fit.vocabulary
        notes += [*adapter.notes, *fit.notes]
    vocabulary = read_vocabulary(tokenizer_folder(source, adapter_folder, tokenizer), rows, template)
    notes += vocabulary.notes
    targets = {gguf_name(key) or "": output for key, output in outputs.items()}
    return Blueprint(
        name=name,
        checkpoint=checkpoint,
        adapter=adapter,
        shape=shape._replace(vocabulary=rows),
        vocabulary=vocabulary,
        tensors={target: targets[target] for target in sorted(targets, key=quantizer_order)},
        factors=rope_factors(checkpoint.rope, shape.head_dim),
        keys=metadata(checkpoint, shape._replace(vocabulary=rows), vocabulary, name, _weights(outputs)),
        notes=notes,
    )


def expected_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a Llama, by the checkpoint's names."""
    hidden, inner = shape.hidden, shape.intermediate
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    expected: dict[str, tuple[int, ...]] = {
        EMBEDDING: (shape.vocabulary, hidden),
        OUTPUT: (shape.vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    for layer in range(shape.layers):
        for part, dims in (
            ("input_layernorm", (hidden,)),
            ("post_attention_layernorm", (hidden,)),
            ("self_attn.q_proj", (queries, hidden)),
            ("self_attn.k_proj", (keys, hidden)),
            ("self_attn.v_proj", (keys, hidden)),
            ("self_attn.o_proj", (hidden, queries)),
            ("mlp.gate_proj", (inner, hidden)),
            ("mlp.up_proj", (inner, hidden)),
            ("mlp.down_proj", (hidden, inner)),
        ):
            expected[f"model.layers.{layer}.{part}.weight"] = dims
    return expected


def _weights(outputs: dict[str, OutputTensor]) -> int:
    return sum(math.prod(output.shape) for output in outputs.values())
