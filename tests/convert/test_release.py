"""``ophtimus release``: one chain from a checkpoint to a signed kit, which goes on where it was stopped."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import two_lines
from compared_files import choice_file
from conftest import ROOT
from kit_wheels import PINS, make_index, make_llama, make_program

from ophtimus_edge import locations
from ophtimus_edge.kit.keys import generate_key, write_key
from ophtimus_edge.kit.manifest import MANIFEST, read_manifest
from ophtimus_edge.kit.verifying import verify
from ophtimus_edge.models.formats import read_model_folder

# The command itself, also where this clone was not installed again since it got the verb.
COMMAND = """
import argparse, sys
from ophtimus_convert import release
from ophtimus_edge.terminal.failures import reported
top = argparse.ArgumentParser()
release.add_parser(top.add_subparsers(dest="verb"))
options = top.parse_args(["release", *sys.argv[1:]])
with reported("ophtimus") as ending:
    options.run(options)
sys.exit(ending.exit_code)
"""
GATES = ("tokens", "template", "end", "rope", "logits", "answers")


class Desk:
    """A developer's desk: a checkpoint with its licence, a key, and a cache that has all wheels."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.checkpoint, self.out, self.key = folder / "eyes", folder / "out", folder / "desk.key"
        shutil.copytree(checkpoint, self.checkpoint)
        (self.checkpoint / "LICENSE").write_text("Licence text")
        write_key(self.key, generate_key())
        made = folder / "made"
        make_index(locations.cache_folder() / "kit" / "wheels")
        (folder / "constraints.txt").write_text(PINS)
        self.words: dict[str, Any] = {
            "--version": "1.0.0",
            "--key": self.key,
            "--out": self.out,
            "--mcq": choice_file(folder / "questions.jsonl", rows=4),
            "--python": "3.11",
            "--wheel": make_llama(made),
            "--program-wheel": make_program(made),
            "--constraints": folder / "constraints.txt",
        }

    def command(
        self, *flags: str, levels: tuple[str, ...] = ("BF16", "Q4_K_M"), **changed: object
    ) -> list[str]:
        values = self.words | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
        words = [str(self.checkpoint), "--offline", "--without", "speed", *flags]
        for name, value in values.items():
            words += [name, str(value)] if value is not None else []
        for level in levels:
            words += ["-l", level]
        for gate in GATES:
            words += ["--skip-gate", gate]
        return [sys.executable, "-c", COMMAND, *words]

    def run(self, *flags: str, **changed: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*flags, **changed), capture_output=True, text=True, check=False, timeout=600
        )

    def made(self, *flags: str, **changed: Any) -> dict[str, Any]:
        """What a release that succeeds says of itself."""
        result = self.run("--json", *flags, **changed)
        assert result.returncode == 0, result.stderr
        (line,) = result.stdout.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def desk(tiny_checkpoint: Path, tmp_path: Path) -> Desk:
    return Desk(tmp_path, tiny_checkpoint)


def test_the_chain_makes_a_kit_once_and_only_what_has_changed_again(desk: Desk, tmp_path: Path) -> None:
    first = desk.made()
    assert first["made"] == ["convert", "compare", "kit"]
    kit = Path(first["kit"])
    assert kit == desk.out / "eyes-1.0.0"
    manifest = verify(kit, None).manifest
    (model,) = manifest.models
    assert (manifest.name, manifest.version, model.name) == ("eyes", "1.0.0", "eyes")
    assert {file.path for file in manifest.files} >= {"reports/eyes/report.json", "reports/eyes/report.html"}
    assert {level.level for level in read_model_folder(Path(first["model"])).levels} == {"BF16", "Q4_K_M"}
    assert first["sheets"]
    assert not any(Path(sheet).is_relative_to(kit) for sheet in first["sheets"])
    before = {
        path: path.stat().st_mtime_ns for path in [*kit.rglob("*"), *(desk.out / "report").glob("report.*")]
    }

    assert desk.made() == first | {"made": []}
    assert before == {path: path.stat().st_mtime_ns for path in before}

    other = choice_file(tmp_path / "other.jsonl", rows=5)
    lines = two_lines(desk.run(mcq=other))  # measured anew; but a kit of this version is there
    assert "eyes-1.0.0" in lines
    assert "Raise --version" in lines
    second = desk.made(mcq=other, version="1.1.0")
    assert second["made"] == ["kit"]
    assert (Path(second["kit"]).name, second["model"]) == ("eyes-1.1.0", first["model"])
    assert kit.is_dir()

    third = desk.made(mcq=other, version="1.2.0", levels=("BF16", "Q4_K_M", "Q8_0"), previous=kit)
    assert third["made"] == ["convert", "compare", "kit"]


def test_a_chain_that_is_killed_goes_on(desk: Desk) -> None:
    """Killed when a step begins, and again in the next one; what was done before is not done again."""
    for step in (2, 3):
        with subprocess.Popen(
            desk.command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr
            for line in process.stderr:
                if line.startswith(f"{step} of 3"):
                    break
            time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
    assert not (desk.out / "eyes-1.0.0").exists()
    ended = desk.made()
    assert ended["made"] == ["kit"]
    verify(Path(ended["kit"]), None)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": "1.0"}, "three numbers"),
        ({"key": "/nowhere/desk.key"}, "desk.key"),
        ({"kit_level": "Q2_K"}, "none of the levels"),
        ({"levels": ("Q4_K_N",)}, "no level Q4_K_N"),
        ({"levels": ("IQ2_XS",)}, "importance matrix"),
        ({"mcq": "/nowhere/questions.jsonl"}, "questions.jsonl"),
        ({"withdraw": "abc=because"}, "SHA-256"),
        ({"name": "../eyes"}, "model's name"),
    ],
)
def test_what_would_be_refused_after_hours_is_refused_at_once(
    desk: Desk, changed: dict[str, Any], said: str
) -> None:
    result = desk.run(**changed)
    assert said in two_lines(result, code=result.returncode)
    assert result.returncode in {1, 2}
    assert not (desk.out / "model").exists()


def test_a_checkpoint_without_a_licence_is_refused_at_once(desk: Desk) -> None:
    (desk.checkpoint / "LICENSE").unlink()
    assert "no licence file" in two_lines(desk.run())
    assert not (desk.out / "model").exists()


def test_the_plan_says_what_each_step_would_take_and_writes_nothing(desk: Desk) -> None:
    result = desk.run("--plan")
    assert result.returncode == 0, result.stderr
    one, two, three = (result.stdout.index(f"{step} of 3") for step in (1, 2, 3))
    assert "Q4_K_M" in result.stdout[one:two]
    assert "memory at the peak" in result.stdout[one:two]
    assert "mcq" in result.stdout[two:three] or "multiple choice" in result.stdout[two:three]
    assert "MiB" in result.stdout[three:]
    assert not desk.out.exists()
    desk.made()
    again = desk.run("--plan")
    assert "nothing: " in again.stdout
    assert "is there already" in again.stdout


def test_without_what_converts_it_says_how_to_install_it() -> None:
    script = (
        f"import sys\nsys.modules['tokenizers'] = None\nsys.argv[1:] = {['x', '-l', 'BF16']!r}\n{COMMAND}"
    )
    script = script.replace(
        "*sys.argv[1:]", "*sys.argv[1:], '--version', '1.0.0', '--key', 'k', '--out', 'o'"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ophtimus-edge[convert]" in two_lines(result)


def test_the_command_has_the_verb_and_still_answers_with_its_own() -> None:
    entries = (ROOT / "pyproject.toml").read_text()
    assert 'release = "ophtimus_convert.release"' in entries
    script = "from ophtimus_edge.cli import parser; print(parser().format_help()); parser(others=False).print_help()"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    with_others, own = result.stdout.split("usage: ")[1:]
    assert "release" in with_others
    assert "release" not in own
    assert "history" in own


def test_the_manifest_of_a_release_is_read_as_any_kits(desk: Desk) -> None:
    ended = desk.made("--no-compare", kit_level="Q4_K_M", kit_name="Eye clinic")
    assert ended["made"] == ["convert", "kit"]
    assert ended["report"] == ""
    kit = Path(ended["kit"])
    assert kit.name == "Eye-clinic-1.0.0"
    manifest = read_manifest((kit / MANIFEST).read_bytes(), MANIFEST)
    assert (manifest.name, manifest.models[0].levels) == ("Eye clinic", ["Q4_K_M"])
