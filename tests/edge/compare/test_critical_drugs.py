"""Names of drugs: the lists themselves, trade names beside their substances, and the lists of another field."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from edge.compare import reports

from ophtimus_edge import locations
from ophtimus_edge.compare.critical.between import critical_differences
from ophtimus_edge.compare.essay.answering import EssayAnswer
from ophtimus_edge.compare.questions.files import ComparisonFile
from ophtimus_edge.compare.report import page
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.comparing import Measured
from ophtimus_edge.compare.running.joining import join
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.compare.running.subjects import Subject, Subjects, find
from ophtimus_edge.specialties import drugs
from ophtimus_edge.specialties.drugs import drug_list, named_drugs, trade_name_list
from ophtimus_edge.specialties.questions import EssayQuestion


def test_a_name_stands_for_one_thing_and_a_trade_name_for_drugs_of_the_list() -> None:
    substances, products = drug_list().drugs, trade_name_list().trade_names
    names = Counter(name.casefold() for one in (*substances, *products) for name in (*one.en, *one.ko))
    assert [name for name, times in names.items() if times > 1] == []
    known = {drug.en[0] for drug in substances}
    assert [product.en[0] for product in products if not product.of or not known.issuperset(product.of)] == []
    assert all(name.isascii() for one in (*substances, *products) for name in one.en)
    assert not any(name.isascii() for one in (*substances, *products) for name in one.ko)
    assert trade_name_list().reviewed_by == drug_list().reviewed_by == ""


@pytest.mark.parametrize(
    ("text", "substances"),
    [
        ("Xalatan", ["latanoprost"]), ("Lumigan", ["bimatoprost"]), ("TRAVATAN", ["travoprost"]),
        ("Alphagan P", ["brimonidine"]), ("Azopt", ["brinzolamide"]), ("Trusopt", ["dorzolamide"]),
        ("Cosopt", ["dorzolamide", "timolol"]), ("Combigan", ["brimonidine", "timolol"]),
        ("Simbrinza", ["brinzolamide", "brimonidine"]), ("Eylea", ["aflibercept"]),
        ("루센티스를", ["ranibizumab"]), ("아바스틴은", ["bevacizumab"]), ("바비스모", ["faricimab"]),
        ("다이아목스", ["acetazolamide"]), ("레스타시스", ["cyclosporine"]), ("프레드 포르테", ["prednisolone"]),
        ("코솝", ["dorzolamide", "timolol"]), ("Pred Forte", ["prednisolone"]),
        ("xalatanic, an acular lens cap", ["ketorolac"]), ("predict, combing, restasi", []),
    ],
)  # fmt: skip
def test_a_trade_name_names_its_substances(text: str, substances: list[str]) -> None:
    assert [named.drug for named in named_drugs(text)] == substances


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("Use Xalatan at night.", "Use latanoprost at night."),
        ("Cosopt is given twice a day.", "Dorzolamide and timolol are given twice a day."),
        ("코솝을 하루 2회 점안합니다.", "도르졸라미드와 티몰롤을 하루 2회 점안합니다."),
        ("Cosopt (dorzolamide and timolol) helps.", "Cosopt helps."),
        ("Zaditen helps.", "Zaditor helps."),
        ("아일리아를 주사합니다.", "애플리버셉트를 주사합니다."),
    ],
)
def test_a_trade_name_is_its_substances(reference: str, answer: str) -> None:
    assert not critical_differences(reference, answer)
    assert not critical_differences(answer, reference)


@pytest.mark.parametrize(
    ("reference", "answer", "marked"),
    [
        ("Give Xalatan.", "Give Lumigan.", (["Xalatan"], ["Lumigan"])),
        ("Give Cosopt.", "Give timolol.", (["Cosopt"], [])),
        ("Give Cosopt.", "Rest.", (["Cosopt"], [])),  # of two substances, and one name that is gone
        ("루센티스를 놓습니다.", "아바스틴을 놓습니다.", (["루센티스"], ["아바스틴"])),
        # One substance, and not the same: 1 % and 0.12 %, an implant and drops, units that are not each other's.
        ("Give Pred Forte.", "Give Pred Mild.", (["Pred Forte"], ["Pred Mild"])),
        ("Give Ozurdex.", "Give Maxidex.", (["Ozurdex"], ["Maxidex"])),
        ("Inject Botox.", "Inject Dysport.", (["Botox"], ["Dysport"])),
    ],
)
def test_another_trade_name_is_a_difference(
    reference: str, answer: str, marked: tuple[list[str], list[str]]
) -> None:
    for one, other, (lost, new) in ((reference, answer, marked), (answer, reference, marked[::-1])):
        (difference,) = critical_differences(one, other)
        assert difference.kind == "drug"
        assert [part.text for part in difference.reference] == lost
        assert [part.text for part in difference.answer] == new


def test_the_figures_of_a_trade_name_are_those_of_both_its_substances() -> None:
    reference = "Cosopt twice a day and Xalatan four times a day."
    answer = "Timolol four times a day and latanoprost twice a day; dorzolamide too."
    assert "figure" in {difference.kind for difference in critical_differences(reference, answer)}


@pytest.mark.parametrize("field", ["nowhere", "../ophthalmology", "../specialties/ophthalmology", "", "."])
def test_a_field_that_the_program_does_not_know_has_no_drugs(field: str) -> None:
    assert list(named_drugs("Timolol and Xalatan, 티몰롤", field)) == []


def test_a_page_says_which_drugs_are_known() -> None:
    shown = page.render(reports.rich()).decode()
    assert "generic names and its best-known trade names" in shown
    assert "A drug that is not on the list is not seen." in shown


def asked(subject: Subject, text: str) -> tuple[str, list[EssayAnswer]]:
    answer = EssayAnswer(
        id="q1", digest="d", text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=1
    )
    return subject.model.sha256, [answer]


def test_a_comparison_knows_the_drugs_of_its_models_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "skin").mkdir()
    listed = 'reviewed_by = ""\n' + "".join(
        f'[[drugs]]\nen = ["{name}"]\nko = []\n' for name in ("tretinoin", "adapalene")
    )
    (tmp_path / "skin" / "drugs.toml").write_text(listed, encoding="utf-8")
    monkeypatch.setattr(drugs, "specialty_folder", lambda name: tmp_path / name)
    found = find([str(locations.demo_folder())])

    def of_the_field(subject: Subject) -> Subject:
        assert subject.model.folder
        folder = msgspec.structs.replace(subject.model.folder, specialty="skin")
        return subject._replace(model=msgspec.structs.replace(subject.model, folder=folder))

    subjects = Subjects(of_the_field(found.reference), tuple(map(of_the_field, found.levels)))
    question = EssayQuestion(
        id="q1", language="en", topic="t", question="What?", answer="That.", source="", reviewed_by="",
        split="heldout", phrasings=[],
    )  # fmt: skip
    order = Order(
        subjects=subjects,
        essays=ComparisonFile(tmp_path / "essay.jsonl", "0" * 64, (question,), ()),
        counts=Counts(essays=1),
    )
    answers = dict([asked(subjects.reference, "Use tretinoin."), asked(subjects.levels[0], "Use adapalene.")])
    report = join(order, Measured([], {}, {}, answers, {}), machine={}, tool_versions={}, settings={})
    critical = report.levels[0].critical
    assert critical
    assert critical.counts == {"figure": 0, "eye": 0, "negation": 0, "drug": 1}
