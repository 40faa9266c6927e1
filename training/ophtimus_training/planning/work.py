"""How much there is to compute: tokens, steps, floating-point operations, and how long that takes.

Operations are counted as published speeds count them: 2 a weight and token forward, 2 for the gradient of
what the weight is multiplied with, 2 for its own where it is trained. So 4 N with frozen weights, 6 N without.
Attention adds 2 · (heads × head_dim) · T a layer and token forward over a causal window of T tokens, and twice that
backward (Kaplan et al. 2020, section 2.1, halved for the causal mask). What checkpointing computes again is not
counted: it is no work of the model.
"""

from typing import NamedTuple

from ophtimus_training.planning.devices import Devices
from ophtimus_training.planning.published import published
from ophtimus_training.planning.shapes import ModelShape, trainable_parameters
from ophtimus_training.recipe import AnyRecipe, OnBase


class Workload(NamedTuple):
    """What a recipe's data come to.

    Attributes:
        tokens: of one epoch; 0 where they are not known.
        steps: of the optimizer, in all; 0 where they are not known.
        rows: in a device's memory at once, each of ``length`` tokens.
        length: tokens in such a row.
        supervised: tokens of those rows at the most whose loss is computed.
        source: where the tokens are from, in words.
    """

    tokens: int
    steps: int
    rows: int
    length: int
    supervised: int
    source: str


class Work(NamedTuple):
    """What is to be computed.

    Attributes:
        flops_per_token: weights only: 4 for a frozen one, 6 for a trained one.
        attention_flops_per_token: for windows of the full length.
        tokens: in all epochs.
        steps: of the optimizer.
        seconds: on the devices together; None where the device, or the tokens, are not known.
        tokens_per_s: of the devices together; None where the device is not known.
        utilisation: the share of the peak that this rests on, and where it is from.
    """

    flops_per_token: int
    attention_flops_per_token: int
    tokens: int
    steps: int
    seconds: float | None
    tokens_per_s: float | None
    utilisation: str

    @property
    def flops(self) -> int:
        """Of all tokens, without attention."""
        return self.flops_per_token * self.tokens


def work_of(recipe: AnyRecipe, shape: ModelShape, devices: Devices, load: Workload) -> Work:
    """What a recipe is to compute, and how long devices take for it at the stated share of their peak."""
    trained = trainable_parameters(recipe, shape)
    frozen = shape.parameters if isinstance(recipe, OnBase) and recipe.method != "full" else 0
    each = 4 * frozen + 6 * trained
    attention = 6 * shape.layers * shape.heads * shape.head_dim * load.length
    method = recipe.method if isinstance(recipe, OnBase) else "full"
    share, peak = published().utilisation[method], devices.peak_flops
    tokens = load.tokens * recipe.epochs
    if recipe.steps and load.steps:
        tokens = round(tokens * min(1.0, recipe.steps / load.steps))
    speed = devices.count * peak * share.value / each if peak else None
    return Work(
        flops_per_token=each,
        attention_flops_per_token=attention,
        tokens=tokens,
        steps=min(recipe.steps or load.steps, load.steps),
        seconds=tokens / speed if speed and tokens else None,
        tokens_per_s=speed,
        utilisation=f"{share.value:.0%} of the peak ({share.source})" if peak else "",
    )
