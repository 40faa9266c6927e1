"""The gate on the weights: the 16-bit file computes what transformers computes.

Both evaluate the same tokens; the differences are put in units of the spread of transformers' own
logits, so that trained and random weights meet the same bars. A wrong layout (rows not permuted, gate
and up swapped) moves logits by about their whole spread, rounding by a few hundredths.
"""

import importlib.util
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ophtimus_convert.gates.finding import Finding, GateError, Subject
from ophtimus_edge.errors import AdapterError
from ophtimus_edge.models.hardware import available_memory

MEAN_BAR, MAX_BAR, TOP_BAR = 0.05, 0.5, 0.9
_PROMPTS = (
    "What are the symptoms of angle-closure glaucoma?",
    "녹내장은 시신경이 손상되는 병입니다. 안압을 낮추는 것이 치료의 기본입니다.",
    (
        "A 62-year-old woman reports sudden painless loss of vision in her right eye; the fundus shows a pale "
        "retina with a cherry-red spot. The most likely diagnosis is"
    ),
)
_LONG_TOKENS = 8400  # beyond the 8,192 that Llama-3's rotary scaling starts from


async def logits(subject: Subject) -> Finding:
    """Logits of the BF16, F16 or F32 file agree with transformers'.

    Raises:
        GateError: they do not.
    """
    level = next((name for name in ("F32", "BF16", "F16") if name in subject.files), "")
    if not level:
        return Finding(False, "no 16-bit level is written; add -l BF16 to have it")
    if importlib.util.find_spec("torch") is None:
        return Finding(False, "torch is not installed")
    adapter = subject.blueprint.adapter
    if adapter and importlib.util.find_spec("peft") is None:
        return Finding(False, "peft is not installed, and the model has an adapter")
    needed = 4 * sum(math.prod(tensor.shape) for tensor in subject.blueprint.tensors.values())
    free = available_memory()
    if free and free < 1.2 * needed:
        return Finding(
            False,
            f"transformers needs {1.2 * needed / 2**30:.0f} GiB of memory, and {free / 2**30:.0f} are free",
        )
    prompts = [subject.tokenizer(text)["input_ids"] for text in _PROMPTS]
    if subject.long:
        prompts.append((prompts[2] * (_LONG_TOKENS // len(prompts[2]) + 1))[:_LONG_TOKENS])
    longest = max(len(prompt) for prompt in prompts)
    await subject.load(level, context=longest + 8)
    ours = [rows.copy() async for rows in subject.engine.logits(prompts, last=64)]
    await subject.close()
    theirs = _reference(subject, prompts)
    deltas, spreads, same, clear = [], [], 0, 0
    for one, other in zip(ours, theirs, strict=True):
        delta, spread = np.abs(one - other), float(other.std())
        deltas.append(delta / spread)
        spreads.append(spread)
        ranked = np.sort(other, axis=1)
        decided = ranked[:, -1] - ranked[:, -2] > 2 * MEAN_BAR * spread  # a tie is no test
        clear += int(decided.sum())
        same += int((one.argmax(1) == other.argmax(1))[decided].sum())
    mean, most = float(np.mean([d.mean() for d in deltas])), float(max(d.max() for d in deltas))
    top = same / clear if clear else 1.0
    figures = (
        f"mean {mean:.4f} (at most {MEAN_BAR}), max {most:.3f} (at most {MAX_BAR}) of the logits' spread, "
        f"same top token {top:.0%} of {clear} clear ones (at least {TOP_BAR:.0%})"
    )
    if not np.isfinite(mean) or mean > MEAN_BAR or most > MAX_BAR or top < TOP_BAR:
        raise GateError(
            f"the logits of {level} are not those of transformers: {figures}",
            "The conversion is wrong: do not use it, and report it with config.json.",
        )
    tokens = sum(len(prompt) for prompt in prompts)
    return Finding(True, f"{level} against transformers over {tokens} tokens: {figures}")


def _reference(subject: Subject, prompts: list[list[int]]) -> list[npt.NDArray[np.float32]]:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()  # the conversion has its own
    checkpoint, adapter = subject.blueprint.checkpoint, subject.blueprint.adapter
    config = LlamaConfig.from_pretrained(checkpoint.folder, local_files_only=True)
    if hasattr(config, "quantization_config"):  # stale: the weights are not packed
        del config.quantization_config
    model: Any = LlamaForCausalLM.from_pretrained(
        checkpoint.folder, config=config, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    if adapter:
        from peft import PeftModel

        if subject.blueprint.shape.vocabulary != model.get_input_embeddings().weight.shape[0]:
            model.resize_token_embeddings(subject.blueprint.shape.vocabulary)
        try:
            model = PeftModel.from_pretrained(model, adapter.folder, local_files_only=True)
        except Exception as error:  # peft raises many kinds
            raise AdapterError(
                f"peft cannot load the adapter: {error}.", "Use --skip-gate logits."
            ) from error
    model.eval()
    with torch.no_grad():
        return [
            model(torch.tensor([prompt]), logits_to_keep=min(64, len(prompt))).logits[0].float().numpy()
            for prompt in prompts
        ]
