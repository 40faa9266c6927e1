"""A forward pass that holds one layer of a model at a time: logits of an 8B model in two gigabytes.

Each layer is filled with its weights, in float32, computes for every prompt, and is emptied again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ophtimus_training.merging.adapter import hollow_weight

Weights = Callable[[str], Tensor]
Around = Callable[[], Any]  # what a module is called within: peft's disable_adapter, or nothing


def logits(inner: Any, streams: list[tuple[Weights, Around]], prompts: list[list[int]]) -> list[list[Tensor]]:
    """Logits of prompts, once for each way of weighing the same modules.

    Args:
        inner: a Llama without weights, its modules perhaps wrapped by peft.
        streams: the weights of each, by the names of a checkpoint's tensors, and what its modules run within.
        prompts: token ids, each of one sequence.

    Returns:
        For each stream, for each prompt: float32, shape (tokens, vocabulary).
    """
    states = [[torch.tensor([prompt]) for prompt in prompts] for _ in streams]
    places = [torch.arange(len(prompt)).unsqueeze(0) for prompt in prompts]
    with torch.no_grad():
        for module, path in _modules(inner):
            for number, (weights, around) in enumerate(streams):
                with _filled(module, path, weights), around():
                    for at, state in enumerate(states[number]):
                        settings = {}
                        if path.startswith("model.layers."):
                            # Without a mask and with more than one token, attention is causal.
                            settings["position_embeddings"] = inner.model.rotary_emb(state, places[at])
                        states[number][at] = module(state, **settings)
    return [[state[0].float() for state in stream] for stream in states]


def _modules(inner: Any) -> Iterator[tuple[nn.Module, str]]:
    yield inner.model.embed_tokens, "model.embed_tokens"
    for number, layer in enumerate(inner.model.layers):
        yield layer, f"model.layers.{number}"
    yield inner.model.norm, "model.norm"
    yield inner.lm_head, "lm_head"


@contextmanager
def _filled(module: nn.Module, path: str, weights: Weights) -> Iterator[None]:
    """Give a module the weights of its base layers, and take them away again."""
    filled = []
    for name, parameter in list(module.named_parameters()):
        if "lora_" in name or ".modules_to_save." in f".{name}":
            continue
        stored = f"{path}.{name}".replace(".base_layer.", ".").replace(".original_module.", ".")
        owner, _, leaf = name.rpartition(".")
        holder = module.get_submodule(owner) if owner else module
        filled.append((holder, leaf, parameter.shape))
        holder._parameters[leaf] = nn.Parameter(weights(stored).float(), requires_grad=False)
    try:
        yield
    finally:
        for holder, leaf, shape in filled:
            holder._parameters[leaf] = hollow_weight(shape)
