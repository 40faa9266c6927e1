"""Counts and their intervals: shares of questions, and preferences between two answers."""

import math
import operator
from collections.abc import Callable
from statistics import NormalDist

import msgspec

from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic

CONFIDENCE = 0.95  # of every interval that names no other
_HALVINGS = 100  # of an interval of length 1: more than a float can tell apart


class Preference(msgspec.Struct, frozen=True):
    """How often people liked one level's answer better than another's.

    Attributes:
        share: of the votes that chose a side, those for the level.
        votes: that chose a side; ties say nothing about which side is better.
        p_value: of the exact two-sided sign test.
    """

    share: Statistic
    votes: int
    p_value: float


def critical_value(confidence: float) -> float:
    """How many standard deviations a two-sided normal interval reaches to each side.

    Raises:
        StatisticsError: the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise StatisticsError(
            f"An interval cannot have a confidence of {confidence}.",
            "Give a share between 0 and 1, such as 0.95.",
        )
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Statistic:
    """A share with Wilson's score interval.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927),
    209-212; in the form of R. G. Newcombe, Two-sided confidence intervals for the single proportion,
    Statistics in Medicine 17 (1998), 857-872, method 3.

    Args:
        successes: for example questions that were answered right.
        trials: for example all questions.

    Raises:
        StatisticsError: there are no trials, or the counts contradict each other.
    """
    z = critical_value(confidence)
    _check(successes, trials)
    share = successes / trials
    middle = (successes + z * z / 2) / (trials + z * z)
    reach = z * math.sqrt(trials * share * (1 - share) + z * z / 4) / (trials + z * z)
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if successes == 0 else middle - reach
    high = 1.0 if successes == trials else middle + reach
    return Statistic(share, low, high)


def clopper_pearson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Statistic:
    """A share with the exact binomial interval, which covers at least as often as it says.

    C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26 (1934), 404-413: the shares for which what was seen, or more of it, would have a
    probability of (1 - confidence) / 2 at each side.

    Raises:
        StatisticsError: there are no trials, or the counts contradict each other.
    """
    critical_value(confidence)
    _check(successes, trials)
    tail = (1 - confidence) / 2
    low = _share_with_tail(successes, trials, tail)
    high = 1 - _share_with_tail(trials - successes, trials, tail)
    return Statistic(successes / trials, low, high)


def sign_test(better: int, worse: int) -> float:
    """The probability of a split at least as uneven, if both sides were as likely: two-sided, exact.

    W. J. Dixon and A. M. Mood, The statistical sign test, JASA 41 (1946), 557-566. It is also the exact form
    of McNemar's test, on the pairs that differ. Ties are left out by whoever counts; of no pairs at all the
    probability is 1.

    Raises:
        StatisticsError: a count is negative.
    """
    if better < 0 or worse < 0:
        raise StatisticsError("A count is below zero.", "Count the votes or questions again.")
    # A count may come as one of numpy's, which would overflow.
    better, worse = operator.index(better), operator.index(worse)
    trials, fewer = better + worse, min(better, worse)
    ways = term = 1
    for chosen in range(1, fewer + 1):
        term = term * (trials - chosen + 1) // chosen
        ways += term
    # Whole numbers until the one division, which Python rounds correctly however long they are.
    return min(1.0, 2 * ways / (1 << trials))


def preference(better: int, worse: int, confidence: float = CONFIDENCE) -> Preference:
    """What votes for and against a level say.

    Args:
        better: votes for the level's answer.
        worse: votes for the other side's. Votes for neither ("equal", "both bad") are counted elsewhere.

    Raises:
        StatisticsError: no vote chose a side.
    """
    if better + worse == 0:
        raise StatisticsError("No vote chose one of the two answers.", "Collect votes that prefer an answer.")
    share = clopper_pearson(better, better + worse, confidence)
    return Preference(share, better + worse, sign_test(better, worse))


def crossing(above: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition that holds at the lower end of a range ceases to hold, by halving.

    Args:
        above: true below the crossing and false above it; neither end is asked.
    """
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if above(middle) else (low, middle)
    return (low + high) / 2


def _check(successes: int, trials: int) -> None:
    """Refuse counts that no measurement gives."""
    if trials < 1:
        raise StatisticsError(
            "There is nothing to take a share of: no question or vote was counted.", "Give at least one."
        )
    if not 0 <= successes <= trials:
        raise StatisticsError(
            f"{successes} of {trials} is no share.", "Count the questions or votes again; one count is wrong."
        )


def _share_with_tail(successes: int, trials: int, probability: float) -> float:
    """The share at which so many successes or more have a probability; 0 for no successes."""
    if successes == 0:
        return 0.0
    ways = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)

    def is_rare(share: float) -> bool:
        # From the first term on they fall, because the share lies below the one that was seen.
        odds = share / (1 - share)
        term = total = 1.0
        for count in range(successes + 1, trials + 1):
            term *= odds * (trials - count + 1) / count
            total += term
            if term < 1e-17 * total:
                break
        first = ways + successes * math.log(share) + (trials - successes) * math.log1p(-share)
        return first + math.log(total) < math.log(probability)

    return crossing(is_rare, 0.0, successes / trials)
