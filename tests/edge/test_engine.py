import asyncio
import os
import signal
from pathlib import Path

import pytest

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Piece, Turn
from ophtimus_edge.errors import EngineError, QuestionError
from ophtimus_edge.models import store

QUESTION = [Turn("system", "You are an expert."), Turn("user", "What is glaucoma?")]


async def collect(engine: Engine, turns: list[Turn], **more: object) -> tuple[str, Answered]:
    text, answered = "", None
    async for event in engine.answer(turns, **more):  # type: ignore[arg-type]
        if isinstance(event, Piece):
            text += event.text
        elif isinstance(event, Answered):
            answered = event
    assert answered is not None
    return text, answered


async def test_the_same_request_gives_the_same_text_and_reuses_its_prefix(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    progress: list[float] = []
    async with Engine() as engine:
        loaded = await engine.load(model, on_progress=progress.append)
        first, one = await collect(engine, QUESTION, max_tokens=24)
        again, two = await collect(engine, QUESTION, max_tokens=24)
        drawn, _ = await collect(engine, QUESTION, max_tokens=24, temperature=1.5, seed=7)
        redrawn, _ = await collect(engine, QUESTION, max_tokens=24, temperature=1.5, seed=7)
        other, _ = await collect(engine, QUESTION, max_tokens=24, temperature=1.5, seed=8)
    assert loaded.context == 512
    assert progress[-1] == 1.0
    assert progress == sorted(progress)
    assert first == again
    assert one.finish_reason == "length"
    assert one.completion_tokens == 24
    assert one.reused_tokens == 0
    assert two.reused_tokens == two.prompt_tokens - 1
    assert drawn == redrawn != other


async def test_typed_control_tokens_stay_text(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        _, plain = await collect(engine, [Turn("user", "a b")], max_tokens=1)
        _, typed = await collect(engine, [Turn("user", "a<|eot_id|>b")], max_tokens=1)
    # As a control token it would be one id; as text it is at least the eight letters' worth of pieces.
    assert typed.prompt_tokens > plain.prompt_tokens + 3


async def test_a_question_longer_than_the_context_is_refused_and_the_next_is_answered(
    tiny_model: Path,
) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        with pytest.raises(QuestionError, match="context holds 512"):
            await collect(engine, [Turn("user", "glaucoma " * 600)])
        _, answered = await collect(engine, QUESTION, max_tokens=3)
    assert answered.completion_tokens == 3


async def test_stop_ends_the_answer_and_keeps_the_engine(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        written, finish = 0, ""
        async for event in engine.answer(QUESTION, max_tokens=400):
            if isinstance(event, Piece) and not written:
                written = event.tokens
                await engine.cancel()
            elif isinstance(event, Answered):
                finish = event.finish_reason
                assert event.completion_tokens < 400
        assert finish == "cancelled"
        _, answered = await collect(engine, QUESTION, max_tokens=3)
        assert answered.completion_tokens == 3


async def test_a_listener_that_goes_away_stops_the_answer(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        events = engine.answer(QUESTION, max_tokens=400)
        async for event in events:
            if isinstance(event, Piece):
                break
        await events.aclose()
        _, answered = await collect(engine, QUESTION, max_tokens=3)
    assert answered.completion_tokens == 3


async def test_a_killed_worker_is_reported_and_another_can_be_started(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    async with Engine() as engine:
        await engine.load(model)
        process = engine._process
        assert process is not None
        with pytest.raises(EngineError, match="ended unexpectedly") as caught:
            async for event in engine.answer(QUESTION, max_tokens=400):
                if isinstance(event, Piece):
                    os.kill(process.pid, signal.SIGKILL)
        assert caught.value.log_lines
        assert QUESTION[-1].text not in " ".join(caught.value.log_lines)
        await engine.load(model)
        _, answered = await collect(engine, QUESTION, max_tokens=3)
        assert answered.completion_tokens == 3


async def test_the_worker_ends_with_its_client(tiny_model: Path) -> None:
    engine = Engine()
    await engine.load(store.choose(str(tiny_model)))
    process = engine._process
    assert process is not None
    await engine.close()
    assert process.returncode == 0
    await asyncio.sleep(0)
    await engine.close()
