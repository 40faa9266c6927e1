"""A model that its maker took back answers nobody, under whatever name; the one beside it does."""

import contextlib
import json
import shutil
from pathlib import Path

import psutil
import pytest
from commands import two_lines
from conftest import Command
from engines import QUESTION, collect
from stored_models import json_lines
from withdrawing import REASON, demo_sha256, withdraw

from ophtimus_edge import locations
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import EngineError, InvalidModelError, WithdrawnModelError
from ophtimus_edge.models import installing, store, withdrawals

ASK = ("ask", "--max-tokens", "2", "What is glaucoma?")


def bare_copy(tmp_path: Path) -> Path:
    """A copy of the withdrawn file under another name, without its model folder."""
    path = tmp_path / "other-name.gguf"
    shutil.copy(locations.demo_folder() / "Ophtimus-Demo-Q4_K_M.gguf", path)
    return path


async def test_the_engine_loads_no_withdrawn_model_and_loads_the_level_beside_it() -> None:
    withdraw(demo_sha256("Q4_K_M"))
    async with Engine() as engine:
        with pytest.raises(WithdrawnModelError) as caught:
            await engine.load(store.choose(level="Q4_K_M"))
        assert caught.value.reason == REASON
        assert engine.process_id is None
        await engine.load(store.choose(level="BF16"))
        assert (await collect(engine, QUESTION, 2))[1].completion_tokens == 2


async def test_a_model_that_is_withdrawn_while_it_is_open_is_not_loaded_again() -> None:
    async with Engine() as engine:
        await engine.load(store.choose())
        withdraw(demo_sha256("Q4_K_M"))
        await collect(engine, QUESTION, 2)  # it is open; the kit's installer asks to close the app
        assert engine.process_id
        worker = psutil.Process(engine.process_id)
        worker.kill()
        psutil.wait_procs([worker], timeout=5)
        with pytest.raises(WithdrawnModelError):
            with contextlib.suppress(EngineError):  # it may be sent before the death is known
                await engine.tokenize("glaucoma")
            await engine.tokenize("glaucoma")


def test_ask_refuses_it_with_the_reason_and_what_to_do(ophtimus: Command) -> None:
    assert ophtimus(*ASK).returncode == 0
    withdraw(demo_sha256("Q4_K_M"))
    lines = two_lines(ophtimus(*ASK))
    assert "Ophtimus-Demo" in lines
    assert REASON["en"] in lines
    assert "Choose another model" in lines
    assert ophtimus(*ASK, "--level", "BF16").returncode == 0


def test_neither_another_name_nor_a_copy_helps(ophtimus: Command, tmp_path: Path) -> None:
    path = bare_copy(tmp_path)
    installing.add(path)
    (name,) = store.installed()
    withdraw(demo_sha256("Q4_K_M"))
    for model in (name, str(path)):
        assert REASON["en"] in two_lines(ophtimus(*ASK, "--role", "free", "--model", model))
    withdraw("0" * 64)
    for model in (name, str(path)):
        assert ophtimus(*ASK, "--role", "free", "--model", model).returncode == 0


def test_a_file_by_itself_is_hashed_only_where_one_of_its_size_was_withdrawn(tmp_path: Path) -> None:
    path = bare_copy(tmp_path)
    size, hashes = path.stat().st_size, locations.cache_folder() / "hashes.json"
    withdraw(demo_sha256("Q4_K_M"), size_bytes=size + 1)
    withdrawals.refuse(store.choose(str(path)))
    assert not hashes.exists()
    withdraw(demo_sha256("Q4_K_M"), size_bytes=size)
    with pytest.raises(WithdrawnModelError):
        withdrawals.refuse(store.choose(str(path)))
    assert hashes.exists()


def test_batch_refuses_it_before_it_writes_anything(ophtimus: Command, tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_text("What is glaucoma?\n")
    words = ("batch", str(questions), "--max-tokens", "2", "--out", str(tmp_path / "answers.jsonl"))
    withdraw(demo_sha256("Q4_K_M"))
    assert REASON["en"] in ophtimus(*words).stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["questions.txt"]
    assert ophtimus(*words, "--level", "BF16").returncode == 0


@pytest.mark.parametrize(
    ("language", "words"), [("ko_KR.UTF-8", "회수한 모델"), ("en_US.UTF-8", "withdrawn")]
)
def test_the_plain_mode_says_it_in_its_language(
    ophtimus: Command, monkeypatch: pytest.MonkeyPatch, language: str, words: str
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    withdraw(demo_sha256("Q4_K_M"))
    said = ophtimus("--plain", stdin="What is glaucoma?\n").stdout
    assert words in said
    assert REASON[language[:2]] in said
    assert "Answer:" not in said


def test_the_lists_show_it(ophtimus: Command) -> None:
    before = ophtimus("models", "list").stdout
    withdraw(demo_sha256("Q4_K_M"))
    after = ophtimus("models", "list").stdout
    assert "WITHDRAWN" not in before
    assert f"WITHDRAWN by its maker, answers nothing any more: {REASON['en']}" in after
    assert after.count("WITHDRAWN") == 1
    (model,) = json_lines(ophtimus("models", "list", "--json"))
    assert {level["level"]: level["withdrawn"] for level in model["levels"]} == {
        "BF16": None, "Q4_K_M": REASON,
    }  # fmt: skip
    examined = json.loads(ophtimus("doctor", "--json").stdout)["models"]
    judged = {one["level"]: one["verdict"] for one in examined if one["origin"] == "demonstration"}
    assert judged["Q4_K_M"] == "withdrawn"
    assert judged["BF16"] != "withdrawn"


def test_where_nothing_was_installed_nothing_is_withdrawn() -> None:
    assert withdrawals.withdrawn() == {}
    withdrawals.refuse(store.choose())


def test_a_damaged_state_does_not_give_a_withdrawn_model_back() -> None:
    root = locations.kit_root()
    withdraw("1" * 64)
    assert set(withdrawals.withdrawn()) == {"1" * 64}
    (root / "state.json").write_text('{"withdrawn": [')
    with pytest.raises(InvalidModelError, match="nobody knows"):
        withdrawals.refuse(store.choose())
    for version, sha256 in (("1.0.0", "2" * 64), ("1.1.0", demo_sha256("Q4_K_M"))):
        folder = root / "versions" / version
        folder.mkdir(parents=True)
        entry = {"sha256": sha256, "reason": REASON}
        (folder / "manifest.json").write_text(json.dumps({"schema_version": 9, "withdrawn": [entry]}))
    assert set(withdrawals.withdrawn()) == {"2" * 64, demo_sha256("Q4_K_M")}
    with pytest.raises(WithdrawnModelError):
        withdrawals.refuse(store.choose())
    withdrawals.refuse(store.choose(level="BF16"))
    (root / "state.json").unlink()
    assert len(withdrawals.withdrawn()) == 2


def test_the_reason_is_said_in_the_language_that_there_is_and_never_commands_a_terminal() -> None:
    def why(language: str, **reason: str) -> str:
        return withdrawals.Withdrawn(sha256="0" * 64, reason=reason).why(language)  # type: ignore[arg-type]

    assert why("ko", en="wrong", ko="잘못") == "잘못"
    assert why("ko", en="wrong") == "wrong"
    assert why("en", ko="잘못") == "잘못"
    assert why("en", en="  ") == "no reason is given"
    assert why("en", en="a\x1b[2J\nb") == "a[2J b"
    assert len(why("en", en="x" * 10_000)) == 500
