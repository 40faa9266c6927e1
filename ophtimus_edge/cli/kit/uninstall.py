"""``ophtimus kit uninstall``: the program goes; what was asked and answered stays, or goes too, as asked."""

from __future__ import annotations

import argparse
from typing import Any

from ophtimus_edge.cli.kit.install import add_where, root_of


def add_parser(actions: Any) -> None:
    """Add the verb to ``ophtimus kit``."""
    parser = actions.add_parser(
        "uninstall",
        help="remove the program and the kit's models",
        description="Remove the program and the kit's models. Settings, and models that were added by hand, stay.",
    )
    fate = parser.add_mutually_exclusive_group()
    fate.add_argument("--keep-history", action="store_true", help="past conversations stay")
    fate.add_argument("--delete-history", action="store_true", help="past conversations are deleted for good")
    add_where(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        UsageError: it is not said what becomes of the history, and nobody is there to ask.
        KitInstallError: nothing is installed, it is in use, or it cannot be removed.
    """
    from ophtimus_edge import locations
    from ophtimus_edge.cli.kit.company import Company
    from ophtimus_edge.errors import UsageError
    from ophtimus_edge.history import profiles
    from ophtimus_edge.kit.installing.uninstalling import uninstall
    from ophtimus_edge.terminal.saying import line, result, result_json, say

    if options.yes and not (options.keep_history or options.delete_history):
        raise UsageError(
            "it is not said what becomes of past conversations.", "Add --keep-history or --delete-history."
        )
    root = root_of(options)
    with Company(yes=options.yes) as company:
        delete = options.delete_history
        if not (options.keep_history or delete):
            delete = company.asks(
                "Delete past conversations for good, too?", "add --keep-history or --delete-history"
            )
        if not options.yes:
            fate = "DELETED for good" if delete else "kept"
            question = f"Remove the program from {line(str(root))}? Past conversations are {fate}."
            if not company.asks(question, "add --yes"):
                say("Nothing was removed.")
                return
        kept = bool(profiles.list_profiles())  # while there is a program to look with
        left = uninstall(root, company, delete_history=delete)
    if options.json:
        fate = "deleted" if delete else "kept" if kept else "none"
        result_json({"folder": str(root), "history": fate, "left": [*map(str, left)]})
        return
    result(f"Removed from {line(str(root))}.")
    if delete:
        result("Past conversations are deleted.")
    elif kept:
        result(f"Past conversations are kept in {line(str(locations.history_folder()))}.")
    else:
        result("There were no past conversations.")
    if left:
        result(
            f"Left there, since the installer did not put it there: {', '.join(line(one.name) for one in left)}"
        )
