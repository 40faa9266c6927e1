"""Two levels on the same questions: McNemar's exact test and Tango's interval."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from ophtimus_edge.compare.statistics.paired import (
    Pairs,
    compare_accuracy,
    flips,
    pairs_of,
    score_interval,
)
from ophtimus_edge.errors import StatisticsError


@pytest.mark.parametrize(
    ("won", "lost", "questions", "confidence", "low", "high", "decimals"),
    [
        # T. Tango, Statistics in Medicine 17 (1998), 891-908: two ways to disinfect contact lenses.
        (0, 1, 44, 0.90, -0.096, 0.037, 3),
        # M. W. Fagerland, S. Lydersen, P. Laake, Statistics in Medicine 33 (2014), 2850-2875: airways.
        (1, 7, 21, 0.95, -0.517, -0.026, 3),
        # The R package PropCIs, scoreci.mp(25, 28, 618).
        (28, 25, 618, 0.90, -0.0148, 0.0247, 4),
    ],
)
def test_the_interval_is_the_published_one(
    won: int, lost: int, questions: int, confidence: float, low: float, high: float, decimals: int
) -> None:
    measured = score_interval(won, lost, questions, confidence)
    assert (round(measured.low, decimals), round(measured.high, decimals)) == (low, high)


def likeliest_lost(won: int, lost: int, questions: int, difference: float) -> float:
    """The share of lost questions that a search finds likeliest, where the true difference is given."""
    least, most = max(0.0, -difference), (1 - difference) / 2

    def unlikely(share: float) -> float:
        shares = (
            (won, share + difference),
            (lost, share),
            (questions - won - lost, 1 - 2 * share - difference),
        )
        if any(count and one <= 0 for count, one in shares):
            return math.inf
        return -sum(count * math.log(one) for count, one in shares if count)

    found = optimize.minimize_scalar(
        unlikely, bounds=(least, most), method="bounded", options={"xatol": 1e-13}
    )
    return float(found.x)


@given(
    st.integers(2, 400).flatmap(
        lambda n: st.tuples(st.integers(0, n // 2), st.integers(0, n // 2), st.just(n))
    )
)
def test_the_score_at_both_ends_is_the_critical_value(table: tuple[int, int, int]) -> None:
    won, lost, questions = table
    measured = score_interval(won, lost, questions)
    assert -1 <= measured.low <= measured.value <= measured.high <= 1
    for end, sign in ((measured.low, 1), (measured.high, -1)):
        if abs(end) == 1:
            continue
        share = likeliest_lost(won, lost, questions, end)
        variance = questions * (2 * share + end * (1 - end))
        score = (won - lost - questions * end) / math.sqrt(variance)
        assert score == pytest.approx(sign * 1.959964, abs=2e-3)


def test_where_no_question_turned_the_interval_is_that_of_a_share() -> None:
    z = stats.norm.ppf(0.975)
    measured = score_interval(0, 0, 200)
    assert (measured.value, measured.low, measured.high) == pytest.approx(
        (0, -(z**2) / (200 + z**2), z**2 / (200 + z**2))
    )


def test_gains_and_losses_mirror_each_other() -> None:
    one, other = score_interval(30, 12, 500), score_interval(12, 30, 500)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert score_interval(0, 5, 5).low == -1
    assert score_interval(5, 0, 5).high == 1


def test_the_interval_covers_as_often_as_it_says() -> None:
    # Exact: all tables of 60 questions of which 6 % turn each way.
    questions, lost_share, won_share = 60, 0.08, 0.04
    covered = 0.0
    for lost in range(questions + 1):
        for won in range(questions + 1 - lost):
            probability = stats.multinomial.pmf(
                [lost, won, questions - lost - won],
                questions,
                [lost_share, won_share, 1 - lost_share - won_share],
            )
            if probability > 1e-7:
                measured = score_interval(won, lost, questions)
                covered += probability * (measured.low <= won_share - lost_share <= measured.high)
    assert 0.94 <= covered <= 0.97


def test_pairs_are_counted_and_compared_by_mcnemars_exact_test() -> None:
    reference = [True] * 70 + [True] * 12 + [False] * 5 + [False] * 13
    level = [True] * 70 + [False] * 12 + [True] * 5 + [False] * 13
    pairs = pairs_of(reference, level)
    assert pairs == Pairs(70, 12, 5, 13)
    assert pairs.flip_rate == pytest.approx(0.17)
    compared = compare_accuracy(pairs)
    assert compared.difference.value == pytest.approx(-0.07)
    assert compared.p_value == pytest.approx(stats.binomtest(5, 17).pvalue)
    assert compared.difference == score_interval(5, 12, 100)


def test_flips_name_the_questions() -> None:
    found = flips([True, True, False, False], [True, False, True, False])
    assert (found.lost, found.won) == ([1], [2])


def test_lists_of_different_questions_are_refused() -> None:
    with pytest.raises(StatisticsError, match="2 questions and the level 1"):
        flips([True, False], [True])
    with pytest.raises(StatisticsError, match="no question"):
        pairs_of([], [])
    with pytest.raises(StatisticsError, match="below zero"):
        Pairs(3, -1, 0, 0)
    assert pairs_of([True], [True]).questions == 1


@pytest.mark.parametrize(("won", "lost", "questions"), [(0, 0, 0), (3, 3, 5), (-1, 0, 5)])
def test_counts_that_do_not_fit_are_refused(won: int, lost: int, questions: int) -> None:
    with pytest.raises(StatisticsError, match="do not fit"):
        score_interval(won, lost, questions)
    assert score_interval(3, 2, 5).value == pytest.approx(0.2)
