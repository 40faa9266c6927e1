"""What ``ophtimus compare`` cannot compare is refused by the command before it measures, and by ``--plan`` too."""

import json
import shutil
from pathlib import Path

import pytest
from commands import two_lines
from compared_files import QUICK, SENTENCE, choice_file, essay_file, text_file
from conftest import Command
from conversions import converted
from gguf_drafts import Draft, token

from ophtimus_edge import locations
from ophtimus_edge.compare.divergence.windows import MOST_BYTES
from ophtimus_edge.compare.report.files import read_report
from ophtimus_edge.models import store

PLAN = ((), ("--plan",))


def rows(*lines: dict[str, str]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


ROW = {"question": "Is it?", "option_a": "yes", "option_b": "no", "answer": "A"}
BAD = {
    "no columns": (rows({"text": "x"}), "has no column question"),
    "no option": (rows({**ROW, "answer": "E"}), "line 1"),
    "empty": ("", "empty.jsonl"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_without_a_sound_question_is_refused(compare: Command, tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    file = tmp_path / f"{name.replace(' ', '_')}.jsonl"
    file.write_text(content, encoding="utf-8")
    result = compare("demo", "--mcq", str(file), "--out", str(tmp_path / "report"))
    assert said in two_lines(result)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("part", "second", "said"),
    [
        ("mcq", b"\xff\xff\n", "neither UTF-8 nor Korean text in CP949, from line 2 on"),
        ("essay", b"\xff\xff\n", "neither UTF-8 nor Korean text in CP949, from line 2 on"),
        ("text", "녹내장\n".encode("cp949"), "not UTF-8 (line 2)"),
    ],
)
def test_another_encoding_is_refused_with_the_line(
    compare: Command, tmp_path: Path, part: str, second: bytes, said: str
) -> None:
    file = tmp_path / "file.jsonl"
    file.write_bytes(rows(ROW).encode() + second)
    result = compare("demo", f"--{part}", str(file), "--out", str(tmp_path / "report"))
    assert said in two_lines(result)
    assert not (tmp_path / "report").exists()


def test_rows_that_are_left_out_are_named_and_the_others_compared(compare: Command, tmp_path: Path) -> None:
    """A byte order mark, Windows' line ends, a question twice, an answer without its option."""
    file, out = tmp_path / "mixed.jsonl", tmp_path / "report"
    lines = rows(ROW, ROW, {**ROW, "question": "What?", "answer": "E"}, {**ROW, "question": "Why?"})
    file.write_bytes(b"\xef\xbb\xbf" + lines.replace("\n", "\r\n").encode())
    result = compare("demo", "--mcq", str(file), *QUICK, "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert "line 2" in result.stderr
    assert "the same as line 1" in result.stderr
    assert "line 3" in result.stderr
    report = read_report(out)
    assert report.levels[0].mcq
    assert report.levels[0].mcq.questions == 2
    assert len(report.files[0].skipped) == 2


def test_a_hundred_thousand_rows_are_planned(compare: Command, tmp_path: Path) -> None:
    file = choice_file(tmp_path / "large.jsonl", 100_000)
    words = ("--mcq", str(file), "--budget", "5min", "--plan", "--out", str(tmp_path / "report"))
    result = compare("demo", *words)
    assert result.returncode == 0, result.stderr
    assert "mcq with " in result.stdout
    assert "of 100,000 questions" in result.stdout


@pytest.mark.parametrize("more", PLAN)
def test_one_essay_question_alone_is_refused(compare: Command, tmp_path: Path, more: tuple[str, ...]) -> None:
    file, out = essay_file(tmp_path / "one.jsonl", 1), tmp_path / "report"
    result = compare("demo", "--essay", str(file), *more, "--out", str(out))
    assert "one.jsonl has 1 essay question" in two_lines(result)
    assert not out.exists()


def test_a_text_beyond_all_bounds_is_refused_with_what_to_do(compare: Command, tmp_path: Path) -> None:
    text, out = tmp_path / "book.txt", tmp_path / "report"
    text.write_bytes(b"eye " * (MOST_BYTES // 4 + 1))
    result = compare("demo", "--text", str(text), "--out", str(out))
    said = two_lines(result)
    assert "larger than 8 MiB" in said
    assert "Name a part of it" in said
    assert not out.exists()


def test_a_baseline_that_is_no_report_is_refused(compare: Command, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    for path in ("old.json", "missing.json"):
        words = ("--baseline", str(tmp_path / path), *QUICK, "--out", str(tmp_path / "report"))
        assert path in two_lines(compare("demo", *words))
    assert not (tmp_path / "report").exists()


def test_a_folder_that_holds_no_embedding_model_is_refused(compare: Command, tmp_path: Path) -> None:
    essay, out = essay_file(tmp_path / "essay.jsonl"), tmp_path / "report"
    words = ("--essay", str(essay), "--semscore", str(tmp_path), "--out", str(out))
    assert "no model.safetensors" in two_lines(compare("demo", *words))
    assert not out.exists()


@pytest.fixture
def other_vocabulary(tmp_path: Path) -> Path:
    """The demonstration model's Q4_K_M with one other token, by itself."""
    draft = Draft(store.choose("demo", "Q4_K_M").path.read_bytes())
    token(700, b"Zyxwv")(draft)
    path = tmp_path / "renamed.gguf"
    path.write_bytes(draft.packed())
    return path


@pytest.mark.parametrize("part", ["mcq", "essay", "text"])
@pytest.mark.parametrize("more", PLAN)
def test_a_reference_with_another_vocabulary_is_refused_whatever_is_asked(
    compare: Command, tmp_path: Path, other_vocabulary: Path, part: str, more: tuple[str, ...]
) -> None:
    make = {"mcq": choice_file, "essay": essay_file, "text": text_file}[part]
    file, out = make(tmp_path / "file.jsonl"), tmp_path / "report"
    level = store.choose("demo", "BF16").path
    words = (f"--{part}", str(file), "--reference", str(other_vocabulary), *more, "--out", str(out))
    said = two_lines(compare(str(level), *words))
    assert "renamed.gguf" in said
    assert "other vocabularies" in said
    assert not out.exists()


@pytest.mark.parametrize("more", PLAN)
def test_a_damaged_level_is_refused(compare: Command, tmp_path: Path, more: tuple[str, ...]) -> None:
    folder = Path(shutil.copytree(locations.demo_folder(), tmp_path / "model"))
    file = store.choose(str(folder), "Q4_K_M").path
    file.write_bytes(file.read_bytes()[:-5000])
    said = two_lines(compare(str(folder), *more, "--out", str(tmp_path / "report")))
    assert file.name in said
    assert not (tmp_path / "report").exists()


@pytest.fixture(scope="module")
def calibrated(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that was calibrated on a text, which lies beside it."""
    folder = tmp_path_factory.mktemp("calibrated")
    text = text_file(folder / "calibration.txt")
    converted(tiny_checkpoint, folder / "model", "BF16", "Q4_K_M", calibrate=text)
    return folder


@pytest.mark.parametrize("more", PLAN)
def test_a_text_that_a_level_was_calibrated_on_is_refused(
    compare: Command, tmp_path: Path, calibrated: Path, more: tuple[str, ...]
) -> None:
    words = (str(calibrated / "model"), "--text", str(calibrated / "calibration.txt"), *QUICK, *more)
    result = compare(*words, "--out", str(tmp_path / "report"))
    assert "shares runs of 13 tokens" in two_lines(result)
    assert not (tmp_path / "report").exists()


def test_a_level_without_its_folder_is_said_to_have_an_unknown_calibration(
    compare: Command, tmp_path: Path, calibrated: Path
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for file in (calibrated / "model").glob("*.gguf"):
        if "imatrix" not in file.name:
            shutil.copy(file, alone)
    text = tmp_path / "other.txt"
    text.write_text("".join(f"Row {row}: {SENTENCE[::-1]}\n" for row in range(60)), encoding="utf-8")
    notes = []
    for named in ([str(calibrated / "model")], sorted(map(str, alone.glob("*.gguf")))):
        out = tmp_path / f"report{len(notes)}"
        result = compare(*named, "--text", str(text), *QUICK, "--out", str(out))
        assert result.returncode == 0, result.stderr
        notes.append(read_report(out).notes)
    assert notes[0] == []
    assert "calibrate Q4_K_M" in notes[1][0]
    assert "calibrate Q4_K_M" in (tmp_path / "report1" / "report.md").read_text(encoding="utf-8").replace(
        "\\", ""
    )
