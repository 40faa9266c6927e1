"""``ophtimus kit``: offline kits; one file per verb."""

from __future__ import annotations

import argparse
from typing import Any

from ophtimus_edge.cli.kit import build, install, keygen, rollback, uninstall, update, verify

# Each file imports what it works with when it runs, so that `ophtimus --help` answers at once.
_VERBS = {
    "keygen": keygen,
    "build": build,
    "verify": verify,
    "install": install,
    "update": update,
    "rollback": rollback,
    "uninstall": uninstall,
}


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "kit",
        help=f"offline kits: {', '.join(_VERBS)}",
        description="Offline kits: a folder for a USB stick that brings the program and its models to a clinic.",
    )
    actions = verb.add_subparsers(dest="action", metavar="ACTION", required=True)
    for module in _VERBS.values():
        module.add_parser(actions)


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        OphtimusError: what was asked for cannot be done; the subclass says why.
    """
    _VERBS[options.action].run(options)
