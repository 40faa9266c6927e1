"""The comparison of a release, as its options ask for it."""

import argparse
from pathlib import Path

from ophtimus_edge.compare.running.wanted import Wanted


def compared(options: argparse.Namespace, model: Path, report: Path) -> Wanted:
    """What is compared, and where the report goes."""
    return Wanted(
        levels=(str(model),),
        out=report,
        reference=options.reference,
        text=options.text,
        mcq=options.mcq,
        essay=options.essay,
        votes=tuple(options.votes),
        without=tuple(options.without),
        budget=options.budget,
    )
