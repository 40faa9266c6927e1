"""``ophtimus compare`` as a person runs it: planned, measured, gone on with, judged, handed on, refused."""

import shutil
from pathlib import Path

import pytest
from commands import two_lines
from compared_files import QUICK, choice_file, text_file
from conftest import Command

from ophtimus_edge import locations
from ophtimus_edge.compare.report.files import read_report
from ophtimus_edge.models.formats import read_model_folder
from ophtimus_edge.models.store import sha256_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demonstration model's levels in a folder of one's own."""
    return Path(shutil.copytree(locations.demo_folder(), tmp_path / "model"))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A text of some windows, and a file of questions."""
    text, mcq = text_file(tmp_path / "text.txt"), choice_file(tmp_path / "mcq.jsonl")
    return ["--text", str(text), "--mcq", str(mcq)]


def test_a_comparison_reports_what_it_measured_and_hands_its_verdict_on(
    ophtimus: Command, compare: Command, folder: Path, files: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "report"
    result = ophtimus("compare", str(folder), *files, "--out", str(out), *QUICK)
    assert result.returncode == 0, result.stderr
    report = read_report(out)
    assert (report.reference.level, [level.level for level in report.levels]) == ("BF16", ["Q4_K_M"])
    (level,) = report.levels
    assert level.sha256 == sha256_of(folder / level.file)
    assert level.divergence
    assert level.divergence.windows >= 2
    assert level.divergence.kl_mean.value > 0
    assert level.mcq
    assert level.mcq.questions == 12
    assert level.mcq.accuracy is None
    assert [part.name for part in level.mcq.languages] == ["en"]
    assert (level.speed, level.essay, level.votes) == (None, None, None)
    assert {file.part: file.embedded for file in report.files} == {"text": False, "mcq": False}
    assert report.verdict
    assert not report.verdict.only_embedded
    assert report.verdict.statement.split(".")[0] in " ".join(result.stdout.split())
    assert (out / "report.html").is_file()
    assert (out / "report.md").is_file()
    model = read_model_folder(folder)
    assert model.comparison.statement == report.verdict.statement
    assert model.comparison.kl_mean["Q4_K_M"] == level.divergence.kl_mean
    assert model.comparison.report_sha256 == sha256_of(out / "report.json")
    assert model.tested_languages == ["en"]

    measured = {path: path.read_bytes() for path in (out / "measured").iterdir()}
    again = compare(str(folder), *files, "--out", str(out), *QUICK)
    assert again.returncode == 0, again.stderr
    assert {path: path.read_bytes() for path in (out / "measured").iterdir()} == measured  # nothing anew
    assert read_report(out).levels == report.levels

    clinic = tmp_path / "clinic"
    result = compare(
        str(folder), "--quality-from", str(out), "--baseline", str(out), "--rounds", "2",
        "--out", str(clinic),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    here = read_report(clinic)
    assert here.levels[0].divergence == level.divergence
    assert here.levels[0].reused_from == sha256_of(out / "report.json")
    assert here.levels[0].speed
    assert here.levels[0].speed.rounds == 2
    assert here.levels[0].speed.to_reference
    assert here.baseline_sha256 == sha256_of(out / "report.json")


def test_a_plan_measures_nothing(compare: Command, files: list[str], tmp_path: Path) -> None:
    result = compare("demo", *files, "--plan", "--out", str(tmp_path / "report"))
    assert result.returncode == 0, result.stderr
    assert "divergence" in result.stdout
    assert "mcq" in result.stdout
    assert "speed" in result.stdout
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("signed", [True, False])
def test_a_signed_folder_stays_as_it_was_signed(
    compare: Command, folder: Path, files: list[str], tmp_path: Path, signed: bool
) -> None:
    if signed:
        (folder / "model.json.minisig").write_text("untrusted comment: signature\n")
    before = (folder / "model.json").read_bytes()
    result = compare(str(folder), *files, *QUICK, "--without", "mcq", "--out", str(tmp_path / "report"))
    assert result.returncode == 0, result.stderr
    assert ("is signed" in result.stderr) == signed
    assert ((folder / "model.json").read_bytes() == before) == signed


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("--rounds", "1"), "--rounds is at least 2", 2),
        (("--orders", "5"), "--orders is 1 to 4", 2),
        (("--budget", "soon"), "soon", 2),
        (("--text", "short.txt"), "at least 2 windows", 1),
        (("--mcq", "none.jsonl"), "none.jsonl", 1),
        (("--reference", "Q8_0.gguf"), "Q8_0.gguf", 1),
        (("--quality-from", "short.txt"), "short.txt", 1),
        (("--votes", "short.txt"), "short.txt", 1),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(
    compare: Command, tmp_path: Path, words: tuple[str, ...], said: str, code: int
) -> None:
    (tmp_path / "short.txt").write_text("Too short.", encoding="utf-8")
    result = compare("demo", *words, "--out", str(tmp_path / "report"), cwd=tmp_path)
    assert said in two_lines(result, code)
    assert not (tmp_path / "report").exists()


def test_the_programs_own_questions_recommend_nothing(compare: Command, tmp_path: Path) -> None:
    result = compare("demo", *QUICK, "--without", "divergence", "--out", str(tmp_path / "report"))
    assert result.returncode == 0, result.stderr
    report = read_report(tmp_path / "report")
    assert report.verdict
    assert report.verdict.level == ""
    assert report.verdict.only_embedded
    assert report.demonstration
    assert "part of the program" not in result.stderr  # "demo" is no folder that was named
