"""How fast this machine reads memory and computes: two seconds of measuring, in a process of its own.

On a processor that numpy was not built for, numpy's import ends the process. So the measuring is a
child process, and whoever asked learns of its end. ``python -m ophtimus_edge.models.probe THREADS MIB``
writes a Probe as JSON to standard output.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import msgspec

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models.hardware import Machine

_ROUNDS = 3
_ROUND_S = 0.25
_MATRIX = 384  # two of them take 1.2 MB, of each thread: in the caches of any processor of ten years
_STEPS, _STEP_ROUNDS = 10_000, 100
_LARGEST_MIB = 512  # read in turn by all threads: far beyond the caches
_PATIENCE_S = 60.0


class Probe(msgspec.Struct, frozen=True):
    """What was measured; each is the best of some rounds, since other programs can only slow one down.

    Attributes:
        threads: that read and computed together.
        bandwidth: bytes of memory read a second.
        arithmetic: float32 operations a second in a product of matrices.
        step_s: seconds that one step of a loop takes the interpreter.
    """

    threads: int
    bandwidth: float
    arithmetic: float
    step_s: float


class ProbeError(OphtimusError):
    """The measuring ended before its time."""


def run(machine: Machine, threads: int) -> Probe:
    """Measure in a child process; takes about two seconds.

    Args:
        threads: that read and compute together.

    Raises:
        ProbeError: the child ended; the message says how.
    """
    # An eighth of what is free: a machine that is short of memory must not swap for this.
    mib = max(32, min(_LARGEST_MIB, machine.available_bytes // 8 >> 20))
    module = ["-X", "utf8", "-s", "-P", "-m", "ophtimus_edge.models.probe"]
    command = [sys.executable, *module, str(threads), str(mib)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        child = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=_PATIENCE_S, check=False
        )  # fmt: skip
        return msgspec.json.decode(child.stdout, type=Probe)
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        code = child.returncode if isinstance(error, msgspec.DecodeError) else 0
        raise ProbeError(
            f"how fast this machine computes could not be measured: {_ending(code, error)}.",
            "Without it, no speeds are predicted.",
        ) from error


def measure(threads: int, mib: int) -> Probe:
    """Measure in this process, whose numpy must have been told to compute with one thread.

    Args:
        threads: that read and compute together.
        mib: MiB of memory to read, all threads together.
    """
    import numpy as np

    steps = [_step()]
    size = (mib << 20) // 4 // threads
    parts = [np.ones(size, np.float32) for _ in range(threads)]
    bandwidth = _together([(part.max, part.nbytes) for part in parts])
    del parts
    steps.append(_step())
    matrix = np.full((_MATRIX, _MATRIX), 0.5, np.float32)
    products = [partial(matrix.dot, matrix, out=np.empty_like(matrix)) for _ in range(threads)]
    arithmetic = _together([(product, 2 * _MATRIX**3) for product in products])
    return Probe(threads, bandwidth, arithmetic, min(*steps, _step()))


def _together(works: list[tuple[Callable[[], object], int]]) -> float:
    """How much a second threads do together, each a work that does an amount at a time.

    Numpy lets go of the interpreter while it reads or multiplies. Each thread works for itself, so that
    one that another program holds up does not hold up the others.
    """
    best = 0.0
    for _ in range(_ROUNDS):
        rates = [0.0] * len(works)

        def measured(index: int, rates: list[float] = rates) -> None:
            rates[index] = _rate(*works[index])

        threads = [threading.Thread(target=measured, args=(index,)) for index in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        best = max(best, sum(rates))
    return best


def _rate(work: Callable[[], object], amount: int) -> float:
    """How much a second, of work that does an amount at a time."""
    start, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < _ROUND_S:
        work()
        done += amount
    return done / passed


def _step() -> float:
    """Seconds a step of a loop that adds, the shortest of some rounds."""
    rounds = []
    for _ in range(_STEP_ROUNDS):
        total, start = 0, time.perf_counter()
        for step in range(_STEPS):
            total += step
        rounds.append((time.perf_counter() - start) / _STEPS)
    return min(rounds)


def _ending(code: int, error: Exception) -> str:
    """How the child ended, in words."""
    if isinstance(error, msgspec.DecodeError):
        if code == -getattr(signal, "SIGILL", 0) or code == 0xC000001D:  # as Windows calls it
            return "the processor lacks an instruction that numpy was built with"
        return f"the process ended with code {code}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {_PATIENCE_S:.0f} s"
    return error.strerror or "no process could be started" if isinstance(error, OSError) else str(error)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure(int(sys.argv[1]), int(sys.argv[2]))) + b"\n")
