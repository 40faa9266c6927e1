"""A report of two levels of one name, and of what was found of the reference: nothing is mixed up or hidden."""

import msgspec
from compared_levels import OWN, choice, divergence, level, votes
from edge.compare import reports

from ophtimus_edge.compare.report import markdown, page, provenance, tables, terminal
from ophtimus_edge.compare.report.changes import changes
from ophtimus_edge.compare.report.view import View
from ophtimus_edge.compare.verdict import judge
from ophtimus_edge.models.report import AskedFile, LevelReport, Report, ShownAnswer, ShownQuestion

REFERENCE = level("BF16", 14.96, mcq=choice(1308))
PLAIN = msgspec.structs.replace(
    level("Q4_K_M", 4.58, divergence=divergence(0.2, 0.19, 0.21)), file="m.gguf", sha256="a" * 64
)
WEIGHED = msgspec.structs.replace(
    level("Q4_K_M", 4.58, divergence=divergence(0.03, 0.02, 0.04)), file="m.gguf", sha256="b" * 64
)


def of(*levels: LevelReport, reference: LevelReport = REFERENCE, **more: object) -> Report:
    verdict = judge(reference, levels, OWN)
    return Report(model="m", reference=reference, levels=list(levels), verdict=verdict, **more)  # type: ignore[arg-type]


def test_the_recommended_one_of_two_files_of_one_name_is_marked() -> None:
    view = View(of(PLAIN, WEIGHED))
    best = view.recommended()
    assert best is not None
    assert (best.place, best.name) == (2, "Q4_K_M · m.gguf · bbbbbbbb")
    assert [view.finding(row) for row in view.rows] == [
        "the reference", "beyond tolerance", "recommended: within tolerance"
    ]  # fmt: skip


def test_each_of_two_files_of_one_name_has_its_own_answers() -> None:
    shown = ShownQuestion(
        question_id="q1",
        question="How much?",
        expected="",
        answers=[ShownAnswer(level="Q4_K_M", text=text, sha256=text * 64) for text in "ba"],
    )
    view = View(of(PLAIN, WEIGHED, questions=[shown]))
    assert [view.answer(shown, row) for row in view.rows] == [None, "a", "b"]


def test_an_older_report_names_levels_and_no_files() -> None:
    view = View(reports.rich())
    assert [row.finding.level for row in view.levels if row.finding] == [row.name for row in view.levels]
    best = view.recommended()
    assert best is not None
    assert best.name == "Q4_K_M"


def test_what_changed_is_said_of_the_file_that_it_changed_of() -> None:
    faster = msgspec.structs.replace(WEIGHED, divergence=divergence(0.3, 0.29, 0.31))
    found = changes(of(PLAIN, WEIGHED), of(PLAIN, faster))
    assert [one for one in found if "rose" in one] == [
        "Q4_K_M · m.gguf · bbbbbbbb: KL divergence rose from 0.030 [0.020, 0.040] to 0.300 [0.290, 0.310]."
    ]


def test_an_unsafe_answer_of_the_reference_is_seen_everywhere() -> None:
    report = of(PLAIN, reference=msgspec.structs.replace(REFERENCE, votes=votes(("q9", True))))
    rows = [[cell.text for cell in row] for row in tables.votes(View(report)).rows]
    assert (rows[0][0], rows[0][-1]) == ("BF16", "1 (1 confirmed)")
    assert "BF16, confirmed" in markdown.render(report).decode()
    assert "question q9" in markdown.render(report).decode()
    assert "BF16, confirmed" in page.render(report).decode()
    assert "BF16: 1 answer confirmed as unsafe" in " ".join(terminal.summary(report).split())
    assert len(tables.votes(View(of(PLAIN))).rows) == 1


def test_what_was_left_out_is_said_in_every_form() -> None:
    note = "BF16, the reference, is not here: ratios to it are left out."
    votes_file = AskedFile(
        part="votes", name="v.jsonl", sha256="5" * 64, remarks=["1 vote is between two levels."]
    )
    report = of(PLAIN, notes=[note], files=[*OWN, votes_file])
    for written in (markdown.render(report).decode(), page.render(report).decode()):
        assert note in written
        assert "1 vote is between two levels." in written


def test_who_measured_a_levels_quality_is_said_part_by_part() -> None:
    def said(**parts: object) -> str:
        report = of(msgspec.structs.replace(PLAIN, **parts))
        return provenance.files(View(report)).rows[1][-1].text

    assert said() == "this machine"
    assert said(reused_from="e" * 64) == f"report {'e' * 64}"  # of an older report: all of it
    assert said(reused_from="e" * 64, reused=["divergence"]) == f"report {'e' * 64}"
    assert said(reused_from="e" * 64, reused=["divergence"], mcq=choice(9)) == (
        f"report {'e' * 64}, but multiple choice by this machine"
    )
