"""What may be claimed: "not worse than the reference by more than ..." as a non-inferiority statement.

A level is within a tolerance only when the whole interval is; that nothing was found ("p = 0.41") claims
nothing. Where the interval is too wide to tell, the numbers here say how much more has to be measured.
The convention of a 95 % interval's worse end is that of ICH E9, Statistical Principles for Clinical Trials
(1998), section 3.3.2, and of the CONSORT extension for non-inferiority (Piaggio et al., JAMA 308 (2012)).
"""

import math
from statistics import NormalDist
from typing import Literal

import msgspec

from ophtimus_edge.compare.statistics.intervals import CONFIDENCE, critical_value
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic

ACCURACY_TOLERANCE = 0.02  # a share: 2 points
DIVERGENCE_TOLERANCE = 0.05  # mean KL divergence, nats
# That a level as good as it looks is then found to be so. With it, and a tenth of the answers turned, 2 points
# take about 1,500 questions.
CHANCE = 0.7
# Of fewer windows, the bootstrap's upper end lies below the truth far too often: of 10 three times as often as it
# says, of 4 six times (skewed windows, simulated).
FEWEST_WINDOWS = 20

Finding = Literal["within", "beyond", "open"]


class AccuracyStatement(msgspec.Struct, frozen=True):
    """Whether a level's accuracy is within a tolerance of the reference's.

    Attributes:
        finding: ``within`` and ``beyond`` are shown by the whole interval; ``open`` is neither.
        tolerance: the loss that is accepted, as a share.
        measured: the accuracies' difference, the level's less the reference's, and its paired interval.
        more_questions: how many more it would take to show ``within``; 0 where it is shown, None where the
            difference itself is beyond the tolerance, so that more questions would rather show ``beyond``.
    """

    finding: Finding
    tolerance: float
    measured: Statistic
    more_questions: int | None


class DivergenceStatement(msgspec.Struct, frozen=True):
    """Whether a level's mean divergence from the reference is within a tolerance.

    Attributes:
        finding: as in :class:`AccuracyStatement`; ``open`` whatever the interval, where windows are too few.
        tolerance: of the mean KL divergence, in nats.
        measured: the mean KL divergence.
        more_windows: how many more windows of text it would take, as ``more_questions``.
    """

    finding: Finding
    tolerance: float
    measured: Statistic
    more_windows: int | None


def accuracy_within(
    difference: Statistic,
    turned: int,
    questions: int,
    tolerance: float = ACCURACY_TOLERANCE,
    confidence: float = CONFIDENCE,
    chance: float = CHANCE,
) -> AccuracyStatement:
    """Whether a level's accuracy is not worse than the reference's by more than a tolerance.

    Args:
        difference: of the accuracies, the level's less the reference's, with its paired interval.
        turned: how many questions were answered right by one of the two only.
        questions: that both were asked.
        tolerance: as a share, 0.02 for 2 points.
        confidence: of the difference's interval.
        chance: for ``more_questions``, see :func:`questions_needed`.

    Raises:
        StatisticsError: the tolerance is not between 0 and 1, the counts contradict each other, or the
            difference is no number.
    """
    _check_tolerance(tolerance, 1.0)
    _check_measured(difference)
    if not 0 <= turned <= questions or questions < 1:
        raise StatisticsError(
            f"{turned} questions turned, of {questions}: the counts do not fit.", "Count the questions again."
        )
    if difference.low >= -tolerance:
        return AccuracyStatement("within", tolerance, difference, 0)
    if difference.value <= -tolerance:
        finding: Finding = "beyond" if difference.high < -tolerance else "open"
        return AccuracyStatement(finding, tolerance, difference, None)
    # Half a question in each of the four counts: no turned question among few does not mean that none turns
    # (Agresti and Min, Statistics in Medicine 24 (2005), 729-740).
    rate = (turned + 1) / (questions + 2)
    expected = max(min(difference.value, 0.0), -rate)
    needed = questions_needed(rate, expected, tolerance, confidence, chance)
    more = None if needed is None else max(needed - questions, 1)
    return AccuracyStatement("open", tolerance, difference, more)


def questions_needed(
    flip_rate: float,
    difference: float = 0.0,
    tolerance: float = ACCURACY_TOLERANCE,
    confidence: float = CONFIDENCE,
    chance: float = CHANCE,
) -> int | None:
    """How many questions in all show that a level is within a tolerance, if it is as good as it looks.

    (z_confidence + z_chance)² (r - d²) / (tolerance + d)², with r the share of questions that turn and d the
    difference; r - d² is the variance of one question's difference. The usual sample size of a paired
    non-inferiority test (J. Nam, Biometrics 53 (1997), 1422-1430, without its correction under the null
    hypothesis). A difference in the level's favour is not counted on; and there are never fewer than the
    score interval takes when no question turns, z² (1 - tolerance) / tolerance.

    Args:
        flip_rate: the share of questions that turn right or wrong.
        difference: of the accuracies, the level's minus the reference's, as a share.
        chance: that so many questions do show it.

    Returns:
        None where the difference is itself not within the tolerance.

    Raises:
        StatisticsError: a share is out of range.
    """
    z = critical_value(confidence)
    _check_tolerance(tolerance, 1.0)
    _check_chance(chance)
    if not (0 <= flip_rate <= 1 and abs(difference) <= flip_rate + 1e-12):
        raise StatisticsError(
            "The expected share of turned questions, or their difference, is out of range.",
            "Give shares between 0 and 1; no difference is larger than the share that turns.",
        )
    expected = min(difference, 0.0)
    if expected <= -tolerance:
        return None
    reach = max(z + NormalDist().inv_cdf(chance), 0.0)
    questions = reach**2 * (flip_rate - expected**2) / (tolerance + expected) ** 2
    fewest = z**2 * (1 - tolerance) / tolerance
    return math.ceil(max(questions, fewest))


def divergence_within(
    measured: Statistic,
    windows: int,
    tolerance: float = DIVERGENCE_TOLERANCE,
    confidence: float = CONFIDENCE,
    chance: float = CHANCE,
) -> DivergenceStatement:
    """Whether a mean divergence is within a tolerance: the upper end of its interval decides.

    Fewer than :data:`FEWEST_WINDOWS` windows show nothing: their interval is too narrow to be believed.
    ``more_windows`` expects the upper end to come nearer with the root of the number of windows, and the mean
    itself to scatter likewise, so that so many windows show it with the wanted chance.

    Args:
        measured: the mean KL divergence with its interval over windows, in nats.
        windows: how many it was measured on.
        confidence: of that interval.
        chance: for ``more_windows``, as in :func:`questions_needed`.

    Raises:
        StatisticsError: the tolerance is not above zero, there are no windows, or the divergence is no number.
    """
    z = critical_value(confidence)
    _check_tolerance(tolerance, math.inf)
    _check_measured(measured)
    _check_chance(chance)
    if windows < 1:
        raise StatisticsError("No window of text was measured.", "Give a longer text.")
    if windows >= FEWEST_WINDOWS and measured.high <= tolerance:
        return DivergenceStatement("within", tolerance, measured, 0)
    finding: Finding = "beyond" if windows >= FEWEST_WINDOWS and measured.low > tolerance else "open"
    more = None
    if measured.value < tolerance:
        scatter = (measured.high - measured.value) / z
        reach = max(z + NormalDist().inv_cdf(chance), 0.0)
        needed = windows * (reach * scatter / (tolerance - measured.value)) ** 2
        more = max(math.ceil(needed) - windows, FEWEST_WINDOWS - windows, 1)
    return DivergenceStatement(finding, tolerance, measured, more)


def _check_tolerance(tolerance: float, largest: float) -> None:
    if not 0 < tolerance < largest:
        raise StatisticsError(
            f"A tolerance of {tolerance} cannot be shown.",
            "Give a number above zero, such as 0.02 for 2 points.",
        )


def _check_measured(measured: Statistic) -> None:
    if not all(map(math.isfinite, (measured.value, measured.low, measured.high))):
        raise StatisticsError("A measured value is no finite number.", "Measure it again.")


def _check_chance(chance: float) -> None:
    if not 0 < chance < 1:
        raise StatisticsError(f"A chance of {chance} cannot be had.", "Give a share such as 0.7.")
