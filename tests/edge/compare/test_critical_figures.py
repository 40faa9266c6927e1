"""What counts as one figure in two answers, however each of them writes it, and what does not."""

import pytest

from ophtimus_edge.compare.critical.between import critical_differences


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
        ("120/80 mmHg", "120 / 80 mm Hg"), ("20/40 to 20/20", "6/12–6/6"), ("1/3", "a third"),
        ("3/4 tablet", "¾ tablet"),
        ("Two tablets Daily", "2 tablets daily"), ("BD", "twice daily"), ("HS", "at bedtime"),
        ("Q4H", "every 4 hours"),
        ("it under 2 years of age", "it in children younger than two years"), ("만 2세 미만", "24개월 미만"),
        ("it in type 2 diabetes", "it in type II diabetes"), ("it in type 2 diabetes", "it: 제2형 당뇨병"),
        ("0,005 %", "0.005 %"), ("1,000 mg", "1 g"), ("0.5, 1 and 2 %", "0.5 %, 1 % and 2 %"),
        ("21", "21 mmHg"), ("10 to 21", "10~21 mmHg"), ("-3.00", "-3.00 D"), ("VA 0.5", "VA 20/40"),
        ("C/D 0.5", "a cup-to-disc ratio of 0.5"),
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
        ("180/120 mmHg", "120/80 mmHg"), ("150/100", "120/80"), ("10/5 mg", "20/10 mg"), ("6/9", "6/18"),
        ("20/40", "C/D 0.5"), ("1/2 tablet", "1/4 tablet"), ("Two tablets", "Three tablets"), ("Hourly", "Daily"),
        ("Every hour", "Every day"), ("BD", "HS"), ("under 2 years of age", "under 12 years of age"),
        ("2세 미만", "12세 미만"), ("type 1", "type 2"), ("제1형", "제2형"), ("3.00", "-3.00 D"),
        ("younger than 2 years", "older than 2 years"),
        ("0,005 %", "5 %"), ("500 mg", "500"), ("0.5 %", "0.5"), ("0.1 mL", "0.1"),
    ],
)  # fmt: skip
def test_figures_that_do_not(one: str, other: str) -> None:
    (difference, *_) = critical_differences(f"Use {one}.", f"Use {other}.")
    assert difference.kind == "figure"
    assert [passage.text for passage in difference.reference] == [one]


def test_a_number_of_ten_thousand_digits_is_compared_as_it_is_written() -> None:
    long = "7" * 10_000
    assert not critical_differences(f"{long} mg", f"{long} mg")
    assert critical_differences(f"{long} mg", f"{long}7 mg")
