"""The parts of ``ophtimus compare`` together, as a person runs them: essays, answers in words, votes, a budget."""

import os
from pathlib import Path

import msgspec
import pytest
from compared_files import ESSAYS_ALONE, choice_file, essay_file
from conftest import Command

from ophtimus_edge.compare.report.files import read_report
from ophtimus_edge.models import store
from ophtimus_edge.models.formats import Vote


def votes_file(path: Path, count: int) -> Path:
    """Votes about the demonstration model's two levels, for the smaller one."""
    small, large = (store.choose("demo", level).sha256 for level in ("Q4_K_M", "BF16"))
    votes = [
        Vote(
            question_id=f"e{number}", model="Ophtimus-Demo", level_a="Q4_K_M", level_b="BF16", sha256_a=small,
            sha256_b=large, seed=1, rater="rater 1", choice="a", rated_at=f"2026-11-30T10:00:0{number}+09:00",
        )
        for number in range(count)
    ]  # fmt: skip
    path.write_bytes(b"".join(msgspec.json.encode(vote) + b"\n" for vote in votes))
    return path


def test_answers_are_written_parsed_scored_compared_and_voted_on(compare: Command, tmp_path: Path) -> None:
    mcq, essay = choice_file(tmp_path / "mcq.jsonl", 4), essay_file(tmp_path / "essay.jsonl", 3)
    votes, out = votes_file(tmp_path / "votes.jsonl", 3), tmp_path / "report"
    result = compare(
        "demo", "--mcq", str(mcq), "--essay", str(essay), "--votes", str(votes), "--without", "speed",
        "--max-tokens", "40", "--out", str(out),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = read_report(out)
    (level,) = report.levels
    assert level.mcq
    assert level.mcq.accuracy
    assert level.mcq.unparsed
    assert level.mcq.cut_short
    assert level.mcq.permutations == 2
    assert level.mcq.flips
    assert level.essay
    assert level.essay.questions == 3
    assert {"paper", "standard"} <= set(level.essay.scores)
    assert level.critical
    assert level.critical.answers == 3
    assert [[answer.level for answer in shown.answers] for shown in report.questions] == [
        ["BF16", "Q4_K_M"]
    ] * 3
    assert all(answer.text for shown in report.questions for answer in shown.answers)
    assert level.votes
    assert (level.votes.votes, level.votes.better, level.votes.raters) == (3, 3, 1)
    assert {file.part: file.used for file in report.files} == {"mcq": 4, "essay": 3, "votes": 3}
    assert "ended at the length limit" in (out / "report.md").read_text(encoding="utf-8")
    assert "letters Q4_K_M" in result.stderr
    assert "answers Q4_K_M" in result.stderr


def test_without_files_of_ones_own_divergence_is_of_the_embedded_questions(
    compare: Command, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    without = (word for part in ("speed", "mcq", "essay") for word in ("--without", part))
    result = compare("demo", *without, "--out", str(out))
    assert result.returncode == 0, result.stderr
    report = read_report(out)
    (file,) = report.files
    assert (file.part, file.embedded) == ("text", True)
    assert report.levels[0].divergence
    assert report.levels[0].divergence.windows == file.used == file.available
    assert report.verdict
    assert report.verdict.only_embedded


def test_a_budget_cuts_and_the_report_says_what_was_left(ophtimus: Command, tmp_path: Path) -> None:
    mcq, out = choice_file(tmp_path / "mcq.jsonl", 2000), tmp_path / "report"
    alone = ("--mcq", str(mcq), "--without", "speed", "--likelihood-only", "--orders", "1")
    result = ophtimus("compare", "demo", *alone, "--budget", "2.5s", "--out", str(out))
    assert result.returncode == 0, result.stderr
    report = read_report(out)
    (file,) = report.files
    assert 40 <= file.used < file.available == 2000
    assert f"mcq with {file.used:,} of 2,000 questions" in result.stderr
    assert report.levels[0].mcq
    assert report.levels[0].mcq.questions == file.used
    shares = {part.name: part.questions for part in report.levels[0].mcq.topics}
    assert max(shares.values()) - min(shares.values()) <= 1  # every topic as often as in the whole


NO_PACKAGE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "NAME":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture
def without_extra(tmp_path: Path) -> dict[str, str]:
    """The surroundings of a clinic's install, where the [essay] extra is missing."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_PACKAGE.replace("NAME", "nltk"))
    path = [str(tmp_path / "site"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def test_without_the_extra_answers_are_kept_and_compared_and_the_report_says_so(
    ophtimus: Command, compare: Command, tmp_path: Path, without_extra: dict[str, str]
) -> None:
    essay, out = essay_file(tmp_path / "essay.jsonl", 3), tmp_path / "report"
    words = ("demo", "--essay", str(essay), *ESSAYS_ALONE, "--out", str(out))
    result = ophtimus("compare", *words, env=without_extra)
    assert result.returncode == 0, result.stderr
    (level,) = read_report(out).levels
    assert level.critical
    assert level.critical.answers == 3
    assert level.essay
    assert (level.essay.questions, level.essay.scores) == (3, {})
    assert "not scored" in level.essay.notes[0]
    assert 'pip install "ophtimus-edge[essay]"' in level.essay.notes[0]
    assert "not scored" in result.stderr
    assert len(read_report(out).questions) == 3
    scored = compare(*words)
    assert scored.returncode == 0, scored.stderr
    (level,) = read_report(out).levels
    assert level.essay
    assert set(level.essay.scores) == {"paper", "standard"}


def test_a_comparison_of_meanings_without_the_extra_is_refused_before_anything_is_measured(
    ophtimus: Command, tmp_path: Path, without_extra: dict[str, str]
) -> None:
    essay, out = essay_file(tmp_path / "essay.jsonl", 3), tmp_path / "report"
    result = ophtimus(
        "compare", "demo", "--essay", str(essay), "--similarity", "--out", str(out), env=without_extra
    )
    assert result.returncode == 1
    assert "nltk" in result.stderr
    assert 'pip install "ophtimus-edge[essay]"' in result.stderr
    assert not out.exists()
