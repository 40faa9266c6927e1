import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BIN, Command

from ophtimus_edge import locations


def two_lines(result: "subprocess.CompletedProcess[str]", code: int = 1) -> str:
    """Assert that a command failed as the contract has it; returns what it said."""
    assert result.returncode == code, result.stderr
    lines = result.stderr.rstrip("\n").split("\n")
    assert len(lines) == 2, result.stderr
    assert lines[0].startswith("ophtimus: ")
    assert lines[1].startswith("          ")
    assert "Traceback" not in result.stderr + result.stdout
    return result.stderr


def test_an_answer_is_written_under_its_question(ophtimus: Command) -> None:
    result = ophtimus("ask", "What is glaucoma?", "--max-tokens", "12")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "> What is glaucoma?"
    assert "DEMONSTRATION MODEL · not for clinical use" in lines[1]
    assert lines[2].strip()
    assert "12 tokens" in result.stderr


def test_json_holds_what_the_contract_says(ophtimus: Command) -> None:
    result = ophtimus(
        "ask", "--json", "--max-tokens", "5", stdin="What is glaucoma?\n\n녹내장이란 무엇인가요?\n"
    )
    assert result.returncode == 0, result.stderr
    english, korean = map(json.loads, result.stdout.splitlines())
    wanted = {"question", "answer", "finish_reason", "model", "role", "seed", "prompt_tokens", "reused_tokens",
              "completion_tokens", "load_s", "ttft_s", "tokens_per_s", "engine"}  # fmt: skip
    assert wanted <= set(english)
    assert set(english["model"]) == {"name", "version", "file", "sha256", "level"}
    assert english["engine"] == korean["engine"]  # what decides the text beside the request
    assert english["engine"]["build"].startswith("llama-cpp-python ")
    assert english["engine"]["threads"] >= 1
    assert english["finish_reason"] == "length"
    assert english["completion_tokens"] == 5
    assert english["seed"] == 0
    assert korean["question"] == "녹내장이란 무엇인가요?"
    assert korean["reused_tokens"] > 0  # the system prompt was not read again
    path = locations.demo_folder() / english["model"]["file"]
    sha256 = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout[:64]
    assert english["model"]["sha256"] == sha256
    assert english["notices"] == ["DEMONSTRATION MODEL · not for clinical use · not reviewed by a physician"]


def test_an_unfamiliar_question_gets_its_notice_first(ophtimus: Command) -> None:
    result = ophtimus("ask", "How do I bake bread?", "--max-tokens", "3")
    lines = result.stdout.splitlines()
    assert "not among the questions" in lines[2]
    assert [line.startswith("   ") for line in lines[3:6]] == [True] * 3
    record = json.loads(ophtimus("ask", "--json", "How do I bake bread?", "--max-tokens", "3").stdout)
    assert len(record["known_questions"]) == 3


def test_a_drawn_seed_is_recorded_and_gives_the_same_answer(ophtimus: Command) -> None:
    words = ("ask", "--json", "What is glaucoma?", "--temperature", "1.5", "--max-tokens", "30")
    drawn = json.loads(ophtimus(*words).stdout)
    again = json.loads(ophtimus(*words, "--seed", str(drawn["seed"])).stdout)
    assert again["answer"] == drawn["answer"]


def test_without_a_terminal_and_with_nothing_to_read_it_shows_an_example(ophtimus: Command) -> None:
    result = ophtimus()
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("> What is glaucoma?\n")
    assert "ophtimus ask" in result.stderr


def test_without_a_terminal_it_answers_standard_input(ophtimus: Command) -> None:
    assert ophtimus(stdin="What is a cataract?\n").stdout.startswith("> What is a cataract?\n")


def test_a_closed_standard_input_is_nothing_to_read() -> None:
    result = subprocess.run(
        ["bash", "-c", '"$0" <&-', str(BIN / "ophtimus")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("> What is glaucoma?\n")


def test_an_interrupt_ends_it_while_it_waits_for_a_question() -> None:
    with subprocess.Popen(
        [str(BIN / "ophtimus"), "ask"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"What is glaucoma?\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"> What is glaucoma?\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("question", ["", "   ", "\x1b\x07"])
def test_an_empty_question_is_refused(ophtimus: Command, question: str) -> None:
    assert "empty" in two_lines(ophtimus("ask", question))


def test_no_question_on_standard_input_is_refused(ophtimus: Command) -> None:
    assert "no question" in two_lines(ophtimus("ask", stdin="\n \n"))


def test_a_question_longer_than_the_context_is_refused(ophtimus: Command) -> None:
    assert "context" in two_lines(ophtimus("ask", "What is glaucoma? " * 900))


def test_one_bad_question_of_many_costs_no_other_its_answer(ophtimus: Command) -> None:
    result = ophtimus(
        "ask", "--json", "--max-tokens", "2", stdin="glaucoma " * 4000 + "\nWhat is a cataract?\n"
    )
    refused, answered = map(json.loads, result.stdout.splitlines())
    assert "context" in refused["error"]
    assert answered["completion_tokens"] == 2
    assert result.returncode == 1


def test_a_missing_model_is_refused(ophtimus: Command) -> None:
    assert "no model file missing.gguf" in two_lines(ophtimus("ask", "--model", "missing.gguf", "x"))


def test_a_truncated_model_is_refused_and_the_whole_one_is_not(
    ophtimus: Command, tiny_model: Path, tmp_path: Path
) -> None:
    whole = tiny_model / "tiny-Q4_K_M.gguf"
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole.read_bytes()[:-4096])
    assert "cut short" in two_lines(ophtimus("ask", "--model", str(cut), "x"))
    assert ophtimus("ask", "--model", str(whole), "x", "--max-tokens", "1").returncode == 0


def test_another_architecture_is_refused(ophtimus: Command, tiny_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes((tiny_model / "tiny-Q4_K_M.gguf").read_bytes().replace(b"llama", b"qwen2", 1))
    assert "qwen2" in two_lines(ophtimus("ask", "--model", str(other), "x"))


def test_a_base_model_completes_only_in_the_free_role(ophtimus: Command, base_model: Path) -> None:
    assert "--role free" in two_lines(ophtimus("ask", "--model", str(base_model), "x"), code=2)
    result = ophtimus("ask", "--model", str(base_model), "--role", "free", "Glaucoma is", "--max-tokens", "2")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "words", [("--role", "surgeon"), ("--max-tokens", "0"), ("--temperature", "-1"), ("--seed", "-1")]
)
def test_words_that_do_not_fit_are_wrong_usage(ophtimus: Command, words: tuple[str, str]) -> None:
    two_lines(ophtimus("ask", "x", *words), code=2)


def test_an_unwritable_cache_folder_is_refused(tmp_path: Path) -> None:
    # The child has another uid, since nothing is unwritable for root; that the denial is real is asserted.
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    command = [str(BIN / "ophtimus"), "ask", "x"]
    if os.geteuid() == 0:
        for place in (tmp_path, *tmp_path.parents):
            if place.stat().st_mode & 0o005 != 0o005 and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o055)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        probe = subprocess.run(
            [*command[:4], "touch", str(folder / "probe")], capture_output=True, check=False
        )
        assert probe.returncode != 0, "the folder is writable: this test proves nothing"
    result = subprocess.run(
        command, env={**os.environ, "OPHTIMUS_HOME": str(folder)}, capture_output=True, text=True, check=False
    )
    assert "cannot be written" in two_lines(result)
    (folder / "x").unlink(missing_ok=True)
    assert not list(folder.iterdir())


def test_a_closed_pipe_ends_silently(tmp_path: Path) -> None:
    script = '"$0" ask "What is glaucoma?" 2>errors | head -1; echo ${PIPESTATUS[0]}; cat errors'
    result = subprocess.run(
        ["bash", "-c", script, str(BIN / "ophtimus")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert result.stdout == "> What is glaucoma?\n0\n"


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="needs root and unshare")
@pytest.mark.parametrize(
    "question", ["What are the symptoms of angle-closure glaucoma?", "녹내장이란 무엇인가요?"]
)
def test_it_works_without_any_network(question: str) -> None:
    result = subprocess.run(
        ["unshare", "-n", str(BIN / "ophtimus"), "ask", "--json"], input=question, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["finish_reason"] == "stop"


def test_without_the_app_the_command_says_how_to_install_it() -> None:
    script = (
        "import sys\n"
        "sys.modules['textual'] = None\n"
        "from ophtimus_edge.cli.app import start_app\n"
        "from ophtimus_edge.terminal.failures import reported\n"
        "with reported('ophtimus') as ending:\n"
        "    start_app()\n"
        "sys.exit(ending.exit_code)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ophtimus-edge[tui]" in two_lines(result)


def test_output_is_utf8_in_every_code_page(ophtimus: Command) -> None:
    """Windows pipes in its code page, which lacks letters of nearly every answer."""
    question = "녹내장이란 무엇인가요?"
    words = ("ask", "--max-tokens", "20", question)
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    result = ophtimus(*words, env=environment, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ophtimus(*words).stdout
    assert f"> {question}\n" in result.stdout
    assert any("가" <= letter <= "힣" for letter in result.stdout.splitlines()[2])


def test_a_line_in_wrong_letters_is_refused_and_the_others_are_asked() -> None:
    lines = "\ufeffWhat is glaucoma?\n".encode() + "녹내장?\n".encode("cp949") + "백내장?\r\n".encode()
    result = subprocess.run(
        [str(BIN / "ophtimus"), "ask", "--json", "--max-tokens", "2"],
        input=lines, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    first, refused, last = map(json.loads, result.stdout.splitlines())
    assert result.returncode == 1
    assert (first["question"], last["question"]) == ("What is glaucoma?", "백내장?")
    assert "not UTF-8" in refused["error"]
    assert refused["hint"]


def test_what_lies_in_the_working_folder_is_not_run(ophtimus: Command, tmp_path: Path) -> None:
    for name in ("msgspec", "numpy", "jinja2", "psutil"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    planted = subprocess.run([sys.executable, "-c", "import psutil"], cwd=tmp_path, check=False)
    assert planted.returncode == 0
    assert (tmp_path / "ran").exists()  # so Python does run it, where nobody prevents it
    (tmp_path / "ran").unlink()
    result = ophtimus("ask", "--max-tokens", "2", "What is glaucoma?", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert ophtimus("doctor", "--json", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "ran").exists()


def test_a_bare_file_without_a_template_completes_in_the_free_role(
    ophtimus: Command, tiny_model: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.gguf"
    data = (tiny_model / "tiny-Q4_K_M.gguf").read_bytes()
    assert data.count(b"tokenizer.chat_template") == 1
    bare.write_bytes(data.replace(b"tokenizer.chat_template", b"tokenizer.chat_templatX"))
    assert "--role free" in two_lines(ophtimus("ask", "--model", str(bare), "x"), code=2)
    result = ophtimus("ask", "--model", str(bare), "--role", "free", "Glaucoma is", "--max-tokens", "2")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("verb", [("ask", "x"), ("batch", "questions.csv", "--out", "answers.csv")])
def test_a_seed_that_means_any_seed_is_refused(ophtimus: Command, verb: tuple[str, ...]) -> None:
    assert "between 0 and 4294967294" in two_lines(ophtimus(*verb, "--seed", str(2**32 - 1)), code=2)
    assert ophtimus("ask", "--seed", str(2**32 - 2), "--max-tokens", "2", "x").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_a_file_whose_name_is_no_utf8_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + "/녹내장.gguf".encode("cp949")
    shutil.copy(tiny_model / "tiny-Q4_K_M.gguf", os.fsdecode(path))
    result = subprocess.run(
        [os.fsencode(BIN / "ophtimus"), b"ask", b"--model", path, b"x"], capture_output=True, check=False
    )
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert b"is not UTF-8" in result.stderr
    assert b"Rename" in result.stderr
