"""How fast a level is on this machine, and what it takes: predicted from its file, or measured in some seconds.

A plan stands on these. What cannot be read in the file was measured; docs/benchmarks.md has the predictions
beside the measurements.
"""

import asyncio
import contextlib
import math
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

import msgspec

from ophtimus_edge.compare.speed.samples import SpeedSample
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.models import fit, gguf, probe
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.models.probe import Probe
from ophtimus_edge.models.store import ChosenModel

WINDOW, ROWS = 512, 256  # of divergence: tokens of a window, and the rows of logits that are wanted of it
_PROBE_PROMPT, _PROBE_GENERATED, _PROBE_TIMES = 64, 8, 3
# From the start of the worker's process until it could load a model; then the vocabulary, and the file's
# bytes, which lie in the system's memory from the second time on.
_START_S = 0.6
_TOKEN_S = 4e-6
_FILE_BYTES_PER_S = 1e9
# Float operations of the probe's matrix product in the time that one weight takes for one of many tokens that
# are evaluated together, by type, and those of a multiplication of the attention; with AVX2, at the 1B shape.
_PROMPT_OPERATIONS = {"Q4_0": 1.6, "Q4_K": 1.6, "Q8_0": 1.6, "IQ4_NL": 1.6, "Q2_K": 1.9}
_PROMPT_OPERATIONS_ELSE = 2.2
_ATTENTION_OPERATIONS = 3.0
# A token more beside one that is written costs somewhat more than a token of a prompt.
_SMALL_BATCH = 1.25


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What a level is like here.

    Attributes:
        file, level: of the level's file, without folders.
        sha256: of the file, "" where it is not known.
        load_s: from the start of the process until the model can be asked.
        prompt_tokens_per_s: of a prompt, whose tokens are evaluated together.
        generated_tokens_per_s: of one answer.
        row_s: seconds to compute one more row of logits; a prompt takes only its last.
        row_bytes: of a row of logits.
        memory_bytes: of the process that holds the model, when it answers questions.
        window_memory_bytes: … when it evaluates windows of divergence.
        measured: whether the speeds were measured here; else they were predicted.
    """

    file: str
    level: str
    load_s: float
    prompt_tokens_per_s: float
    generated_tokens_per_s: float
    row_s: float
    row_bytes: int
    memory_bytes: int
    window_memory_bytes: int
    measured: bool
    sha256: str = ""

    @property
    def key(self) -> str:
        """What tells it from other levels: the SHA-256 of its file, where that is known."""
        return self.sha256 or self.file

    def many_tokens_per_s(self, parallel: int) -> float:
        """Tokens a second of all answers together, so many written side by side.

        The weights are read once for all of them; each one more costs its arithmetic.
        """
        one, more = 1 / self.generated_tokens_per_s, _SMALL_BATCH / self.prompt_tokens_per_s
        return max(parallel / (one + (parallel - 1) * more), self.generated_tokens_per_s)


def predict_pace(
    model: ChosenModel, machine: Machine, probed: Probe, gpu_layers: int | None = None, name: str = ""
) -> Pace:
    """What a level will be like here, from its header and two seconds of measuring the machine.

    Args:
        gpu_layers: layers that a GPU takes; None for what fits. What a GPU computes is not predicted: its
            layers count as if the processor did them, so that a plan is rather too long.
        name: that the level is called by; "" for its own.

    Raises:
        InvalidModelError: the header is not sound.
    """
    header = gguf.check(model.path)
    size = model.path.stat().st_size
    settings = fit.choose_settings(header, size, machine, gpu_layers=gpu_layers)
    layers, row = _operations(header)
    width = header.metadata.get("llama.embedding_length", 0)
    vocabulary = header.metadata.get("tokenizer.ggml.tokens", 0)
    # The keys and values of half a window before each token, in every layer.
    depth = header.metadata.get("llama.block_count", 0)
    layers += WINDOW / 2 * 2 * width * depth * _ATTENTION_OPERATIONS
    row_bytes = 4 * vocabulary
    speed = fit.predict_speed(header, size, machine, probed, settings.gpu_layers)
    return Pace(
        file=model.path.name,
        level=name or model.level,
        sha256=model.sha256,
        load_s=_START_S + vocabulary * _TOKEN_S + size / _FILE_BYTES_PER_S,
        prompt_tokens_per_s=probed.arithmetic / layers,
        generated_tokens_per_s=speed or fit.predict_speed(header, size, machine, probed),
        row_s=row / probed.arithmetic,
        row_bytes=row_bytes,
        memory_bytes=fit.predict_memory(header, size, settings.context, settings.gpu_layers, machine),
        # The rows stand in the graph, in llama.cpp's output and in the memory that is shared.
        window_memory_bytes=fit.predict_memory(header, size, WINDOW, settings.gpu_layers, machine)
        + 3 * ROWS * row_bytes,
        measured=False,
    )


async def paces_here(
    models: Sequence[ChosenModel],
    machine: Machine,
    *,
    measured: bool,
    gpu_layers: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Pace]:
    """What levels are like here.

    Args:
        measured: measure some tokens with each level that the memory holds, which takes its loading and some
            seconds; else all are predicted, which takes two seconds in all.
        gpu_layers: layers that a GPU takes; None for what fits.
        on_progress: told before the first level and after each how many are measured of how many.

    Raises:
        ProbeError: the machine could not be measured.
        InvalidModelError: a file is damaged.
        EngineError: a model's process died.
    """
    probed = await asyncio.to_thread(probe.run, machine, fit.computing_threads(machine))
    paces = [predict_pace(model, machine, probed, gpu_layers) for model in models]
    free = machine.available_bytes
    fitting = [at for at, pace in enumerate(paces) if measured and not (free and pace.memory_bytes > free)]
    on_progress(0, len(fitting))
    measuring = measure_paces([models[at] for at in fitting], [paces[at] for at in fitting], gpu_layers)
    async with contextlib.aclosing(measuring):
        for done, at in enumerate(fitting, 1):
            paces[at] = await anext(measuring)
            on_progress(done, len(fitting))
    return paces


async def measure_paces(
    models: Iterable[ChosenModel], predicted: Iterable[Pace], gpu_layers: int | None = None
) -> AsyncGenerator[Pace, None]:
    """Measure some tokens with each level; takes the loading and some seconds.

    Args:
        predicted: of each model; its memory stays.

    Yields:
        Each level's pace.

    Raises:
        InvalidModelError: llama.cpp refuses a file.
        EngineError: a model's process died.
    """
    for model, pace in zip(models, predicted, strict=True):
        async with Engine() as engine:
            start = time.perf_counter()
            await engine.load(model, WINDOW, gpu_layers=gpu_layers)
            load_s = time.perf_counter() - start
            await engine.bench(_PROBE_GENERATED, 1)
            times = [await engine.bench(_PROBE_PROMPT, _PROBE_GENERATED) for _ in range(_PROBE_TIMES)]
        # The medians: a core that another program takes for a moment stops a token many times its own length.
        yield _at(
            pace,
            load_s,
            _PROBE_PROMPT / statistics.median(each.prompt_s for each in times),
            _PROBE_GENERATED / statistics.median(each.generated_s for each in times),
        )


def pace_of_samples(pace: Pace, model: ChosenModel, samples: Iterable[SpeedSample]) -> Pace:
    """A level's pace as its speed was measured; the one that was known where it was not."""
    ours = [sample for sample in samples if sample.is_of(model)]
    if not ours:
        return pace
    return _at(
        pace,
        statistics.median(sample.load_s for sample in ours),
        statistics.median(sample.prompt_tokens_per_s for sample in ours),
        statistics.median(sample.generated_tokens_per_s for sample in ours),
    )


def _at(pace: Pace, load_s: float, prompt: float, generated: float) -> Pace:
    """The pace with measured speeds; a row of logits takes the same share of a token's time as before."""
    return msgspec.structs.replace(
        pace,
        load_s=load_s,
        prompt_tokens_per_s=prompt,
        generated_tokens_per_s=generated,
        row_s=pace.row_s * pace.prompt_tokens_per_s / prompt,
        measured=True,
    )


def _operations(header: gguf.Header) -> tuple[float, float]:
    """Operations of the probe's product for a token of a prompt, and for a row of logits."""
    layers = row = tied = 0.0
    for tensor in header.tensors:
        if len(tensor.shape) != 2:
            continue
        cost = math.prod(tensor.shape) * _PROMPT_OPERATIONS.get(tensor.type, _PROMPT_OPERATIONS_ELSE)
        if tensor.name.startswith("blk."):
            layers += cost
        elif tensor.name == "output.weight":
            row = cost
        elif tensor.name == "token_embd.weight":
            tied = cost
    return max(layers, 1.0), row or tied
