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
    # When it first ran on them, 3 of these 27 differences were missed and 4 were made up; then it was mended on
    # them. That all are right now says less than the pairs of the next test.
    assert len(PAIRS) == 41
    assert sum(len(pair.differs) for pair in PAIRS) == 27
    assert {kind for pair in PAIRS for kind in pair.differs} == {"figure", "eye", "negation", "drug"}
    missed, false = errors(PAIRS)
    assert (len(missed), len(false)) == (0, 0), (missed, false)


def test_pairs_that_it_was_not_made_with() -> None:
    # The first 24 pairs: 13 of 14 differences are found, and of 11 answers that say the same in quite other words,
    # 5 are listed for a person all the same. Of the 60 pairs of an audit, 37 of 38 differences are missed and 14 made
    # up. Of 28 further pairs, written before any of this was mended, 9 of 17 are missed and 5 made up. Better is
    # welcome: then the counts here go down.
    assert sum(len(pair.differs) for pair in UNSEEN) == 69
    assert sum(not pair.differs for pair in UNSEEN) == 45
    missed, false = errors(UNSEEN)
    assert (len(missed), len(false)) == (47, 24), (missed, false)


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
    ("one", "other"),
    [
        ("b.i.d.", "twice a day"), ("tid", "1일 3회"), ("qid", "하루 네 번"), ("every 12 hours", "twice daily"),
        ("q4h", "4시간마다"), ("hourly", "매시간"), ("every other day", "격일"), ("at bedtime", "취침 전"),
        ("once a week", "일주일에 한 번"), ("every 2 weeks", "2주에 1회"), ("2회", "하루 2회"),
        ("0.5 mg", "500 µg"), ("500㎍", "0.5 mg"), ("1 g", "1,000 mg"), ("0.50 %", "0.5%"), (".5 %", "0.5 퍼센트"),
        ("5 mg/mL", "0.5 %"), ("1 mg/0.1 mL", "1 mg in 0.1 mL"), ("10,000 IU", "1만 단위"),
        ("500 mg a day", "500 mg daily"),
        ("one tablet every day", "1 tablet OD"), ("5 mg/kg/day", "5 mg/kg daily"), ("10 to 21 mmHg", "10~21 mm Hg"),
        ("15분에서 30분", "15-30 minutes"),
        ("two drops", "두 방울"), ("one and a half tablets", "1.5 tablets"), ("½ tablet", "1/2 tablet"),
        ("four weeks", "28일"), ("1 year", "12개월"), ("half an hour", "30분"), ("20/40", "6/12"), ("20/200", "0.1"),
        ("a third", "3분의 1"), ("−3.00 D", "-3 dioptres"), ("at least 21 mmHg", "21 mmHg 이상"),
    ],
)  # fmt: skip
def test_figures_that_mean_the_same(one: str, other: str) -> None:
    assert not critical_differences(f"Use {one}.", f"Use {other}.")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.5 %", "5 %"), ("0.5 mg", "0.5 µg"), ("5 mg", "5 mL"), ("25 G", "25 g"), ("1 g", "1 mg"),
        ("twice a day", "twice a week"), ("하루 2회", "하루 3회"), ("every 2 hours", "every 2 weeks"),
        ("hourly", "daily"), ("at bedtime", "in the morning"), ("-3.00 D", "+3.00 D"), ("20/20", "20/200"),
        ("10 to 21 mmHg", "10 to 24 mmHg"), ("4 weeks", "4 months"), ("1개월", "1주"), ("두 방울", "세 방울"),
        ("at least 21 mmHg", "at most 21 mmHg"), ("21 mmHg 이하", "21 mmHg 이상"), ("250 mg", "25 mg"),
        ("2회", "하루 3회"), ("1:10,000", "1:100,000"), ("10⁶ cells/mL", "10⁵ cells/mL"),
    ],
)  # fmt: skip
def test_figures_that_do_not(one: str, other: str) -> None:
    (difference, *_) = critical_differences(f"Use {one}.", f"Use {other}.")
    assert difference.kind == "figure"
    assert [passage.text for passage in difference.reference] == [one]


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


def test_a_number_of_ten_thousand_digits_is_compared_as_it_is_written() -> None:
    long = "7" * 10_000
    assert not critical_differences(f"{long} mg", f"{long} mg")
    assert critical_differences(f"{long} mg", f"{long}7 mg")
