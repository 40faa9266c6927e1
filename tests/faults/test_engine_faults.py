"""What befalls a worker while it works: killed, halted, its file replaced, removed or cut short."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest
from conftest import BIN, ROOT
from engines import QUESTION, collect, workers

from ophtimus_edge import locations
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Loading, Piece, Sampling, Turn
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models import gguf, store
from ophtimus_edge.models.fit import predict_memory
from ophtimus_edge.models.hardware import read_machine

ENDLESS = Sampling(400, min_tokens=400)


async def end(engine: Engine) -> None:
    """Kill the worker, and wait until its client knows."""
    assert engine.process_id
    os.kill(engine.process_id, signal.SIGKILL)
    while engine.process_id and psutil.pid_exists(engine.process_id):
        await asyncio.sleep(0.01)


async def test_a_killed_worker_is_reported_with_what_was_written_and_the_next_request_starts_another(
    tiny_model: Path,
) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), system=QUESTION[0].text)
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


async def test_every_other_request_of_a_killed_worker_is_an_error(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=2)
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
async def test_how_a_worker_ended_is_said(tiny_model: Path, number: str, words: str) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
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


async def test_an_assertion_of_llama_cpp_is_said(tiny_model: Path) -> None:
    """What llama.cpp writes before it gives up stands in its log, and in the message."""
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
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


async def test_a_load_that_runs_out_of_memory_is_tried_with_half_the_context(tiny_model: Path) -> None:
    """The kernel ends a process that takes too much memory as a kill does."""
    killed: list[int] = []

    def kill_the_first(_fraction: float) -> None:
        if not killed:
            killed.extend(workers())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    model = store.choose()
    async with Engine() as engine:
        whole = await engine.load(model, 2048)
        assert (whole.context, whole.reduced) == (2048, [])
        halved = await engine.load(model, 2048, kill_the_first)
        assert len(killed) == 1
        assert halved.context == 1024
        assert "1,024 tokens, where 2,048 were planned" in " ".join(halved.reduced)
        assert (await collect(engine, QUESTION, 3))[1].completion_tokens == 3
        killed.clear()
        with pytest.raises(EngineError, match="perhaps because the memory ran out"):
            await engine.load(store.choose(str(tiny_model)), 0, kill_the_first)  # 512: not halved again
    assert workers() == set()


async def test_a_model_that_is_loaded_again_says_how_far_and_can_be_stopped(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        expected = await engine.tokenize("glaucoma")

        await end(engine)
        events = [event async for event in engine.answer(QUESTION, Sampling(3))]
        fractions = [event.fraction for event in events if isinstance(event, Loading)]
        assert fractions == sorted(fractions)
        assert isinstance(events[-1], Answered)

        await end(engine)
        stopped = False
        with pytest.raises(EngineError, match="was stopped"):
            async for event in engine.answer(QUESTION, Sampling(3)):
                if isinstance(event, Loading) and not stopped:
                    stopped = True
                    await engine.cancel()
        assert await engine.tokenize("glaucoma") == expected
    assert workers() == set()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
async def test_a_halted_worker_is_seen_said_and_woken(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)))
        expected, _ = await collect(engine, QUESTION, 100, min_tokens=100)
        assert engine.process_id
        halted, text, stopped = 0, "", False
        async for event in engine.answer(QUESTION, Sampling(100, min_tokens=100)):
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


async def test_a_file_replaced_or_removed_while_loaded_goes_on_answering(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_model, folder)
    model = store.choose(str(folder))
    async with Engine() as engine:
        await engine.load(model)
        text, _ = await collect(engine, QUESTION, 20)
        other = tmp_path / "other.gguf"
        other.write_bytes(b"GGUF, but not this one")
        other.replace(model.path)
        await collect(engine, [Turn("user", "x")], 3)
        assert (await collect(engine, QUESTION, 20))[0] == text
        model.path.unlink()
        await collect(engine, [Turn("user", "x")], 3)
        assert (await collect(engine, QUESTION, 20))[0] == text


async def test_a_file_cut_short_under_way_is_reported(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_model, folder)
    model = store.choose(str(folder), "BF16")
    ends = []
    async with Engine() as engine:
        await engine.load(model)
        with model.path.open("rb+") as file:
            file.truncate(4096)
        async for event in engine.answer(QUESTION, ENDLESS):
            if isinstance(event, Died | Answered):
                ends.append(event)
        assert isinstance(ends[0], Died)
        assert "cut short" in ends[0].message
        shutil.copy(tiny_model / model.path.name, model.path)
        assert (await collect(engine, QUESTION, 3))[1].completion_tokens == 3
    assert workers() == set()


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


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user")
def test_a_file_that_may_not_be_read_is_said(tiny_model: Path, tmp_path: Path) -> None:
    """In a child that first shows that the denial is real: root reads everything."""
    path = tmp_path / "secret.gguf"
    shutil.copy(tiny_model / "tiny-Q4_K_M.gguf", path)
    path.chmod(0o600)
    script = (
        "import os, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    open(sys.argv[1], 'rb')\n"
        "    print('not denied')\n"
        "except PermissionError:\n"
        "    print('denied')\n"
        "from ophtimus_edge.errors import OphtimusError\n"
        "from ophtimus_edge.models import store\n"
        "try:\n"
        "    print(store.choose(sys.argv[1]).name)\n"
        "except OphtimusError as error:\n"
        "    print(error.message)\n"
    )
    outer = "import sys; exec(sys.argv.pop(1))"  # imports before the change of user may read what it may not
    command = [sys.executable, "-c", f"import ophtimus_edge.models.store\n{outer}", script, str(path)]
    for parent in [tmp_path, *tmp_path.parents]:
        if parent == Path(parent.anchor) or parent == Path("/tmp"):  # noqa: S108
            break
        parent.chmod(parent.stat().st_mode | 0o055)
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.splitlines()[0] == "denied"
    assert "cannot be read: Permission denied" in result.stdout
    path.chmod(0o644)
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.splitlines() == ["not denied", "tiny"]


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


async def test_another_file_in_the_place_of_a_dead_workers_is_not_loaded(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.gguf"
    shutil.copy(tiny_model / "tiny-Q4_K_M.gguf", path)
    async with Engine() as engine:
        await engine.load(store.choose(str(path)))
        assert engine.process_id
        os.kill(engine.process_id, signal.SIGKILL)
        with contextlib.suppress(EngineError):
            await engine.tokenize("x")
        assert await engine.tokenize("x")  # the same file: a new worker
        shutil.copy(tiny_model / "tiny-BF16.gguf", path)
        os.kill(engine.process_id, signal.SIGKILL)
        with contextlib.suppress(EngineError):
            await engine.tokenize("x")
        with pytest.raises(EngineError, match="no longer the file"):
            await engine.tokenize("x")
        await engine.load(store.choose(str(path)))
        assert await engine.tokenize("x")


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


async def test_two_loads_at_once_leave_one_worker_with_the_second_model(tiny_model: Path) -> None:
    async with Engine() as engine:
        await asyncio.gather(engine.load(store.choose()), engine.load(store.choose(str(tiny_model))))
        assert engine.loaded
        assert engine.loaded.context == 512
        assert len(workers()) == 1
        assert await engine.tokenize("x")
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
