"""Measured values as arrays in double precision, or an error in words."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ophtimus_edge.errors import StatisticsError

Floats = NDArray[np.float64]


def floats(values: ArrayLike) -> Floats:
    """The values as an array of float64.

    Raises:
        StatisticsError: they are no numbers, or their rows are not of one length.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(
            "Measured values are no numbers, or their rows are not of one length.",
            "Measure every window and question alike.",
        ) from error
