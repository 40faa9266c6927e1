"""An engine that has to share: little memory, a log that grows, other programs and loads beside it."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

import msgspec
import psutil
import pytest
from conftest import BIN
from engines import QUESTION, collect, workers

from ophtimus_edge import locations
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.engine.process import WorkerProcess
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models import gguf, store
from ophtimus_edge.models.fit import predict_memory
from ophtimus_edge.models.hardware import read_machine


async def test_a_load_that_runs_out_of_memory_is_tried_with_half_the_context(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel ends a process that takes too much memory as a kill does."""
    really_start, killed = WorkerProcess.start, []

    async def start_and_kill_the_first(**options: bool) -> WorkerProcess:
        worker = await really_start(**options)
        if not killed:
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)
        return worker

    model = store.choose()
    async with Engine() as engine:
        whole = await engine.load(model, 2048)
        assert (whole.context, whole.reduced) == (2048, [])
        monkeypatch.setattr(WorkerProcess, "start", start_and_kill_the_first)
        halved = await engine.load(model, 2048)
        assert len(killed) == 1
        assert halved.context == 1024
        assert "1,024 tokens, where 2,048 were planned" in " ".join(halved.reduced)
        assert (await collect(engine, QUESTION, 3))[1].completion_tokens == 3
        killed.clear()
        with pytest.raises(EngineError, match="perhaps because the memory ran out"):
            await engine.load(store.choose(str(tiny_model)))  # 512: not halved again
    assert workers() == set()


async def test_a_context_that_the_memory_does_not_hold_is_smaller_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = store.choose()
    machine = read_machine()
    async with Engine() as engine:
        assert (await engine.load(model)).reduced == []
        need = predict_memory(gguf.check(model.path), model.path.stat().st_size, 1024, 0, machine)
        small = msgspec.structs.replace(machine, available_bytes=need + (1 << 20))
        monkeypatch.setattr("ophtimus_edge.engine.session.read_machine", lambda: small)
        loaded = await engine.load(model)
    assert loaded.context == 1024
    assert len(loaded.reduced) == 1
    assert "1,024 tokens" in loaded.reduced[0]


async def test_many_answers_in_a_row_leave_the_workers_memory_flat(tiny_model: Path) -> None:
    count = 200 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 40
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        assert engine.process_id
        process = psutil.Process(engine.process_id)
        sizes = []
        for number in range(count + 10):
            await collect(engine, [Turn("user", f"What is number {number}?")], 12)
            sizes.append(process.memory_info().rss)
    assert max(sizes[10:]) <= 1.02 * sizes[9]


async def test_a_log_that_has_grown_is_turned_over_and_holds_no_question(tiny_model: Path) -> None:
    log = locations.engine_log()
    log.parent.mkdir(parents=True)
    log.write_bytes(b"old line\n" * 200_000)
    marked = [Turn("user", "PATIENT-7731 glaucoma")]
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        await collect(engine, marked, 5)
    assert log.with_suffix(".log.1").read_bytes().startswith(b"old line")
    assert 0 < log.stat().st_size < 1 << 20
    assert b"PATIENT-7731" not in log.read_bytes()


async def test_two_programs_use_one_model_at_the_same_time(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    async with Engine() as one, Engine() as other:
        await one.load(model)
        await other.load(model)
        texts = []
        for engine in (one, other):
            text, answered = await collect(engine, QUESTION, 20)
            texts.append(text)
            assert answered.completion_tokens == 20
    assert texts[0] == texts[1]


def test_two_processes_use_one_model_at_the_same_time(tiny_model: Path) -> None:
    words = [
        str(BIN / "ophtimus"),
        "ask",
        "--json",
        "--model",
        str(tiny_model),
        "--max-tokens",
        "60",
        "glaucoma",
    ]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other,
    ):
        answers = [json.loads(process.communicate(timeout=60)[0])["answer"] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0]
    assert answers[0] == answers[1] != ""


async def test_two_loads_at_once_leave_one_worker_with_the_second_model(tiny_model: Path) -> None:
    async with Engine() as engine:
        await asyncio.gather(engine.load(store.choose()), engine.load(store.choose(str(tiny_model))))
        assert engine.loaded
        assert engine.loaded.context == 512
        assert len(workers()) == 1
        assert await engine.tokenize("x")
    assert workers() == set()
