"""``ophtimus-convert`` as a developer has it."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import BIN
from conversions import make_adapter

from ophtimus_edge.models.formats import read_model_folder

NO_GATES = [
    word
    for gate in ("tokens", "template", "end", "rope", "logits", "answers")
    for word in ("--skip-gate", gate)
]


def run(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [str(BIN / "ophtimus-convert"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_to_a_model_folder(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "licensed").mkdir()
    for path in tiny_checkpoint.iterdir():
        (tmp_path / "licensed" / path.name).symlink_to(path)
    (tmp_path / "licensed" / "LICENSE").write_text("Licence text")
    (tmp_path / "licensed" / "NOTICE").write_text("Built with care\n")
    out = tmp_path / "안과"
    result = run(
        tmp_path / "licensed", "-l", "q8_0", "-l", "BF16", "-o", out, "--name", "tiny", "--version", "2"
    )
    assert result.returncode == 0, result.stderr
    assert "tiny-Q8_0.gguf" in result.stdout
    assert "gate logits: passed" in result.stdout
    steps = [line.split()[0] for line in result.stderr.splitlines() if "━" in line]
    assert steps[0] == "write"
    assert sorted(steps[1:]) == ["gates", "verify", "verify"]  # side by side, once the files are there
    model = read_model_folder(out)
    assert (model.name, model.version, model.kind, model.source.id) == ("tiny", "2", "instruct", "licensed")
    assert [(licence.file, licence.notice) for licence in model.licences] == [
        ("LICENSE", ""), ("NOTICE", "Built with care"),
    ]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == [
        "LICENSE", "NOTICE", "model.json", "tiny-BF16.gguf", "tiny-Q8_0.gguf",
    ]  # fmt: skip
    again = run(tmp_path / "licensed", "-l", "Q8_0", "-o", out, "--name", "tiny", "--version", "2", "--json")
    assert "already" in again.stderr
    assert json.loads(again.stdout.splitlines()[0])["level"] == "Q8_0"


def test_standard_error_has_the_steps_and_no_word_of_a_library(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """With an adapter, whose library loads every other that it knows of."""
    adapter = make_adapter(tiny_checkpoint, tmp_path / "adapter")
    result = run(
        tiny_checkpoint, "--adapter", adapter, "-l", "BF16", "-o", tmp_path / "out", "--name", "tiny"
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    licence = [line for line in lines if "licence file" in line or "put LICENSE" in line]
    assert [line for line in lines if "━" not in line] == licence


def test_the_plan_is_printed_and_nothing_is_written(tiny_checkpoint: Path, tmp_path: Path) -> None:
    words = (
        tiny_checkpoint,
        "-l",
        "Q8_0",
        "-l",
        "Q4_K_M",
        "-o",
        tmp_path / "out",
        "--name",
        "tiny",
        "--plan",
    )
    plan = json.loads(run(*words, "--json").stdout)
    assert set(plan) == {"levels", "peak_memory_bytes", "peak_disk_bytes", "seconds"}
    assert [set(level) for level in plan["levels"]] == [{"level", "bytes"}] * 2
    text = run(*words).stdout
    assert f"{plan['levels'][1]['bytes']:,} bytes" in text
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["home"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere", "-l", "Q4_K_M"], 1, "there is no folder nowhere"),
        (["SOURCE", "-l", "Q9"], 2, "no level Q9"),
        (["SOURCE", "-l", "IQ2_M"], 2, "IQ2_M needs an importance matrix"),
        (["SOURCE", "-l", "Q8_0", "--skip-gate", "iron"], 2, "no gate iron"),
        (["SOURCE", "-l", "Q8_0", "--name", "a/b"], 2, "cannot be a model's name"),
        (["SOURCE", "-l", "Q8_0", "--adapter", "SOURCE"], 1, "adapter_config.json"),
    ],
)
def test_wrong_words_end_in_two_lines(
    tiny_checkpoint: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    result = run(
        *(str(tiny_checkpoint) if word == "SOURCE" else word for word in words), "-o", tmp_path / "out"
    )
    assert result.returncode == code
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.strip()]) == 2
    assert not (tmp_path / "out").exists()


def test_the_help_names_the_levels_that_clinics_use_first() -> None:
    text = run("--help").stdout
    assert text.index("Q8_0 Q6_K Q5_K_M Q4_K_M Q3_K_M IQ4_XS Q2_K") < text.index("Q5_K_S")


def test_an_unwritable_folder_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    # The child has another uid, since nothing is unwritable for root; that the denial is real is asserted.
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o555)
    words = [
        str(BIN / "ophtimus-convert"),
        str(tiny_checkpoint),
        "-l",
        "Q8_0",
        "-o",
        str(sealed / "out"),
        "--name",
        "t",
    ]
    if os.geteuid() == 0:
        for place in (tmp_path, *tmp_path.parents, tiny_checkpoint, *tiny_checkpoint.parents):
            if place.stat().st_mode & 0o005 != 0o005 and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o055)
        for path in tiny_checkpoint.iterdir():
            path.chmod(path.stat().st_mode | 0o044)
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
        probe = subprocess.run([*words[:4], "touch", str(sealed / "probe")], capture_output=True, check=False)
        assert probe.returncode != 0, "the folder is writable: this test proves nothing"
    environment = {**os.environ, "HOME": str(tmp_path), "OPHTIMUS_HOME": str(tmp_path / "home")}
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 1, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert "cannot be written" in lines[-2]
    assert "-o" in lines[-1]
    assert not list(sealed.iterdir())
    assert (
        run(tiny_checkpoint, "-l", "Q8_0", "-o", tmp_path / "open", "--name", "t", *NO_GATES).returncode == 0
    )
