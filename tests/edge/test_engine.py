"""Loading and answering with the real worker: the same text again, nothing evaluated twice, stopped at once."""

import asyncio
import os
import random
import sys
from pathlib import Path

import msgspec
import pytest
from engines import ENDLESS, QUESTION, collect

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Piece, Reading, Sampling, Turn
from ophtimus_edge.engine.synchronous import SyncEngine
from ophtimus_edge.errors import EngineError, InvalidModelError, QuestionError, UsageError
from ophtimus_edge.models import store

LONG = [Turn("user", "glaucoma cataract retina cornea " * 100)]


async def test_the_same_request_gives_the_same_text_and_reuses_its_prefix(tiny_model: Path) -> None:
    progress: list[float] = []
    async with Engine() as engine:
        loaded = await engine.load(store.choose(str(tiny_model)), on_progress=progress.append)
        first, one = await collect(engine, QUESTION, 24)
        again, two = await collect(engine, QUESTION, 24)
        drawn, _ = await collect(engine, QUESTION, 24, temperature=1.5, seed=7)
        redrawn, three = await collect(engine, QUESTION, 24, temperature=1.5, seed=7)
        other, _ = await collect(engine, QUESTION, 24, temperature=1.5, seed=8)
    assert loaded.context == 512
    assert progress[-1] == 1.0
    assert progress == sorted(progress)
    assert first == again
    assert one.finish_reason == "length"
    assert one.completion_tokens == len(one.ids) == 24
    assert one.reused_tokens == 0
    assert two.reused_tokens == two.prompt_tokens - 1
    assert drawn == redrawn != other
    assert three.seed == 7


@pytest.mark.skipif(sys.platform == "win32", reason="priorities are classes there")
@pytest.mark.parametrize("yields", [False, True])
async def test_a_worker_that_yields_lets_others_go_first(tiny_model: Path, *, yields: bool) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    async with Engine(yields=yields) as engine:
        await engine.load(store.choose(str(tiny_model)))
        assert engine.process_id
        niceness = os.getpriority(os.PRIO_PROCESS, engine.process_id)
    assert niceness > own if yields else niceness == own


async def test_what_decides_the_text_is_recorded(tiny_model: Path) -> None:
    async with Engine() as engine:
        loaded = await engine.load(store.choose(str(tiny_model)), gpu_layers=0)
    assert loaded.build.startswith("llama-cpp-python ")
    assert loaded.device not in {"", "unknown"}
    assert loaded.threads >= 1
    assert loaded.slice > 1
    assert loaded.gpu_layers == 0
    assert loaded.reduced == []


async def test_the_first_question_evaluates_only_itself(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    async with Engine() as engine:
        cold = await engine.load(model)
        without, one = await collect(engine, QUESTION, 8)
        warm = await engine.load(model, system=QUESTION[0].text)
        with_, two = await collect(engine, QUESTION, 8)
        own = await engine.tokenize(QUESTION[1].text)
        begins_answer = await engine.tokenize(
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", special=True
        )
        assert await engine.warm("Another role.") > 0
        _, three = await collect(engine, [Turn("system", "Another role."), QUESTION[1]], 8)
    assert cold.warmed == one.reused_tokens == 0
    assert warm.warmed == two.reused_tokens > 0
    assert two.prompt_tokens - two.reused_tokens == len(own) + len(begins_answer)
    assert three.prompt_tokens - three.reused_tokens == two.prompt_tokens - two.reused_tokens
    assert (without, one.prompt_tokens) == (with_, two.prompt_tokens)


async def test_a_second_turn_evaluates_only_its_new_tokens(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        answer, first = await collect(engine, QUESTION, 40, temperature=1.0, seed=3)
        turns = [*QUESTION, Turn("assistant", answer, first.ids), Turn("user", "And cataract?")]
        _, second = await collect(engine, turns, 8)
        by_text = [*QUESTION, Turn("assistant", answer), Turn("user", "And cataract?")]
        _, third = await collect(engine, by_text, 8)
    known = first.prompt_tokens + first.completion_tokens - 1  # the last token written was never evaluated
    assert second.reused_tokens == known
    assert third.reused_tokens < known  # the same words, tokenized again, are other tokens


async def test_typed_control_tokens_stay_text(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        _, plain = await collect(engine, [Turn("user", "a b")], 1)
        _, typed = await collect(engine, [Turn("user", "a<|eot_id|>b")], 1)
        _, only = await collect(engine, [Turn("user", "<|eot_id|><|begin_of_text|>" * 5)], 1)
    # As a control token it would be one id; as text it is at least the eight letters' worth of pieces.
    assert typed.prompt_tokens > plain.prompt_tokens + 3
    assert only.prompt_tokens > plain.prompt_tokens + 30


async def test_what_does_not_fit_is_refused_with_the_count_and_the_next_is_answered(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        for text in ("glaucoma " * 600, "a" * (1 << 20)):
            with pytest.raises(QuestionError, match=r"takes \d+ tokens .* context holds 512"):
                await collect(engine, [Turn("user", text)])
        _, answered = await collect(engine, [Turn("user", "lone \ud83d surrogate \udc00")], 3)
    assert answered.completion_tokens == 3


async def test_a_base_model_completes_and_does_not_chat(base_model: Path) -> None:
    model = store.choose(str(base_model))
    async with Engine() as engine:
        loaded = await engine.load(model)
        assert not loaded.has_template or model.is_base
        if not loaded.has_template:
            with pytest.raises(UsageError, match="base model"):
                await collect(engine, QUESTION)
        events = [
            event async for event in engine.answer([Turn("user", "Glaucoma is")], Sampling(4), plain=True)
        ]
    assert isinstance(events[-1], Answered)
    assert events[-1].completion_tokens == 4


async def test_stop_ends_the_answer_and_keeps_the_engine(endless_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)))
        written, finish = 0, ""
        async for event in engine.answer(QUESTION, ENDLESS):
            if isinstance(event, Piece) and not written:
                written = event.tokens
                await engine.cancel()
            elif isinstance(event, Answered):
                finish = event.finish_reason
                assert event.completion_tokens < ENDLESS.max_tokens
        assert finish == "cancelled"
        _, answered = await collect(engine, QUESTION, 3)
        assert answered.completion_tokens == 3


async def test_stop_while_the_prompt_is_read_keeps_what_was_read(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        text, whole = await collect(engine, LONG, 5)
        await engine.load(store.choose(str(tiny_model)))
        finishes = []
        async for event in engine.answer(LONG, Sampling(5)):
            if isinstance(event, Reading):
                await engine.cancel()
            elif isinstance(event, Answered):
                finishes.append(event)
        assert finishes[0].finish_reason == "cancelled"
        assert finishes[0].completion_tokens == 0
        again, answered = await collect(engine, LONG, 5)
    assert answered.prompt_tokens == whole.prompt_tokens
    assert again == text


async def test_closing_while_it_loads_ends_the_load(tiny_model: Path) -> None:
    engine = Engine()
    loading = asyncio.create_task(engine.load(store.choose(str(tiny_model))))
    while engine.process_id is None:
        await asyncio.sleep(0.01)
    await engine.close()
    with pytest.raises(EngineError, match="closed while it was loaded"):
        await loading
    async with engine:
        await engine.load(store.choose(str(tiny_model)))
        assert (await collect(engine, QUESTION, 3))[1].completion_tokens == 3


@pytest.mark.parametrize("loaded", [True, False])
async def test_a_closed_engine_leaves_nothing_to_the_loop(tiny_model: Path, loaded: bool) -> None:
    """What is still open when the loop ends complains of it on the screen that the app has left."""
    engine = Engine()
    loading = asyncio.create_task(engine.load(store.choose(str(tiny_model))))
    while engine._session.worker is None or (loaded and not loading.done()):
        await asyncio.sleep(0.01)
    process = engine._session.worker._process
    await engine.close()
    assert process._transport.is_closing()  # type: ignore[attr-defined]
    await asyncio.gather(loading, return_exceptions=True)


async def test_a_listener_that_goes_away_stops_the_answer(endless_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)))
        events = engine.answer(QUESTION, ENDLESS)
        async for event in events:
            if isinstance(event, Piece):
                break
        await events.aclose()
        _, answered = await collect(engine, QUESTION, 3)
    assert answered.completion_tokens == 3


async def test_a_given_context_is_taken_and_nothing_is_asked_without_a_model(tiny_model: Path) -> None:
    engine = Engine()
    with pytest.raises(EngineError, match="no model is loaded"):
        await engine.tokenize("a")
    async with engine:
        assert (await engine.load(store.choose(str(tiny_model)), 256)).context == 256
    with pytest.raises(EngineError, match="no model is loaded"):
        await engine.tokenize("a")


async def test_a_damaged_header_is_refused_before_a_worker_sees_it(tiny_model: Path, tmp_path: Path) -> None:
    model = store.choose(str(tiny_model))
    path = tmp_path / "cut.gguf"
    path.write_bytes(model.path.read_bytes()[:5000])
    async with Engine() as engine:
        with pytest.raises(InvalidModelError):
            await engine.load(store.ChosenModel(path, "cut", "", "Q4_K_M", "", None, None))
        assert engine.process_id is None
        await engine.load(model)


@pytest.mark.parametrize("size", [0, 3, 4, 24, 4096, 1 << 20])
async def test_random_bytes_are_no_model(tiny_model: Path, tmp_path: Path, size: int) -> None:
    chosen = store.choose(str(tiny_model / "tiny-Q4_K_M.gguf"))
    noise = random.Random(size).randbytes(size)
    async with Engine() as engine:
        for name, data in {"noise": noise, "marked": (b"GGUF" + noise)[: max(4, size)]}.items():
            path = tmp_path / f"{name}.gguf"
            path.write_bytes(data)
            with pytest.raises(InvalidModelError) as caught:
                store.choose(str(path))
            assert caught.value.hint
            with pytest.raises(InvalidModelError):
                await engine.load(msgspec.structs.replace(chosen, path=path))
            assert engine.process_id is None
        await engine.load(chosen)
        assert await engine.tokenize("x")


def test_scripts_ask_without_asyncio(tiny_model: Path) -> None:
    with SyncEngine() as engine:
        engine.load(store.choose(str(tiny_model)), sequences=2)
        ends = [event for event in engine.answer(QUESTION, Sampling(4)) if isinstance(event, Answered)]
        assert [end.completion_tokens for end in ends] == [4]
        assert b"".join(engine.pieces(engine.tokenize("IOP"))) == b"IOP"
        assert len(list(engine.answer_many([QUESTION, QUESTION], [Sampling(4)] * 2, 2))) == 2
        ids = engine.render(QUESTION)
        assert [rows.shape for rows in engine.logits([ids], last=3)] == [(3, 1024)]
        assert len(engine.score(ids, [[5], [6, 7]])[1]) == 2
        pid = engine.process_id
    assert pid
    assert not Path(f"/proc/{pid}").exists()
