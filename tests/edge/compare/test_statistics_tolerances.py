"""What may be claimed of a level, and how many more questions or windows it takes."""

import math

import numpy as np
import pytest

from ophtimus_edge.compare.statistics.paired import score_interval
from ophtimus_edge.compare.statistics.tolerances import (
    FEWEST_WINDOWS,
    AccuracyStatement,
    accuracy_within,
    divergence_within,
    questions_needed,
)
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic


def stated(won: int, lost: int, questions: int, tolerance: float = 0.02) -> AccuracyStatement:
    return accuracy_within(score_interval(won, lost, questions), won + lost, questions, tolerance)


def test_a_level_is_within_only_where_the_whole_interval_is() -> None:
    within = stated(won=100, lost=105, questions=2152)
    assert within.measured.low > -0.02
    assert (within.finding, within.more_questions) == ("within", 0)
    # The same shares of fewer questions: the difference looks as good, and shows nothing.
    few = stated(won=20, lost=21, questions=430)
    assert few.measured.value == pytest.approx(within.measured.value, abs=1e-3)
    assert few.finding == "open"
    assert few.more_questions
    assert 800 < few.more_questions < 2000


def test_a_level_is_beyond_where_the_whole_interval_is() -> None:
    beyond = stated(won=20, lost=150, questions=1000)
    assert beyond.measured.high < -0.02
    assert (beyond.finding, beyond.more_questions) == ("beyond", None)
    unclear = stated(won=1, lost=6, questions=100)  # 5 points worse, but it could be none
    assert (unclear.finding, unclear.more_questions) == ("open", None)


def test_about_1500_questions_show_two_points_where_a_tenth_of_the_answers_turns() -> None:
    assert questions_needed(0.1) == 1544
    # Whoever wants a chance of 80 % asks for more, and a level that is worse by a point for four times as many.
    assert questions_needed(0.1, chance=0.8) == 1963
    needed = questions_needed(0.1, difference=-0.01)
    assert needed
    assert 4 * 1544 - 10 <= needed <= 4 * 1544
    assert questions_needed(0.1, difference=0.01) == 1544, "an advantage is not counted on"
    assert questions_needed(0.1, difference=-0.02) is None


def test_so_many_questions_show_it_as_often_as_they_say() -> None:
    questions = questions_needed(0.1)
    assert questions
    generator = np.random.default_rng(7)
    drawn = generator.multinomial(questions, [0.05, 0.05, 0.9], size=600)
    shown = [stated(int(won), int(lost), questions).finding == "within" for won, lost, _ in drawn]
    assert np.mean(shown) == pytest.approx(0.7, abs=0.06)


def test_where_nothing_turns_the_fewest_questions_are_those_of_the_interval() -> None:
    needed = questions_needed(0.0)
    assert needed == 189
    assert stated(0, 0, needed).finding == "within"
    assert stated(0, 0, needed - 1).finding == "open"


@pytest.mark.parametrize(
    ("won", "lost", "questions"), [(0, 5, 5), (0, 1, 1), (1, 0, 1), (0, 0, 1), (5, 0, 5)]
)
def test_a_handful_of_questions_ends_in_a_finding(won: int, lost: int, questions: int) -> None:
    found = stated(won, lost, questions)
    assert found.finding in {"within", "open", "beyond"}
    if won - lost < 0:
        assert found.more_questions is None


def test_a_divergence_is_within_only_where_the_whole_interval_is() -> None:
    assert divergence_within(Statistic(0.031, 0.029, 0.034), 64).finding == "within"
    open_one = divergence_within(Statistic(0.045, 0.038, 0.053), 64)
    assert open_one.finding == "open"
    # 1.27 times as far for the chance, 1.6 times as narrow for the tolerance: about 4.1 times the windows.
    assert open_one.more_windows == math.ceil(64 * ((1.959964 + 0.524401) / 1.959964 * 8 / 5) ** 2) - 64
    assert divergence_within(Statistic(0.06, 0.045, 0.07), 64).more_windows is None
    beyond = divergence_within(Statistic(0.445, 0.44, 0.451), 64)
    assert (beyond.finding, beyond.more_windows) == ("beyond", None)


def test_a_few_windows_show_nothing() -> None:
    narrow = Statistic(0.03, 0.029, 0.031)
    few = divergence_within(narrow, FEWEST_WINDOWS - 1)
    assert (few.finding, few.more_windows) == ("open", 1)
    assert divergence_within(narrow, FEWEST_WINDOWS).finding == "within"
    assert divergence_within(Statistic(0.4, 0.39, 0.41), 4).finding == "open"


@pytest.mark.parametrize("tolerance", [0.0, -0.02, 1.0, 2.0, math.nan])
def test_a_tolerance_for_accuracy_is_a_share(tolerance: float) -> None:
    with pytest.raises(StatisticsError, match="tolerance"):
        stated(1, 1, 100, tolerance)
    assert stated(1, 1, 100, 0.2).finding == "within"


def test_what_is_no_number_is_refused() -> None:
    bad = Statistic(math.nan, 0.0, 0.1)
    with pytest.raises(StatisticsError, match="no finite number"):
        accuracy_within(bad, 1, 10)
    with pytest.raises(StatisticsError, match="no finite number"):
        divergence_within(bad, 64)
    with pytest.raises(StatisticsError, match="do not fit"):
        accuracy_within(Statistic(0, 0, 0), 11, 10)
    with pytest.raises(StatisticsError, match="No window"):
        divergence_within(Statistic(0, 0, 0), 0)
    for tolerance in (0.0, math.inf, math.nan):
        with pytest.raises(StatisticsError, match="tolerance"):
            divergence_within(Statistic(0, 0, 0), 64, tolerance)
    for arguments in (
        {"flip_rate": 1.2},
        {"flip_rate": 0.1, "difference": 0.2},
        {"flip_rate": 0.1, "chance": 1.0},
    ):
        with pytest.raises(StatisticsError):
            questions_needed(**arguments)
