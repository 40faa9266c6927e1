"""What a person's time buys: how it is written, in which order things are cut, and that more never buys less."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ophtimus_edge.compare.running.budget import LEAST, Counts, choose_counts, least, parse_budget
from ophtimus_edge.compare.statistics.tolerances import FEWEST_WINDOWS, divergence_within
from ophtimus_edge.errors import UsageError
from ophtimus_edge.models.formats import Statistic

ASKED = Counts(rounds=5, windows=580, choices=2153, permutations=4, essays=1389)


def cost(counts: Counts) -> float:
    """Seconds on a slow machine; answers are dear, and every part loads its models."""
    seconds = 100 * counts.rounds
    if counts.windows:
        seconds += 60 + 20 * counts.windows
    if counts.choices:
        seconds += 30 + counts.choices * (30 + 10 * counts.permutations)
    if counts.essays:
        seconds += 30 + 120 * counts.essays
    return seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("1h 30min", 5400), ("45min", 2700), ("1.5h", 5400),
        ("90s", 90), (" 2 H ", 7200), ("2 hours", 7200), ("1 hour 5 minutes 3 seconds", 3903), ("0h10m", 600),
    ],
)  # fmt: skip
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "h", "m30", "30m2h", "2h2h", "0h", "0m", "-2h", "+2h", "1e3m", "2 d", "inf", "nan h",
             "٢h", "2h\n1", "9999999h"]
)  # fmt: skip
def test_what_is_no_time_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_budget(text)
    assert "1h30m" in caught.value.hint


@pytest.mark.parametrize("text", ["90", "2", "1.5"])
def test_a_number_alone_could_be_minutes_or_hours(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_budget(text)
    assert "no unit" in caught.value.message
    assert f"{text}m" in caught.value.hint
    assert f"{text}h" in caught.value.hint


def test_all_that_fits_is_left_as_it_was_asked() -> None:
    assert choose_counts(ASKED, cost(ASKED), cost) == ASKED
    assert choose_counts(ASKED, cost(ASKED) - 1, cost) != ASKED
    few = Counts(rounds=2, windows=3, choices=1, permutations=1, essays=1)
    assert choose_counts(few, cost(few), cost) == few


def test_nothing_is_bought_by_less_than_the_least() -> None:
    (cheapest, seconds), *_ = least(ASKED, cost)
    assert (cheapest, seconds) == ("rounds", 200)
    assert choose_counts(ASKED, 199, cost) == Counts()
    assert choose_counts(ASKED, 200, cost) == Counts(rounds=2)


def test_the_least_of_windows_is_enough_for_a_verdict() -> None:
    windows = Counts(windows=100)
    bought = choose_counts(windows, cost(Counts(windows=FEWEST_WINDOWS)), cost).windows
    assert divergence_within(Statistic(0.01, 0.009, 0.011), bought, 0.05).finding == "within"
    assert choose_counts(windows, cost(Counts(windows=FEWEST_WINDOWS)) - 1, cost).windows == 0


def test_every_part_gets_its_least_before_any_gets_more() -> None:
    every = sum(seconds for _, seconds in least(ASKED, cost))
    assert choose_counts(ASKED, every, cost) == LEAST
    # 40 questions at 40 s cost more than 10 answers at 120 s: the choices are the first to go.
    assert choose_counts(ASKED, every - 1, cost) == msgspec.structs.replace(LEAST, choices=0, permutations=0)


def test_the_order_in_which_things_are_cut() -> None:
    """From the top of the ladder down: essays, rounds, orders of the options, windows, questions."""
    whole = cost(ASKED)
    essays = msgspec.structs.replace(ASKED, essays=LEAST.essays)
    assert choose_counts(ASKED, whole - 120, cost) == msgspec.structs.replace(ASKED, essays=1388)
    assert choose_counts(ASKED, cost(essays), cost) == essays
    rounds = msgspec.structs.replace(essays, rounds=3)
    assert choose_counts(ASKED, cost(rounds), cost) == rounds
    orders = msgspec.structs.replace(rounds, permutations=1)
    assert choose_counts(ASKED, cost(orders), cost) == orders
    windows = msgspec.structs.replace(orders, windows=64)
    assert choose_counts(ASKED, cost(windows), cost) == windows
    assert choose_counts(ASKED, cost(windows) - 1, cost) == msgspec.structs.replace(windows, choices=2152)


counts = some.builds(
    Counts,
    rounds=some.sampled_from([0, 2, 5]),
    windows=some.sampled_from([0, 1, 20, 600]),
    choices=some.sampled_from([0, 1, 50, 2000]),
    permutations=some.integers(1, 4),
    essays=some.sampled_from([0, 1, 30, 1400]),
)


@given(asked=counts, first=some.floats(0, 300_000), more=some.floats(0, 100_000))
def test_a_larger_budget_never_buys_less_and_none_is_exceeded(
    asked: Counts, first: float, more: float
) -> None:
    less, greater = (choose_counts(asked, budget, cost) for budget in (first, first + more))
    assert cost(less) <= first
    for field in ("rounds", "windows", "choices", "permutations", "essays"):
        assert getattr(less, field) <= getattr(greater, field) <= getattr(asked, field)
