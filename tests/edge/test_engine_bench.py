"""The engine's bare timing: what it times, what it refuses, and that it leaves nothing behind."""

import asyncio
from pathlib import Path

import pytest
from engines import QUESTION, collect

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.synchronous import SyncEngine
from ophtimus_edge.errors import EngineError, UsageError
from ophtimus_edge.models import store


async def test_more_tokens_take_longer_and_none_take_nothing(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        both = await engine.bench(512, 128)
        fewer = [await engine.bench(16, 4) for _ in range(5)]
        none = await engine.bench(0, 0)
    # Thirty times as much work as in the best of five: no neighbour on this machine turns that round.
    assert both.prompt_s > min(each.prompt_s for each in fewer) > 0
    assert both.generated_s > min(each.generated_s for each in fewer) > 0
    assert (none.prompt_s, none.generated_s) == (0, 0)


async def test_an_answer_after_it_is_that_of_a_fresh_model(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        before, _ = await collect(engine, QUESTION, 16)
        await engine.bench(64, 8)
        after, answered = await collect(engine, QUESTION, 16)
    assert after == before
    assert answered.reused_tokens == 0


@pytest.mark.parametrize(("prompt", "generated"), [(513, 0), (0, 513), (-1, 8), (8, -1)])
async def test_what_does_not_fit_is_refused_and_what_just_fits_is_timed(
    tiny_model: Path, prompt: int, generated: int
) -> None:
    async with Engine() as engine:
        loaded = await engine.load(store.choose(str(tiny_model)))
        assert loaded.context == 512
        with pytest.raises(EngineError, match="512"):
            await engine.bench(prompt, generated)
        assert (await engine.bench(512, 0)).prompt_s > 0


async def test_it_can_be_stopped(endless_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)))
        timing = asyncio.create_task(engine.bench(0, 8000))
        await asyncio.sleep(0.2)
        await engine.cancel()
        with pytest.raises(EngineError, match="stopped"):
            await timing
        assert (await engine.bench(8, 1)).generated_s > 0


async def test_it_takes_the_whole_model(tiny_model: Path) -> None:
    async with Engine() as engine:
        with pytest.raises(EngineError, match="no model"):
            await engine.bench(8, 1)
        await engine.load(store.choose(str(tiny_model)), vocabulary_only=True)
        with pytest.raises(UsageError):
            await engine.bench(8, 1)


def test_scripts_have_it_too(tiny_model: Path) -> None:
    with SyncEngine() as engine:
        engine.load(store.choose(str(tiny_model)))
        assert engine.bench(8, 1).prompt_s > 0
