"""``ophtimus kit rollback``: back to the version before."""

from __future__ import annotations

import argparse
from typing import Any

from ophtimus_edge.cli.kit.install import add_where, root_of


def add_parser(actions: Any) -> None:
    """Add the verb to ``ophtimus kit``."""
    parser = actions.add_parser(
        "rollback",
        help="have the version before run again",
        description="Have the version before run again. Histories stay; where the older version cannot read them any "
        "more, those of before the update are put back, and the newer ones are kept beside them.",
    )
    add_where(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        KitInstallError: there is no version to go back to, or it does not work; what ran still runs.
    """
    from ophtimus_edge.cli.kit.company import KEPT, Company
    from ophtimus_edge.kit.installing.rollback import roll_back
    from ophtimus_edge.terminal.saying import line, result, result_json, say

    with Company(yes=options.yes) as company:
        try:
            done = roll_back(root_of(options), company)
        except KeyboardInterrupt:
            say(KEPT)
            raise
    if options.json:
        result_json(
            {
                "version": done.version,
                "left": done.left,
                "histories_put_back": done.histories_put_back,
                "histories_set_aside": str(done.set_aside) if done.set_aside else "",
            }
        )
        return
    result(f"Version {done.version} runs again; {done.left} is left.")
    if not done.histories_put_back:
        result("The histories are as they were.")
    elif done.set_aside is None:
        result(f"The histories are those of before version {done.left}; nothing was kept in them since.")
    else:
        result(
            f"The histories are those of before version {done.left}, which this version can read. What was kept "
            f"since is in {line(str(done.set_aside))}, and opens with version {done.left} or later."
        )
