"""``ophtimus compare --quality-from`` as a clinic runs it: without the reference's file, and with votes."""

import shutil
from pathlib import Path

import msgspec
import pytest
from commands import two_lines
from conftest import Command

from ophtimus_edge import locations
from ophtimus_edge.compare.report.files import read_report
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.compare.running.pace import Pace
from ophtimus_edge.compare.running.plan import Asked, Plan, make_plan
from ophtimus_edge.compare.running.preparing import as_planned
from ophtimus_edge.compare.running.refusals import expect_room
from ophtimus_edge.compare.running.subjects import find
from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.models.formats import Vote, read_model_folder
from ophtimus_edge.models.hardware import Machine

QUICK = ("--without", "speed", "--likelihood-only", "--orders", "1")
GIB = 1 << 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demonstration model's levels in a folder of one's own."""
    return Path(shutil.copytree(locations.demo_folder(), tmp_path / "model"))


@pytest.fixture
def mcq(tmp_path: Path) -> str:
    """A file of six questions."""
    rows = (
        f'{{"question": "Which is part of the eye, in row {row}?", "option_a": "cornea {row}", '
        f'"option_b": "femur {row}", "answer": "A"}}\n'
        for row in range(6)
    )
    path = tmp_path / "mcq.jsonl"
    path.write_text("".join(rows), encoding="utf-8")
    return str(path)


def other_file(folder: Path) -> Path:
    """Another file of the level Q4_K_M: its last weight differs."""
    data = bytearray((folder / "Ophtimus-Demo-Q4_K_M.gguf").read_bytes())
    data[-1] ^= 1
    path = folder.parent / "other.gguf"
    path.write_bytes(data)
    return path


def test_a_clinic_without_the_reference_measures_speed_and_joins_votes(
    compare: Command, folder: Path, mcq: str, tmp_path: Path
) -> None:
    first, clinic, voted, later = (str(tmp_path / name) for name in ("first", "clinic", "voted", "later"))
    result = compare(str(folder), "--mcq", mcq, *QUICK, "--out", first)
    assert result.returncode == 0, result.stderr
    quality = read_report(Path(first))
    reference, level = quality.reference, quality.levels[0]
    (folder / reference.file).unlink()

    result = compare(str(folder), "--quality-from", first, "--rounds", "2", "--out", clinic
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "BF16, the reference, is not here" in result.stderr
    here = read_report(Path(clinic))
    assert (here.reference.sha256, here.reference.mcq, here.reference.speed) == (
        reference.sha256, reference.mcq, None,
    )  # fmt: skip
    assert (here.levels[0].mcq, here.levels[0].files) == (level.mcq, level.files)
    assert here.levels[0].speed
    assert here.levels[0].speed.to_reference == {}
    assert here.demonstration
    assert here.verdict
    assert here.verdict.findings[0].finding == "open"
    assert any("is not here" in note for note in here.notes)

    # A vote against the level, beside the absent reference; the next run has no votes, and knows of it.
    vote = msgspec.convert(
        {
            "question_id": "q1", "model": "m", "level_a": "BF16", "level_b": "Q4_K_M", "sha256_a": reference.sha256,
            "sha256_b": level.sha256, "seed": 1, "rater": "Kim", "choice": "a", "unsafe": ["b"], "confirmed": True,
        },
        Vote,
    )  # fmt: skip
    votes = tmp_path / "votes.jsonl"
    votes.write_bytes(msgspec.json.encode(vote) + b"\n")
    again = (str(folder), "--quality-from", first, "--without", "speed", "--out")
    for out, more in ((voted, ["--votes", str(votes)]), (later, [])):
        result = compare(*again, out, *more)
        assert result.returncode == 0, result.stderr
        report = read_report(Path(out))
        assert report.verdict
        assert report.verdict.findings[0].finding == "unsafe"
        assert report.levels[0].votes
        assert report.levels[0].votes.unsafe[0].rater == "Kim"
        assert list(read_model_folder(folder).comparison.unsafe) == [level.sha256]
    (asked,) = [file for file in read_report(Path(voted)).files if file.part == "votes"]
    assert (asked.available, asked.used) == (1, 1)

    # What takes the reference says so before anything is measured.
    other = tmp_path / "others.jsonl"
    other.write_text(Path(mcq).read_text("utf-8").replace("eye", "ear"), encoding="utf-8")
    result = compare(*again, str(tmp_path / "refused"), "--mcq", str(other))
    assert "the reference BF16, which it is measured against, is not here" in two_lines(result)
    assert not (tmp_path / "refused").exists()


def test_a_new_level_beside_reused_ones_is_measured_against_the_reference(
    compare: Command, folder: Path, mcq: str, tmp_path: Path
) -> None:
    first, out = tmp_path / "first", tmp_path / "out"
    result = compare(str(folder), "--mcq", mcq, *QUICK, "--out", str(first))
    assert result.returncode == 0, result.stderr
    new = other_file(folder)
    result = compare(str(folder), str(new), "--quality-from", str(first), "--mcq", mcq, *QUICK, "--out", str(out)
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = read_report(out)
    by_file = {level.file: level for level in report.levels}
    fresh, reused = by_file["other.gguf"], by_file["Ophtimus-Demo-Q4_K_M.gguf"]
    assert reused.mcq == read_report(first).levels[0].mcq
    assert (reused.reused, fresh.reused) == (["mcq"], [])
    assert fresh.mcq
    assert fresh.mcq.flips
    assert fresh.mcq.flips.questions == 6
    assert report.verdict
    assert {one.sha256 for one in report.verdict.findings} == {fresh.sha256, reused.sha256}
    assert "Q4_K_M · other.gguf" in result.stdout
    assert len([file for file in report.files if file.part == "mcq"]) == 1


# --- what the memory does not hold --------------------------------------------------------------------


def pace(level: str, gibibytes: float) -> Pace:
    return Pace(
        file=f"{level}.gguf", level=level, load_s=1, prompt_tokens_per_s=50, generated_tokens_per_s=5, row_s=0.001,
        row_bytes=4 * 128_256, memory_bytes=int(gibibytes * GIB), window_memory_bytes=int(gibibytes * GIB),
        measured=False, sha256=level.ljust(64, "0"),
    )  # fmt: skip


def planned(*gibibytes: float, counts: Counts, of: dict[str, set[str]] | None = None) -> Plan:
    machine = Machine(
        system="Linux", architecture="x86_64", cpu_name="", cpu_flags=[], physical_cores=2, usable_cores=2,
        memory_bytes=16 * GIB, available_bytes=12 * GIB,
    )  # fmt: skip
    paces = [pace(f"L{place}", size) for place, size in enumerate(gibibytes)]
    return make_plan(paces[1:], paces[0], Asked(counts=counts), machine, of=of)  # type: ignore[arg-type]


def test_a_level_that_does_not_fit_is_left_out_of_speed_and_that_is_said(folder: Path) -> None:
    plan = planned(16, 5, counts=Counts(rounds=5))
    (said,) = expect_room(plan, reused=False)
    assert said.startswith("The speed of L0 needs ")
    assert said.endswith("It is left out, and so are ratios to it.")
    (other,) = expect_room(planned(5, 16, counts=Counts(rounds=5)), reused=False)
    assert other.endswith("It is left out.")
    order = Order(subjects=find([str(folder)]), counts=Counts(rounds=5))
    (shortage,) = plan.shortages
    reference = order.subjects.reference.sha256
    plan = msgspec.structs.replace(plan, shortages=[msgspec.structs.replace(shortage, key=reference)])
    assert [one.level for one in as_planned(order, plan).takers("speed")] == ["Q4_K_M"]


def test_quality_that_does_not_fit_is_refused_and_speed_of_none_too() -> None:
    with pytest.raises(ComparisonError, match="the mcq of L0 needs"):
        expect_room(planned(16, 5, counts=Counts(rounds=5, choices=9)), reused=False)
    none = planned(16, 15, counts=Counts(rounds=5))
    with pytest.raises(ComparisonError, match="the speed of L0 needs"):
        expect_room(none, reused=False)
    assert len(expect_room(none, reused=True)) == 2  # there are figures of a report to join
    assert expect_room(planned(5, 3, counts=Counts(rounds=5)), reused=False) == []
