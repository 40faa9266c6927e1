"""Repeated timings: their median, how far they spread, and their ratio to the reference's."""

import math
from collections.abc import Sequence
from statistics import median

from ophtimus_edge.compare.statistics.intervals import CONFIDENCE, critical_value
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic

FEWEST = 2  # one measurement has no spread


def repeated(samples: Sequence[float], confidence: float = CONFIDENCE) -> Statistic:
    """The median of repeated measurements with the interval that their order gives.

    The narrowest pair of ordered values, as far from either end, that holds the true median with the wanted
    confidence whatever the distribution: leaving k values out at each end misses it with twice the binomial
    (n, 1/2) probability of at most k (W. R. Thompson, Annals of Mathematical Statistics 7 (1936), 122-128;
    W. J. Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2). Fewer than six values do not
    reach 95 %: then the interval is their whole range, which holds the median with 1 - 2 ** (1 - n); for five
    values that is 93.75 %.

    Args:
        samples: measurements in one unit, at least two.

    Raises:
        StatisticsError: there are fewer than two, or one is no finite number.
    """
    critical_value(confidence)
    _check(samples)
    ordered = sorted(samples)
    total = len(ordered)
    missed = (1 - confidence) / 2
    # Whole numbers until the division: of many samples, powers of two are no floats any more.
    place, tail = 0, 1 + total
    while tail / (1 << total) <= missed:
        place += 1
        tail += math.comb(total, place + 1)
    return Statistic(median(ordered), ordered[place], ordered[total - 1 - place])


def ratio_to_reference(
    level: Sequence[float], reference: Sequence[float], confidence: float = CONFIDENCE
) -> Statistic:
    """The median ratio of a level's measurements to the reference's, round by round.

    Levels are measured in alternation (A B A B): what slows the machine down for a while slows a whole round,
    and the ratio within a round stays.

    Args:
        level, reference: one measurement a round, in the order they were made.

    Raises:
        StatisticsError: the numbers of rounds differ, there are fewer than two, or a measurement is not
            above zero.
    """
    if len(level) != len(reference):
        raise StatisticsError(
            f"The level was measured {len(level)} times and the reference {len(reference)} times.",
            "Measure them in alternation, each once a round.",
        )
    if not all(value > 0 for value in (*level, *reference)):
        raise StatisticsError(
            "A measured time or speed is not above zero.", "Measure again; the clock may have been set."
        )
    return repeated([ours / theirs for ours, theirs in zip(level, reference, strict=True)], confidence)


def _check(samples: Sequence[float]) -> None:
    if len(samples) < FEWEST:
        raise StatisticsError(
            f"{len(samples)} of at least {FEWEST} measurements were made; the spread is not known.",
            "Measure it more often.",
        )
    if not all(map(math.isfinite, samples)):
        raise StatisticsError("A measurement is no finite number.", "Measure again.")
