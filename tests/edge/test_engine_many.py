"""Many at once with the real worker: answers side by side, scores behind a prefix, logits of windows."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from engines import ENDLESS, QUESTION, collect

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Piece, Sampling, Turn
from ophtimus_edge.errors import EngineError, UsageError
from ophtimus_edge.models import store

SYSTEM = QUESTION[0]
WORDS = ("glaucoma", "a cataract", "the macula", "uveitis and how is it seen", "IOP", "백내장", "x")
QUESTIONS = [[SYSTEM, Turn("user", f"What is {word}?")] for word in WORDS]


async def test_answers_side_by_side_are_those_one_by_one(tiny_model: Path) -> None:
    """Greedy, in F32-like BF16: what is computed together moves numbers too little to change a word here."""
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model), "BF16"), sequences=3)
        alone = [(await collect(engine, turns, 12 + at))[0] for at, turns in enumerate(QUESTIONS)]
        samplings = [Sampling(12 + at) for at in range(len(QUESTIONS))]
        for parallel in (1, 3):
            found = {done.index: done async for done in engine.answer_many(QUESTIONS, samplings, parallel)}
            assert sorted(found) == list(range(len(QUESTIONS)))
            assert [found[at].completion_tokens for at in sorted(found)] == [12 + at for at in sorted(found)]
            assert all(found[at].finish_reason == "length" and not found[at].error for at in found)
            same = sum(found[at].text == text for at, text in enumerate(alone))
            assert same >= len(alone) - 1


async def test_one_that_cannot_be_asked_does_not_stop_the_others(tiny_model: Path) -> None:
    conversations = [QUESTIONS[0], [SYSTEM, Turn("user", "glaucoma " * 600)], QUESTIONS[1]]
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=2)
        found = {done.index: done async for done in engine.answer_many(conversations, [Sampling(5)] * 3, 2)}
    assert "context holds 512" in found[1].error
    assert found[1].hint
    assert found[1].finish_reason == "failed"
    assert [found[at].completion_tokens for at in (0, 2)] == [5, 5]


async def test_more_than_the_context_holds_at_once_is_answered_in_turns(tiny_model: Path) -> None:
    """Four answers of 200 tokens do not fit into 512 at once."""
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=4)
        sampling = Sampling(200, min_tokens=200)
        found = [done async for done in engine.answer_many(QUESTIONS[:4], [sampling] * 4, 4)]
        assert [done.completion_tokens for done in found] == [200] * 4
        _, answered = await collect(engine, QUESTION, 3)
    assert answered.completion_tokens == 3


async def test_a_listener_that_goes_away_stops_them_all(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=3)
        samplings = [Sampling(3), *[Sampling(400, min_tokens=400)] * 6]
        events = engine.answer_many(QUESTIONS, samplings, 3)
        async for done in events:
            assert done.index == 0
            break
        await events.aclose()
        assert (await collect(engine, QUESTION, 6))[1].completion_tokens == 6
        left = [done.index async for done in engine.answer_many(QUESTIONS[:2], samplings[:1] * 2, 2)]
    assert sorted(left) == [0, 1]


async def test_scores_are_the_log_probabilities_of_the_logits(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model), "BF16"))
        prefix = await engine.render(QUESTION)
        options = [await engine.tokenize(text) for text in ("A", "B", "The optic nerve is damaged", "한국어")]
        scores = await engine.score(prefix, [*options, []])
        again = await engine.score(prefix, options)
        for option, found in zip(options, scores, strict=False):
            window = [*prefix, *option]
            [rows] = [rows.astype(np.float64) async for rows in engine.logits([window], len(option) + 1)]
            log = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
            expected = [log[at, token] for at, token in enumerate(option)]
            np.testing.assert_allclose(found, expected, atol=0.02)
        with pytest.raises(EngineError, match="do not fit the context"):
            await engine.score(prefix, [[5] * 600])
        with pytest.raises(EngineError, match="do not fit the context"):
            await engine.score([], [[5]])
        assert await engine.score(prefix, options) == again
    assert scores[-1] == []
    assert scores[:-1] == again


LETTERS = ("A", "B", " C", "The optic nerve is damaged", "한국어")


async def test_many_prompts_have_the_scores_that_each_has_alone(tiny_model: Path) -> None:
    """More prompts than sequences, longer ones than a batch holds, continuations of one token and of several."""
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model), "BF16"), sequences=3)
        prompts = [await engine.render(turns) for turns in QUESTIONS]
        shared = await engine.warm(SYSTEM.text)
        assert all(prompt[:shared] == prompts[0][:shared] for prompt in prompts)
        prompts.insert(2, [*prompts[0][:shared], *[7, 8, 9] * 120])
        options = [await engine.tokenize(text) for text in LETTERS]
        assert {len(option) for option in options} > {1}
        alone = [await engine.score(prompt, options) for prompt in prompts]
        for start in (0, shared):
            behind = [prompt[start:] for prompt in prompts]
            found = [one async for one in engine.score_many(prompts[0][:start], behind, options)]
            assert [one.index for one in found] == list(range(len(prompts)))
            for one, expected in zip(found, alone, strict=True):
                assert [len(scores) for scores in one.log_likelihoods] == [len(option) for option in options]
                for scores, wanted in zip(one.log_likelihoods, expected, strict=True):
                    np.testing.assert_allclose(scores, wanted, atol=0.02)
        assert await engine.score(prompts[0], options) == alone[0]


async def test_the_same_prompts_have_the_same_scores_to_the_last_bit(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=4)
        prompts = [await engine.render(turns) for turns in QUESTIONS]
        options = [await engine.tokenize(text) for text in LETTERS]
        first = [one.log_likelihoods async for one in engine.score_many([], prompts, options)]
        await collect(engine, QUESTION, 6)
        assert [one async for one in engine.score_many(prompts[0][:9], [prompts[3][9:]], options)]
        again = [one.log_likelihoods async for one in engine.score_many([], prompts, options)]
    assert again == first


async def test_prompts_that_cannot_be_scored_are_refused_and_the_engine_goes_on(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        with pytest.raises(UsageError, match="loaded for many"):
            async for _ in engine.score_many([1], [[2]], [[3]]):
                raise AssertionError
        await engine.load(store.choose(str(tiny_model)), sequences=2)
        refused = {
            "do not fit the context": ([1], [[2] * 511], [[3]]),
            "is empty": ([1], [[2], []], [[3]]),
            "or a continuation is empty": ([1], [[2]], [[3], []]),
            "there is no token": ([1], [[2], [1 << 20]], [[3]]),
            "there is no token -1": ([1], [[2]], [[-1]]),
        }
        for match, asked in refused.items():
            with pytest.raises((EngineError, UsageError), match=match):
                async for _ in engine.score_many(*asked):
                    raise AssertionError
        fits = [one async for one in engine.score_many([1], [[2] * 510], [[3]])]
        assert [len(one.log_likelihoods) for one in fits] == [1]


async def test_scores_that_nobody_waits_for_are_stopped(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=4)
        events = engine.score_many([1], [[2] * 400] * 4000, [[3]])  # minutes
        async for one in events:
            assert one.index == 0
            break
        await events.aclose()
        async with asyncio.timeout(10):
            assert len([one async for one in engine.score_many([1], [[2], [4]], [[3]])]) == 2


async def test_windows_come_one_at_a_time_in_one_shared_memory(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model), "BF16"))
        windows = [list(range(3, 40)), list(range(50, 60)), list(range(3, 40))]
        found = [rows.copy() async for rows in engine.logits(windows, last=20)]
        assert [rows.shape for rows in found] == [(20, 1024), (10, 1024), (20, 1024)]
        np.testing.assert_array_equal(found[0], found[2])
        async for rows in engine.logits(windows, last=1):
            assert rows.shape == (1, 1024)
            break
        assert (await collect(engine, QUESTION, 3))[1].completion_tokens == 3
    assert not list(Path("/dev/shm").glob("psm_*"))  # noqa: S108 - where Linux has shared memory


async def test_what_the_model_does_not_have_is_refused_and_the_engine_goes_on(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        with pytest.raises(UsageError, match="loaded for many"):
            async for _ in engine.answer_many([QUESTION], [Sampling(2)], 1):
                raise AssertionError
        ids = await engine.tokenize("a lone \ud800 half")
        assert b"".join(await engine.pieces(ids)).decode() == "a lone \ufffd half"
        for wrong in (-1, 1 << 20):
            with pytest.raises(UsageError, match="there is no token"):
                await engine.score([1, 2], [[wrong]])
            with pytest.raises(UsageError, match="there is no token"):
                await engine.pieces([wrong])
        assert len(await engine.score([1, 2], [[3]])) == 1


async def test_a_stop_means_the_request_under_way_and_no_other(endless_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)))
        await engine.cancel()  # nothing is under way
        answer = engine.answer(QUESTION, ENDLESS)
        async for event in answer:
            if isinstance(event, Piece):
                break
        waiting = asyncio.create_task(engine.warm("You are an expert."))
        await asyncio.sleep(0.05)  # it stands in line
        await engine.cancel()
        ends = [event async for event in answer if isinstance(event, Answered)]
        assert [end.finish_reason for end in ends] == ["cancelled"]
        assert await waiting > 0


async def test_a_score_that_nobody_waits_for_is_stopped(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        long = asyncio.create_task(engine.score([1], [[2] * 500] * 2000))
        await asyncio.sleep(0.3)
        assert not long.done()
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        async with asyncio.timeout(10):  # all of it takes minutes
            assert len(await engine.score([1], [[2]])) == 1
