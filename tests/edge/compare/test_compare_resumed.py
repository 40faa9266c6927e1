"""``ophtimus compare`` is stopped, killed and run again: what was measured is kept, and nothing else is counted."""

import json
import signal
from pathlib import Path

import pytest
from compared_files import ESSAYS_ALONE, QUICK, choice_file, essay_file, records, stopped, text_file
from conftest import Command

from ophtimus_edge.compare.report.files import read_report

LONG = 180  # sentences: nine windows, of which one or two are measured before a signal arrives


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A comparison that takes some seconds."""
    text, mcq = text_file(tmp_path / "text.txt", LONG), choice_file(tmp_path / "mcq.jsonl")
    return ["demo", "--text", str(text), "--mcq", str(mcq), *QUICK]


def test_a_killed_comparison_goes_on_where_it_was(compare: Command, words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "killed"
    assert stopped(words, out, "divergence", signal.SIGKILL).returncode == -signal.SIGKILL
    assert not (out / "report.json").exists()
    ((name, before),) = records(out, "divergence").items()
    result = compare(*words, "--out", str(out))
    assert result.returncode == 0, result.stderr
    after = records(out, "divergence")[name]
    assert 1 <= len(before) < len(after)
    assert after[: len(before)] == before
    assert len({json.loads(line)["digest"] for line in after}) == len(after)
    whole = tmp_path / "whole"
    result = compare(*words, "--out", str(whole))
    assert result.returncode == 0, result.stderr
    assert read_report(out).levels == read_report(whole).levels


def test_ctrl_c_says_that_what_is_measured_is_kept(
    compare: Command, words: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    result = stopped(words, out, "divergence", signal.SIGINT)
    assert result.returncode == 130
    assert f"What is measured is kept in {out}; run the same command to go on." in result.stderr
    assert result.stderr.endswith("\nophtimus: stopped.\n")
    assert "Traceback" not in result.stderr
    assert not (out / ".lock").exists()
    ((name, before),) = records(out, "divergence").items()
    assert before
    # A record that nobody measures so again: it is there at the end only where it was taken as it was.
    path = out / "measured" / name
    mark = {**json.loads(before[0]), "same_top": 1}
    path.write_bytes(path.read_bytes().replace(before[0], json.dumps(mark).encode() + b"\n"))
    assert compare(*words, "--out", str(out)).returncode == 0
    after = [json.loads(line) for line in records(out, "divergence")[name]]
    assert after[0] == mark
    assert len({line["digest"] for line in after}) == len(after)


def test_other_questions_under_the_same_ids_are_asked(compare: Command, tmp_path: Path) -> None:
    file, out, fresh = tmp_path / "essay.jsonl", tmp_path / "report", tmp_path / "fresh"

    def run(what: str, into: Path) -> None:
        essay_file(file, what=what)
        result = compare("demo", "--essay", str(file), *ESSAYS_ALONE, "--out", str(into))
        assert result.returncode == 0, result.stderr

    run("glaucoma", out)
    first = read_report(out)
    run("a cataract", out)
    run("a cataract", fresh)
    changed = read_report(out)
    assert changed.questions == read_report(fresh).questions != first.questions
    assert changed.levels == read_report(fresh).levels
    kept = records(out, "essay")
    assert [len(lines) for lines in kept.values()] == [6, 6]
    run("glaucoma", out)
    assert records(out, "essay") == kept  # nothing is asked a third time
    again = read_report(out)
    assert (again.questions, again.levels) == (first.questions, first.levels)


def test_what_was_asked_otherwise_before_is_not_counted(compare: Command, tmp_path: Path) -> None:
    file, out = tmp_path / "mcq.jsonl", tmp_path / "report"

    def run(what: str, *more: str) -> tuple[object, ...]:
        choice_file(file, 4, what)
        words = ("--without", "speed", "--mcq", str(file), *more)
        result = compare("demo", *words, "--out", str(out))
        assert result.returncode == 0, result.stderr
        report = read_report(out)
        return report.reference.mcq, report.levels[0].mcq

    first = run("eye", "--orders", "1", "--likelihood-only")
    kept = records(out, "choices")
    other = run("bone of the leg", "--orders", "2")
    assert first != other
    assert other[1].permutations == 2  # type: ignore[attr-defined]
    assert other[1].accuracy is not None  # type: ignore[attr-defined]
    assert run("eye", "--orders", "1", "--likelihood-only") == first
    one_order = run("bone of the leg", "--orders", "1", "--likelihood-only")
    assert one_order[1].permutations == 1  # type: ignore[attr-defined]
    assert one_order[1].accuracy is None  # type: ignore[attr-defined]
    assert all(records(out, "choices")[name][:4] == lines for name, lines in kept.items())
