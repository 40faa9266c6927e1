"""``ophtimus kit update``: a kit of a higher version in the place of the one that is installed."""

from __future__ import annotations

import argparse
from typing import Any

from ophtimus_edge.cli.kit import install


def add_parser(actions: Any) -> None:
    """Add the verb to ``ophtimus kit``."""
    parser = actions.add_parser(
        "update",
        help="install a kit over the one that is there",
        description="Install a kit over the one that is there: signed by the pinned key or its successor, and of a "
        "higher version. Only what changed is copied; the version before is kept for a rollback.",
    )
    install.add_options(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        KitInstallError: nothing is installed, or the kit cannot be; what ran before still runs.
        KitError: the kit is not whole, or may not follow what is installed.
    """
    from ophtimus_edge.errors import KitInstallError
    from ophtimus_edge.kit.state import read_state

    root = install.root_of(options)
    if read_state(root) is None:
        raise KitInstallError(
            f"nothing is installed in {root} that could be updated.",
            "Install the kit: ophtimus kit install KIT, or sh install.sh from the kit.",
        )
    install.run(options)
