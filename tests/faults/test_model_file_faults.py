"""What befalls the file of a loaded model: replaced, removed, cut short, not to be read."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from engines import ENDLESS, QUESTION, collect, workers

from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Turn
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models import store


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
