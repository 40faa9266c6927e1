import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import BIN, Command

from ophtimus_edge import locations
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Piece, Sampling, Turn
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models import hardware, probe, shapes, store
from ophtimus_edge.specialties import catalog

SECRET = "Patientin Erika Mustermann, geb. 1941, fragt nach ihrem Glaukom"


def failed(result: "subprocess.CompletedProcess[str]", code: int = 1) -> str:
    assert result.returncode == code, result.stderr
    assert len(result.stderr.rstrip("\n").split("\n")) == 2, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    return result.stderr


def test_the_table_says_what_the_machine_has_and_which_models_fit(ophtimus: Command) -> None:
    result = ophtimus("doctor")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    machine = hardware.read_machine()
    assert any(line.startswith("processor") and machine.cpu_name in line for line in lines)
    assert any(line.startswith("instructions") and machine.cpu_flags[0] in line for line in lines)
    assert any(line.startswith("llama.cpp") and "llama-cpp-python" in line for line in lines)
    assert "Protections" in result.stdout
    at = lines.index("Ophtimus-Demo (demonstration)")
    assert [line.split()[0] for line in lines[at + 1 : at + 3]] == ["BF16", "Q4_K_M"]
    assert lines[at + 1].split()[-1] in {"fits", "5."}
    # Models of one size stand together, each named.
    for model in catalog():
        assert model.name in result.stdout
    assert sum(line.split()[:1] == ["Q2_K"] for line in lines) == 3
    assert max(map(len, lines)) <= 80


def test_json_holds_every_model_and_level(ophtimus: Command, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, locations.models_folder() / "안과")
    damaged = locations.models_folder() / "damaged"
    shutil.copytree(tiny_model, damaged)
    (damaged / "tiny-BF16.gguf").write_bytes((tiny_model / "tiny-BF16.gguf").read_bytes()[:-4096])
    (damaged / "tiny-Q4_K_M.gguf").unlink()
    result = ophtimus("doctor", "--json")
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert found["machine"]["usable_cores"] == hardware.usable_cores()
    assert found["build"].startswith("llama-cpp-python ")
    assert any(device["kind"] == "cpu" for device in found["devices"])
    assert found["protections"]
    assert all(isinstance(state, str) and state for state in found["protections"].values())
    assert found["speed"]["bandwidth"] > 1e8
    assert found["problems"] == []
    demo = [model for model in found["models"] if model["origin"] == "demonstration"]
    assert [model["level"] for model in demo] == ["BF16", "Q4_K_M"]
    for model in demo:
        assert model["verdict"] in {"fits", "slow"}
        assert model["tokens_per_s"] > 0
        assert model["memory_bytes"] > model["file_bytes"] > 0
    installed = [
        (model["level"], model["verdict"]) for model in found["models"] if model["origin"] == "installed"
    ]
    assert sorted(installed) == [
        ("BF16", "damaged"), ("BF16", "fits"), ("Q4_K_M", "damaged"), ("Q4_K_M", "fits"),
    ]  # fmt: skip
    reasons = [model["reason"] for model in found["models"] if model["verdict"] == "damaged"]
    assert any("cut short" in reason for reason in reasons)
    published = {
        (model["model"], model["level"]) for model in found["models"] if model["origin"] == "published"
    }
    assert published == {(model.name, level) for model in catalog() for level in shapes.LEVELS}


def test_the_bundle_holds_logs_and_versions_and_nothing_that_was_asked(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A doctor's home folder, with the model inside: its path is in the engine's log.
    person = tmp_path / "김안과"
    shutil.copytree(tiny_model, person / "models" / "tiny")
    monkeypatch.setenv("HOME", str(person))
    monkeypatch.setenv("USERPROFILE", str(person))
    monkeypatch.setenv("LOGNAME", "drkimoph")

    async def ask() -> str:
        answer = ""
        async with Engine() as engine:
            await engine.load(store.choose(str(person / "models" / "tiny")))
            async for event in engine.answer([Turn("user", SECRET)], Sampling(max_tokens=40, min_tokens=40)):
                if isinstance(event, Piece):
                    answer += event.text
            assert engine.process_id
            os.kill(engine.process_id, signal.SIGABRT)  # a failure leaves its traces in the log too
            with pytest.raises(EngineError):
                await engine.score([1], [[1]])
        return answer

    answer = asyncio.run(ask())
    log = locations.engine_log()
    with log.open("a", encoding="utf-8") as file:
        file.write(f"loaded by drkimoph on {platform.node()} from /home/someone/models and {person}/models\n")
    # What lies beside the logs, and is none, stays out.
    (log.parent / "conversation.txt").write_text(SECRET, encoding="utf-8")
    (log.parent / "engine.log.bak").write_text(SECRET, encoding="utf-8")
    target = tmp_path / "bundle.zip"
    result = subprocess.run(
        [str(BIN / "ophtimus"), "doctor", "--bundle", str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(target) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(texts) == {"doctor.json", "versions.json", "logs/engine.log"}
    for name in texts:
        assert name in result.stderr
    whole = "\n".join(texts.values())
    assert "llama_model_loader" in texts["logs/engine.log"]
    assert "loaded by <user> on <computer> from /home/<user>/models and ~/models" in texts["logs/engine.log"]
    assert json.loads(texts["doctor.json"])["machine"]["cpu_name"] == hardware.read_machine().cpu_name
    assert json.loads(texts["versions.json"])["llama-cpp-python"][0].isdigit()
    for hidden in (SECRET, "Mustermann", answer, "김안과", "drkimoph", str(tmp_path / "김안과")):
        assert hidden not in whole
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".bundle")] == []


def test_a_bundle_overwrites_nothing_and_says_where_it_cannot_be_written(
    ophtimus: Command, tmp_path: Path
) -> None:
    report = tmp_path / "report.pdf"
    report.write_text("mine")
    assert "is there already" in failed(ophtimus("doctor", "--bundle", str(report)), code=2)
    assert report.read_text() == "mine"
    assert "cannot be written" in failed(ophtimus("doctor", "--bundle", str(report / "bundle.zip")))


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_a_processor_that_numpy_was_not_built_for_is_said(tmp_path: Path) -> None:
    # What numpy's import does there: it ends the process with an illegal instruction.
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    )
    result = subprocess.run(
        [str(BIN / "ophtimus"), "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "instruction" in failed(result)
    found = json.loads(result.stdout)
    assert len(found["problems"]) == 2
    assert found["speed"] is None
    assert {model["tokens_per_s"] for model in found["models"]} == {None}
    assert found["machine"]["cpu_flags"] == hardware.read_machine().cpu_flags


def test_the_probe_measures_more_with_more_to_measure() -> None:
    machine = hardware.read_machine()
    found = probe.run(machine, 1)
    assert found.threads == 1
    assert 1e8 < found.bandwidth < 1e12
    assert 1e8 < found.arithmetic < 1e13
    assert 1e-9 < found.step_s < 1e-5
