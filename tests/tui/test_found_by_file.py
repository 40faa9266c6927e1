"""What a comparison found is shown of the very file that it measured: in the models screen, and in a report."""

import msgspec
from compared_levels import OWN, divergence, level

from ophtimus_edge import locations
from ophtimus_edge.compare.verdict import judge
from ophtimus_edge.models.formats import Statistic, UnsafeVote, Verdict
from ophtimus_edge.models.inventory import StoredModel, stored
from ophtimus_edge.models.report import Report
from ophtimus_tui import model_rows
from ophtimus_tui.model_facts import facts
from ophtimus_tui.model_rows import Judged, Row
from ophtimus_tui.report_words import page
from ophtimus_tui.texts import Texts

KL = Statistic(0.0314, 0.029, 0.034)
STATEMENT = "Q4_K_M is the smallest level within tolerance."


def row(verdict: Verdict) -> Row:
    """The row of Q4_K_M of the demonstration model, with another verdict."""
    (demo,) = (one for one in stored() if one.folder == locations.demo_folder())
    assert demo.description is not None
    description = msgspec.structs.replace(demo.description, verdict=verdict)
    model = StoredModel(demo.name, demo.folder, description, None)
    return Row(demo.name, model, description.level_named("Q4_K_M"))


def shown(verdict: Verdict) -> tuple[bool, bool, bool, bool]:
    """Whether the star, the divergence, the recommendation in words and the statement are."""
    texts, made = Texts("en"), row(verdict)
    said = facts(texts, made, Judged())
    return (
        model_rows.recommended(made),
        model_rows.cells(texts, made, Judged()).quality == "0.031",
        texts("models.recommended_why", level="Q4_K_M") in said,
        texts("models.verdict", verdict=STATEMENT) in said,
    )


def test_the_star_and_the_divergence_are_of_the_file_that_was_measured() -> None:
    entry = row(Verdict()).level
    assert entry is not None
    found = Verdict(
        level="Q4_K_M", sha256=entry.sha256, kl_mean={"Q4_K_M": KL}, files={"Q4_K_M": entry.sha256},
        statement=STATEMENT,
    )  # fmt: skip
    assert shown(found) == (True, True, True, True)
    replaced = msgspec.structs.replace(found, sha256="f" * 64, files={"Q4_K_M": "f" * 64})
    assert shown(replaced) == (False, False, False, False)
    first = Verdict(level="Q4_K_M", kl_mean={"Q4_K_M": KL}, statement=STATEMENT)  # which named no files
    assert shown(first) == (True, True, True, True)
    unsafe = UnsafeVote(question_id="q", rater="K", confirmed=True)
    assert shown(msgspec.structs.replace(found, unsafe={entry.sha256: [unsafe]}))[0] is False


def test_a_report_marks_the_recommended_one_of_two_files_of_one_name() -> None:
    reference = level("BF16", 14.96)
    plain, weighed = (
        msgspec.structs.replace(level("Q4_K_M", 4.58, divergence=found), file="m.gguf", sha256=digit * 64)
        for digit, found in (("a", divergence(0.2, 0.19, 0.21)), ("b", divergence(0.03, 0.02, 0.04)))
    )
    levels = [plain, weighed]
    report = Report(model="m", reference=reference, levels=levels, verdict=judge(reference, levels, OWN))
    written = page(Texts("en"), report)
    names = [line.split(" | ")[0] for line in written.splitlines() if line.startswith("| ")]
    assert names[-2:] == ["| Q4_K_M · m.gguf · aaaaaaaa", "| ★ Q4_K_M · m.gguf · bbbbbbbb"]
