"""How long a comparison still takes: its plan, corrected by how long its parts took so far.

A part that is gone on with has records from before. They took no time in this run, so they neither count as
measured nor as left.
"""

import time
from collections.abc import Callable, Mapping

# A plan counts like so much of it that was measured and took as long as planned: a first record says little.
_TRUST, _TRUST_S = 0.1, 10.0  # of the whole, and seconds at the most


class TimeLeft:
    """The time that the steps of a comparison take; a step is a part of a level, such as "divergence Q4_K_M".

    Args:
        steps: predicted seconds by the steps' names, in the order in which they are measured; a step that is
            not among them is timed by itself.
        clock: seconds that go on steadily.
    """

    def __init__(self, steps: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting = dict(steps)
        self._trust = min(_TRUST * sum(steps.values()), _TRUST_S)
        self._clock = clock
        self._seen: dict[str, tuple[float, float]] = {}  # by part: predicted seconds, and those that it took
        self._part, self._planned = "", 0.0
        self._before: int | None = None
        self._done = self._total = 0
        self._start = self._last = clock()

    def begin(self, step: str) -> None:
        """A step begins; the one before it has ended."""
        predicted, took = self._here()
        if predicted:
            self._seen[self._part] = _added(self._seen.get(self._part, (0.0, 0.0)), (predicted, took))
        self._part = step.partition(" ")[0]
        self._planned = self._waiting.pop(step, 0.0)
        self._before, self._done, self._total = None, 0, 0
        self._start = self._last = self._clock()

    def progress(self, done: int, total: int) -> None:
        """So much of the step is done; what is done when it is first told was known before."""
        if self._before is None:
            self._before = done
        if done > self._done:
            self._last = self._clock()
        self._done, self._total = done, total

    def of_step(self) -> float | None:
        """Seconds that the step still takes; None where nothing is known of it."""
        if self._before is None:
            return None
        left = self._total - self._done
        if left <= 0:
            return 0.0
        if self._planned:
            return self._planned * left / self._total * self._factor(self._part)
        here = self._done - self._before
        return (self._last - self._start) / here * left if here else None

    def of_all(self) -> float | None:
        """Seconds that this step and those behind it still take; None where nothing is known of this one."""
        step = self.of_step()
        if step is None:
            return None
        return step + sum(
            seconds * self._factor(name.partition(" ")[0]) for name, seconds in self._waiting.items()
        )

    def _here(self) -> tuple[float, float]:
        """Of the step: predicted seconds of what was measured in this run, and those that it took."""
        if self._before is None or self._done <= self._before or not self._total:
            return 0.0, 0.0
        predicted = self._planned * (self._done - self._before) / self._total
        return predicted, self._last - self._start

    def _factor(self, part: str) -> float:
        """By how much longer things take than predicted: those of this part, or of all where none was measured."""
        here = self._here()
        found = self._seen.get(part, (0.0, 0.0))
        if part == self._part:
            found = _added(found, here)
        if not found[0]:
            for seen in (here, *self._seen.values()):
                found = _added(found, seen)
        predicted, took = found
        return (took + self._trust) / (predicted + self._trust) if predicted else 1.0


def _added(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]
