"""The gate of a merge: the merged files compute what the adapter on its base computes, but for rounding.

How much rounding may move the logits is measured, not taken: the merged weights are moved once more, at random,
within half of the step between two numbers of their type, which is what rounding did to them. A merge that is right
differs from the adapter on its base about as much; a wrong scale or a layer left out differs by much more.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from peft import PeftModel
from torch import Tensor

from ophtimus_edge.errors import MergeGateError
from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_ROLE, DEFAULT_SPECIALTY, role_named
from ophtimus_training.merging import forward
from ophtimus_training.merging.adapter import hollow
from ophtimus_training.merging.base import Checkpoint
from ophtimus_training.merging.nf4 import as_nf4

# Times that which rounding does. Both are sums over millions of independent errors of the same size, so that
# their ratio is close to 1: in the tests between 0.9 and 1.2.
BAR = 3.0


class Finding(NamedTuple):
    """What the gate measured, as shares of the logits' spread (root mean square of each around the prompts' mean).

    Attributes:
        merged: how far the merged model is from the adapter on its base.
        rounding: how far another rounding moves the merged model.
        adapter: how far the base alone is from the adapter on it: what there is to merge.
        four_bits: how far the merged model is from the adapter on the base in NF4; None where it was not trained so.
        same_top: over the tokens, how often merged model and adapter on the base have the same most likely token.
        tokens: that were compared.
    """

    merged: float
    rounding: float
    adapter: float
    four_bits: float | None
    same_top: float
    tokens: int

    @property
    def words(self) -> str:
        """What was found, in a sentence or two."""
        said = (
            f"over {self.tokens} tokens of held-out questions the merged model's logits differ from those of the "
            f"adapter on its base by {self.merged:.2%} of their spread (rounding alone: {self.rounding:.2%}; without "
            f"the adapter: {self.adapter:.2%}), same top token {self.same_top:.1%}"
        )
        if self.adapter <= self.rounding:
            said += ". The adapter does less than rounding does: the merged model is the base"
        if self.four_bits is not None:
            said += (
                ". The adapter was trained over the base in 4 bits: from what it was there, the merged model "
                f"differs by {self.four_bits:.2%}"
            )
        return said


def compare(
    model: PeftModel,
    base: Checkpoint,
    out: Path,
    changed: list[str],
    prompts: list[list[int]],
    over_four_bits: bool,
    on_progress: Callable[[int, int], None],
) -> Finding:
    """Compare a merged checkpoint with the adapter on its base, in float32, and refuse what is not the same.

    Args:
        model: base and adapter, unmerged, without the base's weights.
        out: the folder with the merged files.
        changed: the tensors that were merged.
        prompts: token ids.
        over_four_bits: whether the adapter was trained over the base in 4 bits.
        on_progress: told how many of the passes are done.

    Raises:
        MergeGateError: the logits differ by more than rounding explains.
    """
    merged = Checkpoint(out)
    inner = model.get_base_model()
    streams: list[tuple[forward.Weights, forward.Around]] = [
        (base.tensor, nullcontext),
        (base.tensor, model.disable_adapter),
    ]
    if over_four_bits:
        streams.append((lambda name: _as_trained(base.tensor(name), name), nullcontext))
    on_progress(0, 2)
    adapted, alone, *quantized = forward.logits(inner, streams, prompts)
    on_progress(1, 2)
    generator = torch.Generator().manual_seed(1)

    def moved(name: str) -> Tensor:
        weight = merged.tensor(name)
        return rounded_again(weight, generator) if name in changed else weight

    ours, again = forward.logits(
        hollow(merged), [(merged.tensor, nullcontext), (moved, nullcontext)], prompts
    )
    on_progress(2, 2)
    spread = _size([row - row.mean(dim=0) for row in adapted])
    tops = [(one.argmax(-1) == other.argmax(-1)).float() for one, other in zip(ours, adapted, strict=True)]
    found = Finding(
        merged=_distance(ours, adapted) / spread,
        rounding=_distance(again, ours) / spread,
        adapter=_distance(alone, adapted) / spread,
        four_bits=_distance(ours, quantized[0]) / spread if quantized else None,
        same_top=float(torch.cat(tops).mean()),
        tokens=sum(map(len, prompts)),
    )
    if not math.isfinite(found.merged) or found.merged > BAR * found.rounding:
        raise MergeGateError(
            f"the merge is wrong: {found.words}. At most {BAR:g} times what rounding does is let through.",
            "Nothing was written. Report it with adapter_config.json; ophtimus-convert --adapter merges by itself.",
        )
    return found


def rounded_again(weight: Tensor, generator: torch.Generator) -> Tensor:
    """A weight, each number moved at random by up to half of the step to the next number of its type.

    Args:
        weight: float16 or bfloat16; a number m · 2^e with m in [0.5, 1) has neighbours 2^(e - p) apart, with p
            significant bits (8 of bfloat16, 11 of float16).

    Returns:
        float32, the same shape.
    """
    bits = 8 if weight.dtype == torch.bfloat16 else 11
    values = weight.float()
    _, exponent = torch.frexp(values)
    step = torch.ldexp(torch.ones_like(values), exponent - bits)
    return values + (torch.rand(values.shape, generator=generator) - 0.5) * step


def _as_trained(weight: Tensor, name: str) -> Tensor:
    """What QLoRA computes with: the layers' matrices in NF4, all else as it is."""
    return as_nf4(weight) if name.startswith("model.layers.") and weight.ndim == 2 else weight


def _size(rows: list[Tensor]) -> float:
    return math.sqrt(float(torch.cat(rows).square().mean()))


def _distance(ones: list[Tensor], others: list[Tensor]) -> float:
    return _size([one - other for one, other in zip(ones, others, strict=True)])


def held_out_prompts(tokenizer: Any, count: int = 8, length: int = 64) -> list[list[int]]:
    """Held-out questions of the specialty as token ids, as they are asked; of a base without a template, as text."""
    lines = (specialty_folder(DEFAULT_SPECIALTY) / "questions.jsonl").read_bytes().splitlines()
    questions = [str(msgspec.json.decode(line)["question"]) for line in lines]
    prompts = []
    for question in questions[:: max(1, len(questions) // count)][:count]:
        if tokenizer.chat_template:
            turns = [
                {"role": "system", "content": role_named(DEFAULT_ROLE).system_prompt},
                {"role": "user", "content": question},
            ]
            ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)[
                "input_ids"
            ]
        else:
            ids = tokenizer(question)["input_ids"]
        prompts.append(ids[-length:])
    return prompts
