"""Figures in sentences: rounded so that rounding never makes a claim true."""

import pytest

from ophtimus_edge.compare import phrases
from ophtimus_edge.models.formats import Statistic


def test_ends_are_rounded_outwards() -> None:
    assert phrases.interval(Statistic(0.05, 0.0499, 0.0501), 3) == "0.050 [0.049, 0.051]"
    assert phrases.interval(Statistic(-0.2, -0.25, 0.0), 1) == "−0.2 [−0.3, 0.0]"
    # 100 × 0.02 is a little more than 2 as a float, and no reason to say 2.1.
    assert phrases.up(100 * 0.02 + 4e-16, 1) == "2.0"
    assert phrases.up(2.0001, 1) == "2.1"
    assert phrases.down(-0.01, 1) == "−0.1"
    assert phrases.up(-0.01, 1) == "0.0"


def test_small_divergences_keep_two_digits() -> None:
    assert phrases.nats(Statistic(0.0014, 0.00121, 0.00159)) == "0.0014 [0.0012, 0.0016]"
    assert phrases.nats(Statistic(0.445, 0.44, 0.451)) == "0.445 [0.440, 0.451]"
    assert phrases.nats(Statistic(0.0, 0.0, 0.0)) == "0.000 [0.000, 0.000]"


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "about 1"), (42, "about 42"), (101, "about 110"), (1543, "about 1,600"), (120000, "about 120,000")],
)
def test_what_more_it_takes_is_rounded_up(count: int, text: str) -> None:
    assert phrases.about(count) == text


def test_sizes_and_lists() -> None:
    sizes = (11_000_000, 800_000_000, 4_917_000_000)
    assert [phrases.size(one) for one in sizes] == ["10.5 MiB", "763 MiB", "4.58 GiB"]
    assert [phrases.listed(list(one)) for one in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert phrases.counted(1, "answer", "answers") == "1 answer"
    assert phrases.counted(1200, "answer", "answers") == "1,200 answers"
    assert phrases.rate(Statistic(5.6, 5.44, 5.81)) == "5.6 [5.4, 5.9]"
