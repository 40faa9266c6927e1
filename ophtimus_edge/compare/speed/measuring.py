"""Levels in alternation: round by round, every level once, each in a process of its own.

What slows the machine down for a while slows a whole round, and the ratios within a round stay. Each level
is warmed up as llama-bench does it, by one untimed prompt and one untimed token.
"""

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from ophtimus_edge import specialties
from ophtimus_edge.compare.speed.resident import peak_resident
from ophtimus_edge.compare.speed.samples import SpeedSample
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Sampling, Turn
from ophtimus_edge.errors import ComparisonError, EngineError, UsageError
from ophtimus_edge.models import fit, gguf, hardware
from ophtimus_edge.models.store import ChosenModel

PROMPT_TOKENS, GENERATED_TOKENS = 512, 128  # llama-bench's pp512 and tg128
ROUNDS = 5
# The time to the first token depends on the question's length: it is this one everywhere, behind the role
# "clinical", which is evaluated before it as the app does it while it loads.
QUESTION = "What are the symptoms of acute angle-closure glaucoma, and what is done first?"
METHOD = (  # for a report's settings
    f"round by round, every level once in a process of its own; after a warm-up of {PROMPT_TOKENS} tokens and "
    f"one, pp{PROMPT_TOKENS} and tg{GENERATED_TOKENS} as llama-bench measures them; loading from the start of "
    f'the process; first token of an answer to "{QUESTION}", the role evaluated before'
)


async def measure_speed(
    levels: Sequence[ChosenModel],
    *,
    reference: ChosenModel | None = None,
    rounds: int = ROUNDS,
    known: Iterable[SpeedSample] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    gpu_layers: int | None = None,
) -> AsyncGenerator[SpeedSample, None]:
    """Measure levels in alternation.

    Closing the generator ends the process that is measured. What was yielded is whole, whatever happens
    next: hand it in as ``known`` to go on later. A round that was broken off is gone on with, and its
    reference is measured again: a ratio needs both close together in time.

    Args:
        levels: with the reference, in the order in which they are measured in every round.
        reference: the one that ratios are to; None for no ratios.
        rounds: at least two, since one has no spread.
        known: samples that were measured before; those of other files are ignored.
        on_progress: told before the first measurement and after each how many there are of how many.
        gpu_layers: layers that a GPU takes; None for what fits.

    Yields:
        Each sample as it is measured; :func:`ophtimus_edge.compare.speed.samples.report_speed` makes figures
        of them and of the known ones.

    Raises:
        UsageError: fewer than two rounds.
        ComparisonError: there is not enough memory for a context of 512 tokens.
        InvalidModelError: a file is damaged.
        EngineError: a model's process died.
    """
    if rounds < 2:
        raise UsageError(f"{rounds} rounds have no spread.", "Measure speed in 2 rounds at the least.")
    before = list(known)
    todo = _todo(levels, reference, rounds, before)
    total = len(levels) * rounds + sum(again for _, _, again in todo)
    done = total - len(todo)
    on_progress(done, total)
    if not todo:
        return
    context = _context(levels, before, gpu_layers)
    run = secrets.token_hex(8)
    for number, model, _ in todo:
        yield await _measured(model, number, run, context, gpu_layers)
        done += 1
        on_progress(done, total)


def _todo(
    levels: Sequence[ChosenModel], reference: ChosenModel | None, rounds: int, known: list[SpeedSample]
) -> list[tuple[int, ChosenModel, bool]]:
    """What is to be measured: the round, the level, and whether it is the reference once more."""
    todo = []
    for number in range(rounds):
        of_round = [sample for sample in known if sample.round == number]
        missing = [model for model in levels if not any(sample.is_of(model) for sample in of_round)]
        for model in levels:
            again = bool(missing) and model == reference and model not in missing
            if model in missing or again:
                todo.append((number, model, again))
    return todo


def _context(levels: Sequence[ChosenModel], known: list[SpeedSample], gpu_layers: int | None) -> int:
    """Tokens of context, the same for all levels: the memory they take depends on it.

    It is what the app would load the largest of them with, or what they were measured with before.
    """
    before = [sample.context for sample in known if any(sample.is_of(model) for model in levels)]
    if before:
        return before[0]
    machine = hardware.read_machine()
    return min(
        fit.choose_settings(
            gguf.check(model.path), model.path.stat().st_size, machine, gpu_layers=gpu_layers
        ).context
        for model in levels
    )


async def _measured(
    model: ChosenModel, number: int, run: str, context: int, gpu_layers: int | None
) -> SpeedSample:
    """One level in one round."""
    async with Engine() as engine:
        start = time.perf_counter()
        loaded = await engine.load(model, context, gpu_layers=gpu_layers)
        load_s = time.perf_counter() - start
        if loaded.context < PROMPT_TOKENS:
            raise ComparisonError(
                f"{model.path.name} holds {loaded.context} tokens of context here; speed is measured with "
                f"{PROMPT_TOKENS}.",
                "Close other programs to free memory, or leave this level out.",
            )
        await engine.bench(PROMPT_TOKENS, 1)
        times = await engine.bench(PROMPT_TOKENS, GENERATED_TOKENS)
        answered = await _first_token(engine, plain=not loaded.has_template or model.is_base)
        memory = peak_resident(engine.process_id or 0)
    return SpeedSample(
        file=model.path.name,
        sha256=model.sha256,
        level=model.level,
        round=number,
        run=run,
        load_s=load_s,
        ttft_tokens=answered.prompt_tokens - answered.reused_tokens,
        ttft_s=answered.ttft_s,
        prompt_tokens=PROMPT_TOKENS,
        prompt_tokens_per_s=PROMPT_TOKENS / times.prompt_s,
        generated_tokens=GENERATED_TOKENS,
        generated_tokens_per_s=GENERATED_TOKENS / times.generated_s,
        peak_memory_bytes=memory.size_bytes,
        memory_kind=memory.kind,
        context=loaded.context,
        threads=loaded.threads,
        gpu_layers=loaded.gpu_layers,
    )


async def _first_token(engine: Engine, *, plain: bool) -> Answered:
    """Ask the question, behind a system prompt that is evaluated already where there is a template."""
    role = specialties.role_named(specialties.DEFAULT_ROLE).system_prompt
    turns = [Turn("user", QUESTION)]
    if not plain:
        await engine.warm(role)
        turns.insert(0, Turn("system", role))
    # It may answer with a token that ends an answer: that is no first token.
    async for event in engine.answer(turns, Sampling(max_tokens=1, min_tokens=1), plain=plain):
        if isinstance(event, Died):
            raise EngineError(event.message, event.hint, event.log_lines)
        if isinstance(event, Answered):
            return event
    raise EngineError("the model's process gave no answer.", "Run the command again.")
