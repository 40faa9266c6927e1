"""The verdict goes into the folder of its levels, stays there, and is taken back where an answer was unsafe."""

import shutil
from pathlib import Path

import msgspec
import pytest
from compared_levels import OWN, choice, divergence, level, votes

from ophtimus_edge import locations
from ophtimus_edge.compare.running.handing_on import hand_on
from ophtimus_edge.compare.verdict import judge
from ophtimus_edge.models import installing, inventory
from ophtimus_edge.models.formats import (
    ModelFolder,
    Statistic,
    Verdict,
    read_model_folder,
    write_model_folder,
)
from ophtimus_edge.models.report import AskedFile, LevelReport, Report

OLD = Statistic(0.04, 0.03, 0.05)
WITHIN = divergence(0.031, 0.029, 0.034)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demonstration model's levels, BF16 and Q4_K_M, in a folder of one's own."""
    return Path(shutil.copytree(locations.demo_folder(), tmp_path / "model"))


def entries(folder: Path) -> dict[str, str]:
    return {entry.level: entry.sha256 for entry in read_model_folder(folder).levels}


def of(folder: Path, name: str, **parts: object) -> LevelReport:
    gib = {"BF16": 15.0, "Q4_K_M": 4.5}[name]
    return msgspec.structs.replace(level(name, gib, **parts), sha256=entries(folder)[name])


def report(reference: LevelReport, *levels: LevelReport, files: list[AskedFile] | None = None) -> Report:
    asked = OWN if files is None else files
    return Report(
        model="m", reference=reference, levels=list(levels), files=asked,
        verdict=judge(reference, levels, asked),
    )  # fmt: skip


def handed(*named: str | Path, of: Report, sha256: str = "e" * 64) -> str:
    return "\n".join(hand_on([str(one) for one in named], of, sha256))


def found_in(folder: Path) -> Verdict:
    return read_model_folder(folder).comparison


@pytest.fixture
def good(folder: Path) -> Path:
    """The folder with the verdict of a whole comparison."""
    said = handed(
        folder, of=report(of(folder, "BF16"), of(folder, "Q4_K_M", divergence=WITHIN)), sha256="a" * 64
    )
    assert "stands in" in said
    return folder


def test_a_verdict_names_the_file_that_it_is_of(good: Path) -> None:
    found, files = found_in(good), entries(good)
    assert (found.level, found.sha256) == ("Q4_K_M", files["Q4_K_M"])
    assert found.files == {"Q4_K_M": files["Q4_K_M"]}
    assert found.kl_mean == {"Q4_K_M": WITHIN.kl_mean}
    assert found.report_sha256 == "a" * 64
    model = read_model_folder(good)
    assert model.recommended == model.level_named("Q4_K_M")


def test_a_run_that_judges_nothing_leaves_the_verdict_that_is_there(good: Path) -> None:
    before = (good / "model.json").read_bytes()
    embedded = [msgspec.structs.replace(file, embedded=True) for file in OWN]
    for later in (
        report(of(good, "BF16"), of(good, "Q4_K_M")),  # of speed alone
        report(of(good, "BF16"), of(good, "Q4_K_M", divergence=WITHIN), files=embedded),
        report(of(good, "BF16"), of(good, "Q4_K_M", mcq=choice(1000))),  # without a partner
    ):
        said = handed(good, of=later)
        assert "is as it was, and the verdict that it has stays" in said
        assert (good / "model.json").read_bytes() == before


def test_a_run_that_judges_on_a_file_of_ones_own_replaces_it(good: Path) -> None:
    worse = divergence(0.4, 0.39, 0.41)
    handed(good, of=report(of(good, "BF16"), of(good, "Q4_K_M", divergence=worse)))
    found = found_in(good)
    assert (found.level, found.kl_mean["Q4_K_M"], found.report_sha256) == ("", worse.kl_mean, "e" * 64)


def test_a_divergence_stays_as_long_as_its_file(good: Path) -> None:
    by_choice = of(good, "Q4_K_M", mcq=choice(1294, turned=(62, 48)))
    handed(good, of=report(of(good, "BF16", mcq=choice(1308)), by_choice))
    assert found_in(good).kl_mean == {"Q4_K_M": WITHIN.kl_mean}
    model = read_model_folder(good)
    model.verdict = Verdict(
        kl_mean={"Q4_K_M": OLD}, files={"Q4_K_M": "f" * 64}
    )  # of a file that was replaced
    write_model_folder(good, model)
    handed(good, of=report(of(good, "BF16", mcq=choice(1308)), by_choice))
    assert found_in(good).kl_mean == {}


def test_an_unsafe_vote_takes_the_recommendation_back_whatever_else_was_measured(good: Path) -> None:
    unsafe = votes(("q1", True), ("q2", False))
    said = handed(good, of=report(of(good, "BF16"), of(good, "Q4_K_M", votes=unsafe)))
    assert "What was found of unsafe answers stands in" in said
    found, sha256 = found_in(good), entries(good)["Q4_K_M"]
    assert (found.level, read_model_folder(good).recommended) == ("", None)
    assert "Q4_K_M was recommended and was taken out" in found.statement
    assert found.kl_mean == {"Q4_K_M": WITHIN.kl_mean}
    assert [vote.question_id for vote in found.unsafe[sha256]] == ["q1"]  # those that were confirmed
    # A report that knows of it keeps it, and one of which the votes were corrected takes it back.
    handed(good, of=report(of(good, "BF16"), of(good, "Q4_K_M", divergence=WITHIN, votes=unsafe)))
    assert (found_in(good).level, list(found_in(good).unsafe)) == ("", [sha256])
    handed(good, of=report(of(good, "BF16"), of(good, "Q4_K_M", votes=votes())))
    assert found_in(good).unsafe == {}
    assert "compare the levels again" in found_in(good).statement
    handed(good, of=report(of(good, "BF16"), of(good, "Q4_K_M", divergence=WITHIN)))
    assert found_in(good).level == "Q4_K_M"


def test_an_unsafe_answer_of_the_reference_is_carried_too(folder: Path) -> None:
    handed(folder, of=report(of(folder, "BF16", votes=votes(("q1", True))), of(folder, "Q4_K_M")))
    assert list(found_in(folder).unsafe) == [entries(folder)["BF16"]]


def test_each_of_two_folders_gets_what_is_of_its_own_levels(good: Path, tmp_path: Path) -> None:
    other = tmp_path / "imatrix"
    other.mkdir()
    model = read_model_folder(good)
    weighed = msgspec.structs.replace(model.levels[1], sha256="c" * 64, file="imatrix.gguf")
    write_model_folder(
        other, msgspec.structs.replace(model, levels=[weighed], default_level="Q4_K_M", verdict=None)
    )
    plain = of(good, "Q4_K_M", divergence=divergence(0.2, 0.19, 0.21))
    better = msgspec.structs.replace(plain, file="imatrix.gguf", sha256="c" * 64, divergence=WITHIN)
    handed(good, other, good, of=report(of(good, "BF16"), plain, better))
    assert (found_in(other).level, found_in(other).sha256) == ("Q4_K_M", "c" * 64)
    assert found_in(other).kl_mean == {"Q4_K_M": WITHIN.kl_mean}
    assert (found_in(good).level, found_in(good).sha256) == ("", "")
    assert found_in(good).kl_mean["Q4_K_M"].value == 0.2
    assert "imatrix.gguf is the smallest level" in found_in(good).statement


def test_a_file_that_was_named_changes_no_folder(good: Path) -> None:
    before = (good / "model.json").read_bytes()
    judged = report(of(good, "BF16"), of(good, "Q4_K_M", divergence=divergence(0.4, 0.39, 0.41)))
    assert handed(*good.glob("*.gguf"), of=judged) == ""
    assert (good / "model.json").read_bytes() == before


def test_the_programs_own_folder_and_a_signed_one_stay_as_they_are(good: Path) -> None:
    demo = locations.demo_folder()
    before = (demo / "model.json").read_bytes()
    judged = report(of(good, "BF16"), of(good, "Q4_K_M", divergence=divergence(0.4, 0.39, 0.41)))
    assert "part of the program" in handed(demo, of=judged)
    assert (demo / "model.json").read_bytes() == before
    assert handed("demo", of=judged) == ""
    (good / "model.json.minisig").write_text("a signature")
    before = (good / "model.json").read_bytes()
    assert "is signed" in handed(good, of=judged)
    assert (good / "model.json").read_bytes() == before


@pytest.mark.parametrize("by_name", [True, False])
def test_an_installed_model_of_ones_own_is_written_to_and_stays_sound(good: Path, by_name: bool) -> None:
    installing.add(good)
    (model,) = (one for one in inventory.stored() if not one.built_in)
    changed = report(of(good, "BF16"), of(good, "Q4_K_M", divergence=divergence(0.4, 0.39, 0.41)))
    assert "stands in" in handed(model.name if by_name else model.folder, of=changed)
    assert found_in(model.folder).level == ""
    checks = inventory.verify(inventory.find(model.name))
    assert not [check for check in checks if check.bad]


def test_a_folder_that_cannot_be_written_is_said(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_folder: Path, _model: ModelFolder) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ophtimus_edge.compare.running.handing_on.write_model_folder", full)
    judged = report(of(good, "BF16"), of(good, "Q4_K_M", divergence=divergence(0.4, 0.39, 0.41)))
    assert "No space left" in handed(good, of=judged)
