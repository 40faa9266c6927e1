"""What befalls a worker while it loads and writes: killed, crashed, halted; nothing that was written is lost."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import BIN
from engines import ENDLESS, QUESTION, collect, workers

from ophtimus_edge import locations
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Loading, Piece, Sampling
from ophtimus_edge.engine.process import WorkerProcess
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models import store


async def end(engine: Engine) -> None:
    """Kill the worker, and wait until its client knows."""
    assert engine.process_id
    os.kill(engine.process_id, signal.SIGKILL)
    while (worker := engine._session.worker) is not None and not worker.ended:
        await asyncio.sleep(0.01)


async def test_a_killed_worker_is_reported_with_what_was_written_and_the_next_request_starts_another(
    endless_model: Path,
) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)), system=QUESTION[0].text)
        first = engine.process_id
        assert first
        text, deaths = "", []
        async for event in engine.answer(QUESTION, ENDLESS):
            if isinstance(event, Piece):
                text += event.text
                with contextlib.suppress(ProcessLookupError):
                    os.kill(first, signal.SIGKILL)
            elif isinstance(event, Died):
                deaths.append(event)
        assert text
        assert len(deaths) == 1
        assert "ended unexpectedly (it was killed" in deaths[0].message
        assert deaths[0].log_lines
        assert QUESTION[-1].text not in " ".join(deaths[0].log_lines)
        _, answered = await collect(engine, QUESTION, 3)
        assert answered.completion_tokens == 3
        assert answered.reused_tokens > 0  # the role's prompt was evaluated again with the load
        assert engine.process_id not in {None, first}
    assert workers() == set()


async def test_a_worker_that_dies_between_two_requests_is_replaced(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        ids = await engine.tokenize("glaucoma")
        assert engine.process_id
        os.kill(engine.process_id, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(engine.process_id)], timeout=5)
        with contextlib.suppress(EngineError):  # it may be sent before the death is known
            await engine.tokenize("glaucoma")
        assert await engine.tokenize("glaucoma") == ids


async def test_every_other_request_of_a_killed_worker_is_an_error(endless_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)), sequences=2)
        pid = engine.process_id
        assert pid
        found = []
        samplings = [Sampling(2), ENDLESS, ENDLESS]
        with pytest.raises(EngineError, match="killed") as caught:
            async for done in engine.answer_many([QUESTION] * 3, samplings, 2):
                found.append(done)
                os.kill(pid, signal.SIGKILL)
        assert caught.value.log_lines
        assert [done.completion_tokens for done in found] == [2]
        assert len([done async for done in engine.answer_many([QUESTION], [Sampling(2)], 1)]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize(
    ("number", "words"),
    [("SIGILL", "this CPU lacks an instruction"), ("SIGABRT", "(SIGABRT"), ("SIGSEGV", "(SIGSEGV"),
     ("SIGBUS", "its file was cut short or the disk failed")],
)  # fmt: skip
async def test_how_a_worker_ended_is_said(endless_model: Path, number: str, words: str) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)))
        assert engine.process_id
        deaths = []
        async for event in engine.answer(QUESTION, ENDLESS):
            if isinstance(event, Piece) and not deaths:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(engine.process_id, signal.Signals[number])
            elif isinstance(event, Died):
                deaths.append(event)
        assert len(deaths) == 1
        assert words in deaths[0].message
        assert (await collect(engine, QUESTION, 3))[1].completion_tokens == 3


async def test_an_assertion_of_llama_cpp_is_said(endless_model: Path) -> None:
    """What llama.cpp writes before it gives up stands in its log, and in the message."""
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)))
        assert engine.process_id
        deaths = []
        async for event in engine.answer(QUESTION, ENDLESS):
            if isinstance(event, Piece) and not deaths:
                with locations.engine_log().open("a") as log:
                    log.write("ggml.c:1: GGML_ASSERT(rows > 0) failed\n")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(engine.process_id, signal.SIGABRT)
            elif isinstance(event, Died):
                deaths.append(event)
        assert "GGML_ASSERT(rows > 0) failed" in deaths[0].message


async def test_a_model_that_is_loaded_again_says_how_far_and_can_be_stopped(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_start, stopping = WorkerProcess.start, []

    async def start_and_stop(**options: bool) -> WorkerProcess:
        """The key comes when the new process is there and has nothing loaded yet."""
        worker = await really_start(**options)
        stopping.append(asyncio.create_task(engine.cancel()))
        return worker

    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        expected = await engine.tokenize("glaucoma")

        await end(engine)
        events = [event async for event in engine.answer(QUESTION, Sampling(3))]
        fractions = [event.fraction for event in events if isinstance(event, Loading)]
        assert fractions == sorted(fractions)
        assert isinstance(events[-1], Answered)

        await end(engine)
        with monkeypatch.context() as patched, pytest.raises(EngineError, match="was stopped"):
            patched.setattr(WorkerProcess, "start", start_and_stop)
            async for event in engine.answer(QUESTION, Sampling(3)):
                assert isinstance(event, Loading)
        assert stopping
        assert await engine.tokenize("glaucoma") == expected
    assert workers() == set()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
async def test_a_halted_worker_is_seen_said_and_woken(endless_model: Path) -> None:
    long = Sampling(2000, min_tokens=2000)
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)))
        for _ in range(2):  # the second time behind a prompt that is evaluated already, as the third time
            expected, _ = await collect(engine, QUESTION, long.max_tokens, min_tokens=long.min_tokens)
        assert engine.process_id
        halted, text, stopped = 0, "", False
        async for event in engine.answer(QUESTION, long):
            if isinstance(event, Piece):
                text += event.text
                if not stopped:
                    os.kill(engine.process_id, signal.SIGSTOP)
                    stopped = True
            halted += isinstance(event, Halted)
        assert halted == 1
        assert text == expected
        os.kill(engine.process_id, signal.SIGSTOP)
    assert workers() == set()


def test_questions_from_a_file_go_on_after_a_death(tiny_model: Path) -> None:
    words = [str(BIN / "ophtimus"), "ask", "--json", "--model", str(tiny_model), "--max-tokens", "400"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("What is glaucoma?\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        (worker,) = psutil.Process(process.pid).children(recursive=True)
        worker.suspend()  # so that the kill falls into the answer
        process.stdin.write("What is a cataract?\n")
        process.stdin.flush()
        worker.kill()
        process.stdin.write("What is myopia?\n")
        process.stdin.close()
        rest = [json.loads(line) for line in process.stdout]
        assert process.wait(timeout=60) == 1
        assert process.stderr is not None
        assert "ended unexpectedly" in process.stderr.read()
    assert first["finish_reason"] == "length"
    assert rest[-1]["question"] == "What is myopia?"
    assert rest[-1]["completion_tokens"] == 400
