import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ophtimus_edge.safety.figures import figures, placed_figures

CASES = [
    ("timolol 0.5 % twice a day", ["0.5 %", "twice a day"]),
    ("acetazolamide 250 mg by mouth", ["250 mg"]),
    ("2*3*4 mg", ["2*3*4 mg"]),
    ("above 20 mmHg", ["20 mmHg"]),
    ("above 20 mm Hg", ["20 mm Hg"]),
    ("4주 동안 1일 2회", ["4주", "1일 2회"]),
    ("하루 4번 점안", ["하루 4번"]),
    ("하루에 두 번 두 방울씩", ["하루에 두 번", "두 방울"]),
    ("every 4 hours", ["every 4 hours"]),
    ("every other day", ["every other day"]),
    ("a 5~6 mm pupil", ["5~6 mm"]),
    ("a 5-6 mm pupil", ["5-6 mm"]),
    ("a lens of -3.00 D", ["-3.00 D"]),
    ("a lens of −3.00 D", ["−3.00 D"]),
    ("acuity 20/200", ["20/200"]),
    ("half: 1/2", ["1/2"]),
    ("10,000 IU", ["10,000 IU"]),
    ("q4h, then b.i.d.", ["q4h", "b.i.d."]),
    ("bid, tid, qid, prn", ["bid", "tid", "qid", "prn"]),
    ("q 2-4 h", ["q 2-4 h"]),
    ("500mg/m² weekly", ["500mg/m²", "weekly"]),
    ("Instil two drops.", ["two drops"]),
    ("5-10 mg/kg/day in 4 divided doses", ["5-10 mg/kg/day", "4"]),
    ("2 mg per kg per day", ["2 mg per kg per day"]),
    ("vancomycin 1 mg/0.1 mL and ceftazidime 2.25 mg", ["1 mg/0.1 mL", "2.25 mg"]),
    ("1 to 2 drops four times daily", ["1 to 2 drops", "four times daily"]),
    ("fifteen to thirty minutes", ["fifteen to thirty minutes"]),
    ("one and a half tablets", ["one and a half tablets"]),
    ("half a tablet at bedtime", ["half a tablet", "at bedtime"]),
    ("½ tablet", ["½ tablet"]),
    (".5 mg", [".5 mg"]),
    ("**5 mg** and **0.5** %", ["5 mg", "0.5"]),
    ("pressure ≥ 21 mmHg", ["≥ 21 mmHg"]),
    ("1:100,000 epinephrine", ["1:100,000"]),
    ("10⁶ cells/mL", ["10⁶ cells/mL"]),
    ("4x daily, 3 times a week", ["4x daily", "3 times a week"]),
    ("once a day, once daily", ["once a day", "once daily"]),
    ("hourly at first", ["hourly"]),
    ("500 MG, 5 ML, 20 MMHG", ["500 MG", "5 ML", "20 MMHG"]),
    ("acetazolamide 500, then 250", ["500", "250"]),
    ("an unknown 12 zorks", ["12"]),
    ("-1.25 -0.75 x 180", ["-1.25 -0.75 x 180"]),
    ("OD-3.00D 도수+2.50D", ["-3.00D", "+2.50D"]),
    ("37.5°C and 90 degrees", ["37.5°C", "90 degrees"]),
    ("five hundred milligrams", ["five hundred milligrams"]),
    ("아세타졸아미드 500 mg을 6시간마다", ["500 mg", "6시간마다"]),
    ("안압21mmHg로", ["21mmHg"]),
    ("IOP21mmHg", ["21mmHg"]),
    ("0.1%씩 4회", ["0.1%", "4회"]),
    ("15~30분 세척", ["15~30분"]),
    ("15분에서 30분", ["15분", "30분"]),
    ("환자의 3분의 1", ["3분의 1"]),
    ("일주일에 한 번", ["일주일에 한 번"]),
    ("격일로, 취침 전", ["격일", "취침 전"]),
    ("한 시간마다 점안", ["한 시간마다"]),
    ("두 시간 간격으로", ["두 시간 간격"]),
    ("오백 밀리그램", ["오백 밀리그램"]),
    ("2알씩, 3정씩", ["2알", "3정"]),
    ("5㎎ 또는 10㎎", ["5㎎", "10㎎"]),
    ("50만 단위", ["50만 단위"]),
    ("프레드니솔론 1 mg/kg/일", ["1 mg/kg/일"]),
    ("축 90도, 5디옵터", ["90도", "5디옵터"]),
    ("0.05% 사이클로스포린 하루 2회", ["0.05%", "하루 2회"]),
    ("5 mg, later 5 mg again and 10 mg", ["5 mg", "10 mg"]),
    ("1. Use 5 mg.\n2) Then 10 mg.", ["5 mg", "10 mg"]),
    ("1. 5 mg\n2. 10 mg", ["5 mg", "10 mg"]),
    ("(5) mg and [10] mg", ["5", "10"]),
    ("aged 50 mg", ["50 mg"]),
    ("60mg/day x3", ["60mg/day", "3"]),
    ("1.5 mg\n2.5 mg", ["1.5 mg", "2.5 mg"]),
    ("Two tablets daily.", ["Two tablets", "daily"]),
    ("Hourly at first. Daily later.", ["Hourly", "Daily"]),
    ("Every hour, then Every 2 Days", ["Every hour", "Every 2 Days"]),
    ("Timolol BD. Latanoprost HS.", ["BD", "HS"]),
    ("timolol (BD), B.I.D., Q4H, Prn", ["BD", "B.I.D.", "Q4H", "Prn"]),
    (
        "At bedtime: Half a tablet. Twice a Week: Ten drops.",
        ["At bedtime", "Half a tablet", "Twice a Week", "Ten drops"],
    ),
]

LEFT_OUT = [
    "1. Rinse the eye.\n2. Refer.",
    "(1) rinse (2) refer",
    "as shown [3]",
    "In 2019 it was published.",
    "2019년에 발표",
    "2026-11-22",
    "a 45-year-old man",
    "people aged 50",
    "67세 환자",
    "HLA-B27 and SF6",
    "COVID-19",
    "type 2 diabetes",
    "제3뇌신경",
    "once the pressure falls",
    "daily life",
    "Daily life goes on. Once it is calm, stop.",
    "OD and O.D. are the right eye, OS and O.S. the left one",
    "Behçet disease (BD): in BD patients",
    "다시 한번 확인",
    "세정제로 닦고 주의한다",
    "No figures at all.",
    "",
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_the_figures_of_an_answer_are_listed_as_they_stand(text: str, expected: list[str]) -> None:
    assert figures(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2세 미만", ["2세"]),
        ("생후 6개월, 만 12살", ["6개월", "12살"]),
        ("a 2-year-old girl, 3 years old", ["2-year-old", "3 years old"]),
        ("aged 50, from the age of 12 years of age", ["50", "12 years of age"]),
        ("aged 50 mg, type 2 diabetes, 제3뇌신경", ["50 mg"]),
    ],
)
def test_ages_are_listed_where_they_are_asked_for(text: str, expected: list[str]) -> None:
    assert [figure for _, figure in placed_figures(text, ages=True)] == expected
    assert not {"2세", "12살", "2-year-old", "50"} & set(figures(text))


@pytest.mark.parametrize("text", LEFT_OUT)
def test_what_is_no_figure_is_left_out(text: str) -> None:
    assert figures(text) == []


UNITS = [
    "mg",
    "mcg",
    "µg",
    "g",
    "mL",
    "mmHg",
    "mm",
    "D",
    "%",
    "IU",
    "hours",
    "drops",
    "일",
    "방울",
    "회",
    "분",
    "mg/kg/day",
    "주",
]
NUMBERS = st.one_of(
    st.integers(1, 5000).map(str),
    st.decimals(0, 999, places=2).map(str),
    st.sampled_from(["10,000", "1/2", "5~6", "5-6", "2*3*4", "½", "-3.00", "+2.50", "2019", "1990"]),
)
BEFORE = st.sampled_from(
    ["", "Give ", "투여: ", "IOP ", "(", "안약", "1. ", "- ", "**", "in ", "of ", "= ", "\n", "≥"]
)
AFTER = st.sampled_from(["", ".", ",", ")", "**", "을", " for a week", "\n", " twice"])


@given(BEFORE, NUMBERS, st.sampled_from(["", " "]), st.sampled_from(UNITS), AFTER)
def test_a_number_with_a_unit_is_never_missed(
    before: str, number: str, gap: str, unit: str, after: str
) -> None:
    found = figures(f"{before}{number}{gap}{unit}{after}")
    assert any(f"{number}{gap}{unit}" in figure for figure in found)


PIECES = st.sampled_from(
    [*[text for text, _ in CASES], *LEFT_OUT, " ", "\n", "1", "-", ".", "mg", "하루", "가", "x"]
)


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=8).map("".join)))
def test_each_figure_stands_in_the_text_once_and_in_its_order(text: str) -> None:
    found = figures(text)
    assert len(set(found)) == len(found)
    place = 0
    for figure in found:
        assert figure == figure.strip() != ""
        place = text.index(figure, place) + len(figure)


HOSTILE = [
    "1",
    "1-",
    "1.",
    "1,",
    "1/1 ",
    "1 to ",
    "one ",
    "a half ",
    "-",
    "하루 ",
    "하루1",
    "every 1 ",
    "1십",
    "한 ",
    "q",
    " ",
    "½",
    "mg/",
    "일",
    "\n",
    "<",
]


def test_hostile_texts_of_200_000_characters_end() -> None:
    # A search that doubles or squares with the length would take hours; this takes seconds.
    script = (
        "from ophtimus_edge.safety.figures import figures\n"
        f"for piece in {HOSTILE!r}:\n"
        "    figures((piece * 200_000)[:200_000])\n"
        "print('ended')"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert result.stdout.strip() == "ended", result.stderr
