"""Verbs and the app, which other packages of this distribution bring: found by their entry points.

Of this distribution alone: to look through all that are installed takes longer than most of the start.
"""

from importlib.metadata import EntryPoints, PackageNotFoundError, distribution
from typing import Any

APP = "ophtimus.app"
VERBS = "ophtimus.verbs"


def entries(group: str) -> EntryPoints:
    """The entry points of a group."""
    try:
        return distribution("ophtimus-edge").entry_points.select(group=group)
    except PackageNotFoundError:  # run from a folder that was never installed
        return EntryPoints()


def add_verbs(verbs: Any) -> None:
    """Add the verbs of the other packages to the command line: modules with an ``add_parser`` that sets ``run``."""
    for entry in sorted(entries(VERBS), key=lambda found: found.name):
        entry.load().add_parser(verbs)
