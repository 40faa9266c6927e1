"""A comparison as a person watches it: its plan, how far it is, and what came of it."""

import contextlib
import sys
from collections.abc import Iterator

from ophtimus_edge.compare.report.terminal import summary
from ophtimus_edge.compare.running import whole
from ophtimus_edge.compare.running.order import Tell
from ophtimus_edge.compare.running.plan import Plan
from ophtimus_edge.compare.running.wanted import Wanted
from ophtimus_edge.compare.running.words import plan_lines
from ophtimus_edge.terminal.compare_progress import CompareProgress
from ophtimus_edge.terminal.saying import result, say


def show_plan(wanted: Wanted) -> None:
    """Say on standard output what a comparison would take.

    Raises:
        OphtimusError: it cannot be made; see :func:`ophtimus_edge.compare.running.whole.prepare`.
    """
    for line in plan_lines(whole.prepare(wanted, say).plan):
        result(line)


def compare(wanted: Wanted) -> None:
    """Compare, with the progress on standard error and a summary on standard output.

    Raises:
        OphtimusError: it cannot be made, or not to its end; see :mod:`ophtimus_edge.compare.running.whole`.
        KeyboardInterrupt: somebody stopped it; what was measured is kept.
    """
    prepared = whole.prepare(wanted, say)
    for line in plan_lines(prepared.plan):
        say(line)
    report, written = whole.carry_out(prepared, say, _watched)
    sys.stdout.write(summary(report, str(written.page)) + "\n")


@contextlib.contextmanager
def _watched(plan: Plan) -> Iterator[Tell]:
    with CompareProgress(plan.steps) as progress:
        yield Tell(progress.part, progress.progress, progress.note)
