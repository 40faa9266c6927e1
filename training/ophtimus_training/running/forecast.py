"""What ``plan`` says of a run, laid beside what the run measures; and no start where it has no use."""

from typing import Any

import torch

from ophtimus_edge.errors import DeviceError, PlanError
from ophtimus_training.order import Share
from ophtimus_training.planning import Devices, ModelShape, Workload, predict
from ophtimus_training.planning import shape_of as planned_shape
from ophtimus_training.planning.devices import needs_gpu
from ophtimus_training.recipe import AnyRecipe, OnBase


def refuse_without_gpu(recipe: OnBase, device: torch.device) -> None:
    """Refuse what a processor cannot train, before anything is fetched.

    Raises:
        DeviceError: the recipe needs a graphics card.
    """
    if device.type == "cuda":
        return
    try:
        parameters = planned_shape(recipe).parameters
    except PlanError:
        parameters = (
            0  # the base is nothing that is known here; what is wrong with it is said when it is opened
        )
    why = needs_gpu(recipe, parameters)
    if why:
        raise DeviceError(
            f"there is no NVIDIA GPU here, and this recipe needs one: {why}.",
            "Run it on a machine that has one, or try the recipe smoke here.",
        )


def shape_of(config: Any) -> ModelShape:
    """The shape of a model that is loaded, by its own configuration."""
    return ModelShape(
        config.vocab_size, config.hidden_size, config.intermediate_size, config.num_hidden_layers,
        config.num_attention_heads, config.num_key_value_heads, config.head_dim, config.tie_word_embeddings,
    )  # fmt: skip


def predicted(recipe: AnyRecipe, shape: ModelShape, dealt: Share, device: torch.device) -> int:
    """Bytes of torch's tensors at the peak of a step on one device."""
    gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if gpu else "CPU"
    load = Workload(0, 0, dealt.at_once, recipe.length, dealt.at_once * recipe.length, "this run")
    return predict(recipe, shape, Devices(name, dealt.devices, 0, gpu), load).allocated_bytes
