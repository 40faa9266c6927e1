"""Critical differences: what is found and what is made up, on written pairs, and what counts as one figure."""

import json
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ophtimus_edge.compare.critical.between import counted, critical_differences
from ophtimus_edge.compare.critical.eyes import eyes
from ophtimus_edge.compare.critical.report import AnswerPair, critical_report
from ophtimus_edge.compare.statistics.intervals import wilson
from ophtimus_edge.specialties.quiz_file import embedded_path

HERE = Path(__file__).parent


class Pair(NamedTuple):
    id: str
    reference: str
    answer: str
    differs: set[str]

    @property
    def found(self) -> set[str]:
        return {difference.kind for difference in critical_differences(self.reference, self.answer)}


def read(name: str) -> list[Pair]:
    rows = tomllib.loads((HERE / name).read_text(encoding="utf-8"))["pairs"]
    return [Pair(row["id"], row["reference"], row["answer"], set(row["differs"])) for row in rows]


PAIRS = read("critical_pairs.toml")
UNSEEN = read("critical_pairs_unseen.toml")


def errors(pairs: list[Pair]) -> tuple[list[str], list[str]]:
    """Kinds of difference that are missed, and kinds that are found and are none, as "pair: kind"."""
    missed = [f"{pair.id}: {kind}" for pair in pairs for kind in sorted(pair.differs - pair.found)]
    false = [f"{pair.id}: {kind}" for pair in pairs for kind in sorted(pair.found - pair.differs)]
    return missed, false


def test_the_pairs_that_it_was_made_with() -> None:
    # When it first ran on the first 41, 3 of 27 differences were missed and 4 were made up; on the 60 of an audit,
    # 37 of 38 were missed and 14 made up. Then it was mended on them. That all are right now says less than the
    # pairs of the next test.
    assert len(PAIRS) == 101
    assert sum(len(pair.differs) for pair in PAIRS) == 65
    assert {kind for pair in PAIRS for kind in pair.differs} == {"figure", "eye", "negation", "drug"}
    missed, false = errors(PAIRS)
    assert (len(missed), len(false)) == (0, 0), (missed, false)


def test_pairs_that_it_was_not_made_with() -> None:
    # The first 24 pairs: 13 of 14 differences are found, and of 11 answers that say the same in quite other words,
    # 5 are listed for a person all the same. At first it was 6: one of them was mended, moved to the others, and
    # replaced here by a pair written before it was tried. The 28 further ones were written before the finding was
    # mended on the pairs of an audit: of their 17 differences 9 were missed before that and none after it; 5 were
    # made up before and 2 after. Better is welcome: then the counts here go down.
    assert sum(len(pair.differs) for pair in UNSEEN) == 31
    assert sum(not pair.differs for pair in UNSEEN) == 23
    missed, false = errors(UNSEEN)
    assert (len(missed), len(false)) == (1, 7), (missed, false)


@pytest.mark.parametrize("pair", [*PAIRS, *UNSEEN], ids=lambda pair: pair.id)
def test_a_text_does_not_differ_from_itself_and_the_order_of_the_two_changes_no_kind(pair: Pair) -> None:
    assert not critical_differences(pair.reference, pair.reference)
    assert not critical_differences(pair.answer, pair.answer)
    turned = critical_differences(pair.answer, pair.reference)
    assert {difference.kind for difference in turned} == pair.found


def test_the_embedded_answers_do_not_differ_from_themselves_nor_from_their_sentences_turned_round() -> None:
    answers = [json.loads(line)["answer"] for line in embedded_path().read_text("utf-8").splitlines()]
    long = [answer for answer in answers if answer.count(". ") > 1]
    assert len(long) > 20
    for answer in long:
        assert not critical_differences(answer, answer)
    for answer in long:
        # Sentences that lean on the one before them (sides, drugs) are not what is meant here.
        turned = ". ".join(reversed(answer.removesuffix(".").split(". "))) + "."
        kinds = {difference.kind for difference in critical_differences(answer, turned)}
        assert not kinds, answer


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("OD 20/20, OS 20/40, OU red", ["right", "left", "both"]),
        ("acetazolamide 250 mg OD", []),
        ("intravitreal aflibercept 2 mg OD", ["right"]),
        ("one tablet OD for the left eye", ["left"]),
        ("500 mg od, per os, and re-examine", []),
        ("the right eye is red, the left is calm", ["right", "left"]),
        ("go right away, at a right angle", []),
        ("the left upper eyelid", ["left"]),
        ("우안과 왼쪽 눈, 양안", ["right", "left", "both"]),
        ("오른쪽 팔", []),
        ("both of the eyes, bilateral, each eye", ["both", "both", "both"]),
        ("right and left eyes", ["both"]),
        ("a monocular patient", ["one"]),
        ("두 눈물점", []),
        ("Right: 14 mmHg. Left: 30 mmHg.", ["right", "left"]),
        ("**Right:** 14\n- Left 30; IOP right 14, left 30", ["right", "left", "right", "left"]),
        ("Rt 14, Lt 30, Rt. eye, rt eye, LT: 20", ["right", "left", "right", "right", "left"]),
        ("the right iris, left vitreous and fundus", ["right", "left"]),
        ("right anterior chamber, left conjunctiva, right cataract", ["right", "left", "right"]),
        ("left untreated; the patient left 2 days ago. Left 3 weeks later, left anterior descending", []),
        ("SLT, RT-PCR, RT 20 Gy, turned right 90 degrees", []),
        ("오른쪽 안구, 왼쪽 안구, 우측 각막, 좌측 각막", ["right", "left", "right", "left"]),
        ("충혈은 오른쪽이 심합니다. 왼쪽은 14, 오른쪽 30", ["right", "left", "right"]),
        ("오른쪽을 볼 때, 왼쪽으로, 오른쪽 어깨", []),
        ("양눈, 양 눈, 양쪽 각막", ["both", "both", "both"]),
    ],
)
def test_eyes_that_a_text_names(text: str, sides: list[str]) -> None:
    found = list(eyes(text))
    assert [eye.side for eye in found] == sides
    assert all(text[eye.passage.start : eye.passage.end] == eye.passage.text for eye in found)


SIDES = [
    ("안압은 우안 14 mmHg, 좌안 30 mmHg입니다.", "안압은 우안 30 mmHg, 좌안 14 mmHg입니다."),
    ("The pressure is 14 in the right eye and 30 in the left eye.", "Right eye 30, left eye 14."),
    (
        "우안은 인공수정체눈이고 좌안은 백내장이 있습니다.",
        "좌안은 인공수정체눈이고 우안은 백내장이 있습니다.",
    ),
    ("Right: 14 mmHg. Left: 30 mmHg.", "Right: 30 mmHg. Left: 14 mmHg."),
    ("Rt 14, Lt 30", "Rt 30, Lt 14"),
    ("오른쪽은 14, 왼쪽은 30입니다.", "오른쪽은 30, 왼쪽은 14입니다."),
]


@pytest.mark.parametrize(("reference", "answer"), SIDES)
def test_sides_that_change_places(reference: str, answer: str) -> None:
    assert [difference.kind for difference in critical_differences(reference, answer)] == ["eye"]


DENIED = [
    ("The disc is not swollen.", "The disc is swollen."),
    ("There is no afferent pupillary defect.", "There is an afferent pupillary defect."),
    ("The defect is absent.", "The defect is present."),
    ("It isn’t contagious.", "It is contagious."),
    ("Stop warfarin before surgery.", "Do not stop warfarin before surgery."),
    ("Vision is unaffected.", "Vision is affected."),
    ("The tumour is benign.", "The tumour is malignant."),
    ("Non-proliferative diabetic retinopathy is watched.", "Proliferative diabetic retinopathy is watched."),
    ("Yes, it is.", "No, it is."),
    ("The sign is not uncommon.", "The sign is uncommon."),
    ("감염이 아닙니다.", "감염입니다."),
    ("전염되지 않습니다.", "전염됩니다."),
    ("통증이 없습니다.", "통증이 있습니다."),
    ("수술이 필요 없습니다.", "수술이 필요합니다."),
    ("와파린은 중단하지 않습니다.", "와파린은 중단합니다."),
    ("비증식당뇨망막병증은 경과를 봅니다.", "증식당뇨망막병증은 경과를 봅니다."),
    ("네, 그렇습니다.", "아니요."),
    ("감염 아님.", "감염임."),
    ("통증이 없어 지켜봅니다.", "통증이 있어 지켜봅니다."),
    ("열공이 없으므로 지켜봅니다.", "열공이 있으므로 지켜봅니다."),
    ("염증이 없어야 수술합니다.", "염증이 있어야 수술합니다."),
    ("음주를 금합니다.", "음주를 권합니다."),
    ("음주를 금한다.", "음주를 권한다."),
    ("음주를 금해야 합니다.", "음주를 해야 합니다."),
    ("음주를 삼갑니다.", "음주를 합니다."),
    ("스테로이드를 피한다.", "스테로이드를 쓴다."),
    ("이 약은 적절치 않습니다.", "이 약은 적절합니다."),
    ("수술이 불가합니다.", "수술이 가능합니다."),
    ("안대를 대지 아니합니다.", "안대를 댑니다."),
    ("눈을 비비지 않도록 합니다.", "눈을 비비도록 합니다."),
    ("배양은 음성입니다.", "배양은 양성입니다."),
    ("이 소견은 흔치 않습니다.", "이 소견은 흔합니다."),
    ("She denies pain.", "She reports pain."),
    ("The smear is negative.", "The smear is positive."),
    ("None of the grafts failed.", "All of the grafts failed."),
    ("Vision is hardly affected.", "Vision is affected."),
    ("The disc is no longer swollen.", "The disc is swollen."),
    ("She is negative for HLA-B27 antigen.", "She is positive for HLA-B27 antigen."),
    ("No one needs surgery.", "Everyone needs surgery."),
    ("감염이 아니므로 항생제를 미룹니다.", "감염이므로 항생제를 미룹니다."),
    ("The lens is not clear.", "The lens is clear."),
    ("운전을 하지 않는다.", "운전을 한다."),
    ("Nothing was found in the fundus.", "Something was found in the fundus."),
]


@pytest.mark.parametrize(("reference", "answer"), DENIED)
def test_what_one_text_denies_and_the_other_affirms(reference: str, answer: str) -> None:
    assert {difference.kind for difference in critical_differences(reference, answer)} == {"negation"}


AGREED = [
    ("The disc is not swollen.", "There is no swelling of the disc."),
    ("Steroids are contraindicated.", "Steroids must be avoided."),
    ("Do not use or give steroids.", "Never give steroids."),
    ("Uveitis is not rare.", "Uveitis is common."),
    ("It is not necessary to operate.", "It is unnecessary to operate."),
    ("Not only the cornea but the lens is cloudy.", "The cornea is cloudy, and so is the lens."),
    ("Loss of vision without pain.", "Painless loss of vision."),
    ("수술은 필요하지 않습니다.", "수술이 불필요합니다."),
    ("눈을 비비지 마십시오.", "눈을 비비면 안 됩니다."),
    ("각막뿐만 아니라 수정체도 혼탁합니다.", "각막과 수정체가 모두 혼탁합니다."),
    ("드물지 않은 소견입니다.", "흔한 소견입니다."),
    ("상태와 상관없이 세척합니다.", "상태가 어떠하든 세척합니다."),
    ("열공은 없습니다.", "열공은 없어요."),
    ("음주를 금합니다.", "음주는 금지입니다."),
    ("음주를 피합니다.", "음주를 삼갑니다."),
    ("지금 수술합니다. 요금을 냅니다.", "지금 수술합니다. 요금을 내세요."),
    ("피하주사로 줍니다.", "피하에 주사합니다."),
    ("충혈은 사라집니다.", "충혈은 없어집니다."),
    ("시력저하는 불가피합니다.", "시력저하는 피할 수 없습니다."),
    ("수술이 불가합니다.", "수술이 불가능합니다."),
    ("안경 아니면 렌즈를 씁니다.", "안경이나 렌즈를 씁니다."),
    ("감염 아님.", "감염이 아닙니다."),
    ("양성 종양입니다.", "양성종양이다."),
    ("배양 검사는 음성입니다.", "배양 검사 결과는 음성이에요."),
    ("She denies pain, flashes or floaters.", "She has no pain, flashes or floaters."),
    ("The smear is not positive.", "The smear is negative."),
    ("인도시아닌그린 혈관조영을 합니다.", "인도시아닌그린 혈관조영이 필요합니다."),
    ("흔치 않은 소견입니다.", "드문 소견입니다."),
    ("영양성분을 봅니다.", "영양 성분을 봅니다."),
    ("주변부까지 말초 망막을 봅니다.", "말초 망막을 주변부까지 봅니다."),
    ("누르지 않도록 합니다.", "누르지 마십시오."),
    ("벌금지급을 합니다.", "벌금을 지급합니다."),
    ("The disc is no longer swollen.", "The disc is not swollen any more."),
    ("None of the grafts failed.", "No graft failed."),
]


@pytest.mark.parametrize(("reference", "answer"), AGREED)
def test_what_both_texts_deny_or_affirm_in_other_words(reference: str, answer: str) -> None:
    assert not critical_differences(reference, answer)


def test_what_is_forbidden_and_left_out_is_listed_and_what_is_only_told_is_not() -> None:
    (difference,) = critical_differences("Shield it. Do not press on it.", "Shield it.")
    assert ([part.text for part in difference.reference], difference.answer) == (["Do not press on it"], ())
    (difference,) = critical_differences("보호대를 댑니다.", "보호대를 댑니다. 누르지 마십시오.")
    assert (difference.reference, [part.text for part in difference.answer]) == ((), ["누르지 마십시오"])
    assert not critical_differences("Shield it. The lens is not touched.", "Shield it.")


def test_a_report_lists_counts_and_links_every_difference() -> None:
    pairs = [AnswerPair(pair.id, pair.reference, pair.answer) for pair in PAIRS]
    report = critical_report(pairs)
    assert report is not None
    affected = {difference.question_id for difference in report.differences}
    assert affected == {pair.id for pair in PAIRS if pair.differs}
    assert report.answers == len(PAIRS)
    assert report.affected == wilson(len(affected), len(PAIRS))
    assert list(report.counts) == ["figure", "eye", "negation", "drug"]
    assert sum(report.counts.values()) == len(report.differences)
    texts = {pair.id: pair for pair in PAIRS}
    for difference in report.differences:
        pair = texts[difference.question_id]
        assert difference.reference or difference.answer
        assert all(pair.reference[part.start : part.end] == part.text for part in difference.reference)
        assert all(pair.answer[part.start : part.end] == part.text for part in difference.answer)


def test_a_report_of_equal_answers_has_zeros_and_of_no_answers_is_none() -> None:
    report = critical_report([AnswerPair("q1", "Timolol 0.5 % OD.", "Timolol 0.5 % OD.")])
    assert report is not None
    assert (report.affected.value, report.counts, report.differences) == (
        0, {"figure": 0, "eye": 0, "negation": 0, "drug": 0}, [],
    )  # fmt: skip
    assert critical_report([]) is None


def test_a_drug_that_changed_is_one_difference_and_one_named_again_is_none() -> None:
    (difference,) = critical_differences("Use timolol. Timolol lowers it.", "Use betaxolol. It lowers it.")
    assert ([part.text for part in difference.reference], [part.text for part in difference.answer]) == (
        ["timolol"], ["betaxolol"],
    )  # fmt: skip
    assert not critical_differences("Use timolol.", "Use timolol: timolol lowers it.")
    assert counted((difference,)) == {"figure": 0, "eye": 0, "negation": 0, "drug": 1}


PIECES = [
    *(
        "5",
        "0",
        ",",
        ".",
        "/",
        "-",
        "~",
        "mg",
        "%",
        " ",
        "every ",
        "times ",
        "a day",
        "half ",
        "q",
        "h",
        "½",
        "⁶",
    ),
    *(
        "두 ",
        "회",
        "하루 ",
        "일",
        "마다",
        "분의",
        "안 ",
        "없이",
        "지 않",
        "우안",
        "not ",
        "no ",
        "OD",
        "OS ",
        "timolol",
    ),
    *("two ", "or ", "at least ", "이하", "\n", ";"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(TEXTS, TEXTS)
def test_no_text_is_too_odd(one: str, other: str) -> None:
    for difference in critical_differences(one, other):
        assert all(one[part.start : part.end] == part.text for part in difference.reference)
        assert all(other[part.start : part.end] == part.text for part in difference.answer)
    assert not [difference for difference in critical_differences(one, one) if difference.kind != "negation"]
