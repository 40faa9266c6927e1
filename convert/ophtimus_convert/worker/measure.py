"""How fast this machine quantizes, measured on a few rows a type: what a plan's time rests on."""

import time

import numpy as np

from ophtimus_convert.jobs import Measure, Rates
from ophtimus_convert.worker import ggml

_COLUMNS = 2048
_ENOUGH_S = 0.05  # of one type: short, and long against the clock's grain


def measure(job: Measure) -> Rates:
    """Time each type on normal random weights, as a trained matrix has them."""
    random = np.random.default_rng(0)
    values = (random.standard_normal((16, _COLUMNS)) * 0.02).astype(np.float32)
    importance = np.ones(_COLUMNS, np.float32)
    rates = {}
    for kind in job.types:
        weigh = job.with_imatrix or ggml.requires_imatrix(kind)
        ggml.prepare(kind)
        ggml.quantize(values[:1], kind, importance if weigh else None)
        start, weights = time.perf_counter(), 0
        while (seconds := time.perf_counter() - start) < _ENOUGH_S:
            ggml.quantize(values, kind, importance if weigh else None)
            weights += values.size
        rates[kind] = weights / seconds
    return Rates(rates)
