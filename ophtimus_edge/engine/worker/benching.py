"""How long the bare evaluation of tokens takes, by llama-bench's method (llama.cpp, tools/llama-bench).

The prompt's tokens go through the model in batches, those that are "generated" one by one, each with its
logits, and each kind from an empty context. They are drawn, not predicted: the arithmetic is the same for
every token, and a sampler's work is none of the model's.
"""

import random
import time

from ophtimus_edge.engine.measuring_messages import Bench, Benched
from ophtimus_edge.engine.worker.context import Context, DecodeError
from ophtimus_edge.engine.worker.model import Model

_SEED = 0  # every level of a model gets the same tokens


def bench(request: Bench, model: Model, context: Context) -> Benched:
    """Evaluate the tokens that are asked for, and time them.

    Raises:
        DecodeError: they do not fit the context, or llama.cpp fails.
        StoppedError: the request was cancelled.
    """
    fewest, most = sorted((request.prompt_tokens, request.generated_tokens))
    if fewest < 0 or most > context.tokens:
        raise DecodeError(f"{most} tokens do not fit the context of {context.tokens}")
    prompt_s = _timed(_drawn(request.prompt_tokens, model), context.batch_tokens, context)
    generated_s = _timed(_drawn(request.generated_tokens, model), 1, context)
    return Benched(request.id, prompt_s, generated_s)


def _drawn(count: int, model: Model) -> list[int]:
    """Token ids: the one that begins a text, where there is one, and random ones behind it."""
    draw = random.Random(_SEED)  # noqa: S311 - any tokens do
    ids = [draw.randrange(model.vocabulary) for _ in range(count)]
    return [model.bos, *ids[1:]] if ids and model.bos >= 0 else ids


def _timed(ids: list[int], at_once: int, context: Context) -> float:
    """Seconds to evaluate tokens from an empty context, so many at once."""
    context.clear()
    try:
        start = time.perf_counter()
        for at in range(0, len(ids), at_once):
            context.evaluate(ids[at : at + at_once])
            context.wait()
        return time.perf_counter() - start if ids else 0.0
    finally:
        context.clear()  # nobody goes on from here
