"""What the forward pass of a Llama keeps for the backward pass, in bytes a token.

Counted from what torch's autograd saves in the code of transformers' Llama and peft's LoRA (the tests measure it
there): a norm keeps its input in float32, a matrix product keeps its input where its matrix is trained, a product
of two numbers keeps both where both are trained, attention keeps queries, keys, values and its output, and one
number a head. A frozen matrix keeps nothing.
"""

from typing import NamedTuple

from ophtimus_training.planning.shapes import ModelShape
from ophtimus_training.recipe import AnyRecipe, OnBase


class Kind(NamedTuple):
    """What a recipe says of numbers.

    Attributes:
        matrix: bytes of what a matrix product gives: 2 under bfloat16, else 4.
        stream: bytes of a number of the residual stream: that of its weights.
        trains_all: whether every weight is trained.
        own_inputs: whether each adapter keeps an input of its own: it was cast, or some of it dropped.
        dropout: bytes of a number's mark of whether it was dropped; 0 without dropout.
        rank: of the adapter; 0 without one.
        dora: whether rows' lengths are learned apart.
    """

    matrix: int
    stream: int
    trains_all: bool
    own_inputs: bool
    dropout: int
    rank: int
    dora: bool


def kind_of(recipe: AnyRecipe, gpu: bool) -> Kind:
    """How a recipe's numbers are kept.

    Args:
        gpu: a mark of dropout is a byte there; on a processor, it is a number of the adapter's type.
    """
    matrix = 2 if recipe.precision == "bfloat16" else 4
    if not isinstance(recipe, OnBase) or recipe.method == "full":
        return Kind(matrix, 4, True, matrix == 2, 0, 0, False)
    adapter = 4 if recipe.adapter_precision == "float32" else 2
    dropout = (1 if gpu else adapter) if recipe.lora_dropout else 0
    return Kind(
        matrix,
        matrix,
        False,
        adapter != matrix or dropout > 0,
        dropout,
        recipe.lora_r,
        recipe.method == "dora",
    )


def kept_by_layer(shape: ModelShape, kind: Kind) -> int:
    """What a layer keeps, in bytes a token."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    norms = 2 * _kept_by_norm(shape, kind)
    attention = kind.matrix * (2 * queries + 2 * keys) + 4 * shape.heads
    gated = 3 * kind.matrix * shape.intermediate  # gate, what silu makes of it, up
    kept = norms + attention + gated + _inputs(shape, kind)
    # Five projections read the stream, one the attention's output (which that keeps anyway), one the gated numbers.
    kept += kind.dropout * (5 * shape.hidden + queries + shape.intermediate)
    kept += kind.matrix * 7 * kind.rank
    if kind.dora:  # the base's result and the adapter's, each of which is multiplied with a trained length
        kept += 2 * kind.matrix * sum(out for _, out in shape.projections.values())
    return kept


def not_kept_by_first_layer(shape: ModelShape, kind: Kind) -> int:
    """What the first layer keeps less where nothing before it is trained, in bytes a token."""
    if kind.trains_all:
        return 0
    return _kept_by_norm(shape, kind) + kind.dropout * 3 * shape.hidden


def kept_by_last_norm(shape: ModelShape, kind: Kind) -> int:
    """What the norm behind the layers keeps, in bytes a token."""
    return _kept_by_norm(shape, kind)


def kept_between_layers(shape: ModelShape, kind: Kind) -> int:
    """What is kept of a layer that is computed again: its input, in bytes a token."""
    return kind.stream * shape.hidden


def passing_gradients(shape: ModelShape, kind: Kind) -> int:
    """Gradients that stand beside what a layer keeps at the worst moment of its backward pass, in bytes a token.

    That is where the feed-forward part is left: the gradients of the gated numbers, of both factors, and what
    the adapter's own input adds in float32.
    """
    wide = 2 * kind.matrix + (4 if kind.own_inputs and not kind.trains_all else kind.matrix)
    return wide * shape.intermediate + 2 * kind.stream * shape.hidden


def _kept_by_norm(shape: ModelShape, kind: Kind) -> int:
    scaled = (
        kind.stream * shape.hidden if kind.trains_all else 0
    )  # what the trained weight is multiplied with
    return 4 * shape.hidden + 4 + scaled


def _inputs(shape: ModelShape, kind: Kind) -> int:
    """The inputs of trained matrices."""
    queries = shape.heads * shape.head_dim
    gated = kind.matrix * shape.intermediate
    if kind.own_inputs:
        own = kind.matrix * 5 * shape.hidden + gated
        return own if kind.trains_all else own + kind.matrix * queries
    return kind.matrix * 2 * shape.hidden + gated
