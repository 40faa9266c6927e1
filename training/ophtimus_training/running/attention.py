"""Attention over packed windows, and the proof on this device that it keeps their sequences apart.

torch has a kernel for sequences of many lengths in one row (``torch.nn.attention.varlen``), on CUDA and in 16 bits:
no mask, no build of flash-attn, nothing from a hub. Everywhere else transformers makes a block-diagonal mask of
``position_ids`` for scaled dot-product attention. Others have seen packing train on nothing, or across its
boundaries, with some kernels (trl #3910): so what is used was tried first, on the device that trains.
"""

import copy
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import varlen
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ophtimus_edge.errors import TrainingError
from ophtimus_training.packing import LENGTHS, Collator, FlatCollator

VARLEN = "ophtimus_varlen"
MASKED = "sdpa"
_SEQUENCES = (7, 12, 5)  # tokens of the sequences that are tried
_LAYERS = 2
# Of the logits' root mean square. Sequences that see one another differ by a tenth of it and more.
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 3e-2}


def choose(model: PreTrainedModel, precision: torch.dtype, device: torch.device) -> Callable[[int], Any]:
    """Set the model's attention to the fastest that keeps packed sequences apart here.

    Args:
        precision: what the forward pass computes in.

    Returns:
        The kind of collator that it takes: called with the padding token.

    Raises:
        TrainingError: none does.
    """
    candidates: list[tuple[str, Callable[[int], Any]]] = [(MASKED, Collator)]
    if device.type == "cuda" and precision == torch.bfloat16:
        candidates.insert(0, (VARLEN, FlatCollator))
    for name, collator in candidates:
        difference = mixing(model, name, collator, precision, device)
        if difference <= _TOLERANCE[precision]:
            model.set_attn_implementation(name)
            return collator
        sys.stderr.write(f"{name} attention mixes packed sequences here (by {difference:.2g}); not used\n")
    raise TrainingError(
        "packed sequences do not give the logits here that they give one by one.",
        "Train with --set packing=false, and update torch, transformers and the driver.",
    )


def mixing(
    model: PreTrainedModel,
    attention: str,
    collator: Callable[[int], Any],
    precision: torch.dtype,
    device: torch.device,
) -> float:
    """How far the logits of packed sequences are from those of the same sequences alone.

    Tried on two layers of the model's own widths with random weights: it takes no memory to speak of, and works
    before a model is shared out over devices.

    Returns:
        The root mean square of the difference, over that of the logits; infinite where the attention cannot run.
    """
    config = copy.deepcopy(model.config)
    config.update(
        {"num_hidden_layers": _LAYERS, "vocab_size": 64, "pad_token_id": 0, "tie_word_embeddings": False}
    )
    config.bos_token_id = config.eos_token_id = 1
    config._attn_implementation = MASKED
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.device(device):
        torch.manual_seed(1)
        twin = type(model)(config).to(precision).eval()
        # A model that was just made attends to everything alike and hardly at all: larger weights attend sharply.
        for parameter in twin.parameters():
            if parameter.ndim == 2:
                parameter.data.normal_(std=2 * parameter.size(1) ** -0.5)
    generator = torch.Generator().manual_seed(2)
    sequences = [torch.randint(2, 64, (count,), generator=generator).tolist() for count in _SEQUENCES]
    together = [token for sequence in sequences for token in sequence]
    window = {"input_ids": together, "labels": together, LENGTHS: list(_SEQUENCES)}
    with torch.no_grad(), computing(precision, device):
        alone = [twin(input_ids=torch.tensor([one], device=device)).logits[0] for one in sequences]
        try:
            twin.set_attn_implementation(attention)
            batch = collator(0)([window])
            batch.pop("labels")
            batch = {key: one.to(device) if isinstance(one, Tensor) else one for key, one in batch.items()}
            packed = twin(**batch, use_cache=False).logits[0]
        except (RuntimeError, NotImplementedError, ImportError, ValueError) as error:
            sys.stderr.write(f"{attention} attention cannot run here: {str(error).splitlines()[0]}\n")
            return float("inf")
    expected = torch.cat(alone).float()
    return float((packed.float() - expected).square().mean().sqrt() / expected.square().mean().sqrt())


def computing(precision: torch.dtype, device: torch.device) -> AbstractContextManager[Any]:
    """The autocast that a run of a precision computes under."""
    return nullcontext() if precision == torch.float32 else torch.autocast(device.type, dtype=precision)


def varlen_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """Attention of transformers' interface over sequences that follow one another in a row.

    Args:
        query: [1, heads, tokens, head_dim]; ``key`` and ``value`` may have fewer heads.
        settings: ``cu_seq_lens_q`` and ``max_length_q`` say where sequences begin, as the collator writes them;
            without them this is transformers' own attention.

    Returns:
        [1, tokens, heads, head_dim], and no weights.
    """
    starts: Tensor | None = settings.get("cu_seq_lens_q")
    if starts is None:
        outcome: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **settings
        )
        return outcome
    longest = int(settings["max_length_q"])
    # Under autocast the rotary embedding gives float32 back, which the kernel does not take.
    queries, keys, values = (one.transpose(1, 2).flatten(0, 1).to(value.dtype) for one in (query, key, value))
    mixed = varlen.varlen_attn(
        queries, keys, values, starts, starts, longest, longest,
        scale=scaling, window_size=(-1, 0), enable_gqa=True,
    )  # fmt: skip
    return mixed.unsqueeze(0), None  # type: ignore[union-attr]  # a tensor, as no more was asked for


AttentionInterface.register(VARLEN, varlen_attention)
