"""What is taken over from an earlier report, part by part, and what is not."""

from pathlib import Path

import msgspec
import pytest
from compared_levels import OWN, choice, critical, divergence, exactly, level, votes

from ophtimus_edge.compare.questions.files import ComparisonFile, embedded_essays
from ophtimus_edge.compare.report.files import write_report
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.order import Order, Text, embedded_text, named_text
from ophtimus_edge.compare.running.preparing import Parts
from ophtimus_edge.compare.running.reusing import Earlier, read_earlier, reuse
from ophtimus_edge.compare.running.subjects import Subject, Subjects
from ophtimus_edge.errors import ComparisonError, FormatVersionError, OphtimusError, ReportError
from ophtimus_edge.models.report import (
    AskedFile,
    EssayReport,
    LevelReport,
    Report,
    ShownAnswer,
    ShownQuestion,
)
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.specialties.questions import ChoiceQuestion
from ophtimus_edge.specialties.quiz_file import embedded_path

TEXT = Text("clinic.txt", "The cornea is clear.\n")
FILES = [
    AskedFile(part="text", name=TEXT.name, sha256=TEXT.sha256, available=64, used=64),
    OWN[1],
    AskedFile(part="essay", name="essays.jsonl", sha256="4" * 64, available=9, used=9),
    AskedFile(part="votes", name="votes.jsonl", sha256="5" * 64, available=20, used=20),
]
ESSAY = EssayReport(questions=9, scores={"paper": {"rouge_l": exactly(0.2)}})
REFERENCE = level("BF16", 14.96, mcq=choice(1308), essay=ESSAY)
Q8 = level("Q8_0", 7.95, divergence=divergence(0.0014, 0.0012, 0.0016))
Q4 = level(
    "Q4_K_M", 4.58, mcq=choice(1294, turned=(62, 48)), divergence=divergence(0.031, 0.029, 0.034), essay=ESSAY,
    critical=critical(q1="figure"), votes=votes(("q1", True)),
)  # fmt: skip
SHOWN = ShownQuestion(
    question_id="q1",
    question="How much?",
    expected="0.5 %",
    answers=[ShownAnswer(level=name, text=f"{name} says") for name in ("BF16", "Q8_0", "Q4_K_M")],
)
REPORT = Report(model="m", reference=REFERENCE, levels=[Q8, Q4], files=FILES, questions=[SHOWN])
EARLIER = Earlier(Path("old/report.json"), REPORT, "e" * 64)
MCQ: ComparisonFile[ChoiceQuestion] = ComparisonFile(Path("eval.jsonl"), OWN[1].sha256, (), ())
NOTHING = Parts(None, None, None)


def subject(of: LevelReport, here: bool = True) -> Subject:
    model = ChosenModel(Path(of.file), "m", "", of.level, of.sha256, None, None)
    return Subject(model, of.size_bytes, (), name=of.level, here=here)


def subjects(*levels: LevelReport, here: bool = True) -> Subjects:
    return Subjects(subject(REFERENCE, here), tuple(map(subject, levels)))


def refused(error: type[OphtimusError], *words: object) -> OphtimusError:
    with pytest.raises(error) as caught:
        reuse(*words)  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value


def test_figures_of_the_same_files_are_taken_over_without_the_references_file() -> None:
    for here in (True, False):
        reused = reuse(EARLIER, subjects(Q4, here=here), NOTHING)
        taken = reused.levels[Q4.sha256]
        assert (taken.divergence, taken.mcq, taken.votes) == (Q4.divergence, Q4.mcq, Q4.votes)
        assert taken.files == {"text": TEXT.sha256, "mcq": OWN[1].sha256, "essay": "4" * 64}
        assert reused.levels[REFERENCE.sha256].mcq == REFERENCE.mcq
        assert list(reused.files) == FILES
        assert reused.sha256 == "e" * 64
        assert any("is not here" in note for note in reused.notes) == (not here)
    assert not reuse(None, subjects(Q4), NOTHING).levels


def test_the_answers_side_by_side_are_taken_over_of_the_levels_that_are_compared() -> None:
    (question,) = reuse(EARLIER, subjects(Q4), NOTHING).questions
    assert [(answer.level, answer.sha256) for answer in question.answers] == [
        ("BF16", REFERENCE.sha256), ("Q4_K_M", Q4.sha256),
    ]  # fmt: skip


def test_a_part_that_the_report_does_not_have_of_a_level_is_measured() -> None:
    reused = reuse(EARLIER, subjects(Q8, Q4), Parts(TEXT, MCQ, None))
    order = Order(
        subjects=subjects(Q8, Q4), text=TEXT, choices=MCQ, counts=Counts(), reused=reused.levels
    )  # fmt: skip
    assert [one.level for one in order.takers("divergence")] == []
    # The reference is asked beside it: what turned is told from answers to the very same questions.
    assert [one.level for one in order.takers("mcq")] == ["BF16", "Q8_0"]
    assert order.takers("essay") == ()
    assert [one.level for one in order.takers("speed")] == ["BF16", "Q8_0", "Q4_K_M"]
    heavy = msgspec.structs.replace(order, too_large=frozenset({REFERENCE.sha256}))
    assert [one.level for one in heavy.takers("speed")] == ["Q8_0", "Q4_K_M"]


def test_a_part_of_another_file_is_measured_anew_of_every_level() -> None:
    other = MCQ._replace(path=Path("own.jsonl"), sha256="9" * 64)
    reused = reuse(EARLIER, subjects(Q8, Q4), Parts(None, other, None))
    assert reused.levels[Q4.sha256].mcq is None
    assert reused.levels[REFERENCE.sha256].mcq is None
    assert reused.levels[Q4.sha256].divergence == Q4.divergence
    assert [file.part for file in reused.files] == ["text", "essay", "votes"]
    assert any("another file than own.jsonl" in note for note in reused.notes)


def test_a_level_that_was_asked_without_a_partner_is_asked_again() -> None:
    alone = msgspec.structs.replace(Q4, mcq=msgspec.structs.replace(Q4.mcq, flips=None))  # type: ignore[type-var]
    report = msgspec.structs.replace(REPORT, levels=[alone])
    reused = reuse(EARLIER._replace(report=report), subjects(Q4), Parts(None, MCQ, None))
    assert reused.levels[Q4.sha256].mcq is None
    assert reused.levels[REFERENCE.sha256].mcq == REFERENCE.mcq


def test_a_level_that_the_report_does_not_know_is_named() -> None:
    q2 = level("Q2_K", 2.95)
    reused = reuse(EARLIER, subjects(Q4, q2, here=False), NOTHING)
    assert q2.sha256 not in reused.levels
    assert any(note.startswith("Q2_K: not in") for note in reused.notes)


def test_of_an_older_report_with_two_files_of_a_part_the_programs_own_counts() -> None:
    own = msgspec.structs.replace(OWN[1], sha256="8" * 64, embedded=True)
    report = msgspec.structs.replace(REPORT, files=[*FILES, own])
    taken = reuse(EARLIER._replace(report=report), subjects(Q4), NOTHING).levels[Q4.sha256]
    assert taken.files["mcq"] == "8" * 64


def test_what_takes_the_reference_is_refused_where_that_is_not_here() -> None:
    error = refused(ComparisonError, EARLIER, subjects(Q8, Q4, here=False), Parts(None, MCQ, None))
    assert "no mcq of Q8_0 on eval.jsonl" in error.message
    assert "m-BF16.gguf" in error.hint
    assert reuse(EARLIER, subjects(Q4, here=False), Parts(TEXT, MCQ, None)).levels


def test_a_report_of_other_files_or_another_reference_is_refused() -> None:
    stranger = level("Q4_K_M", 4.58)
    stranger = msgspec.structs.replace(stranger, sha256="f" * 64)
    error = refused(ComparisonError, EARLIER, subjects(stranger), NOTHING)
    assert "knows none of these files" in error.message
    other = Subjects(subject(msgspec.structs.replace(REFERENCE, sha256="f" * 64)), (subject(Q4),))
    error = refused(ComparisonError, EARLIER, other, NOTHING)
    assert "compared with m-BF16.gguf" in error.message
    assert "Leave --reference out" in error.hint


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    assert read_earlier(None) is None
    write_report(tmp_path, REPORT)
    for place in (tmp_path, tmp_path / "report.json"):
        found = read_earlier(place)
        assert found is not None
        assert found.report == REPORT
    with pytest.raises(ReportError, match="cannot be read"):
        read_earlier(tmp_path / "none")
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(ReportError, match="no report of a comparison"):
        read_earlier(tmp_path)
    newer = msgspec.structs.replace(REPORT, schema_version=99)
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(newer))
    with pytest.raises(FormatVersionError):
        read_earlier(tmp_path)


def test_a_copy_of_the_programs_own_questions_is_its_own_under_any_name() -> None:
    composed = embedded_text(embedded_essays()).content
    for copy in (
        composed,
        composed[: len(composed) // 2].rsplit("\n", 1)[0],
        embedded_path().read_text("utf-8"),
    ):
        assert named_text("mine.txt", copy).embedded
    assert not named_text("mine.txt", composed + "\nA line of somebody's own.\n").embedded
    assert not named_text("mine.txt", TEXT.content).embedded
