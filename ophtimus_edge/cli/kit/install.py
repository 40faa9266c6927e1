"""``ophtimus kit install`` and ``update``: from a kit on a stick to the program that runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ophtimus_edge.kit.installing.install import Installed


def add_parser(actions: Any) -> None:
    """Add the verb to ``ophtimus kit``."""
    parser = actions.add_parser(
        "install",
        help="check a kit, copy what is new of it, try it, and switch to it",
        description="Check a kit, copy what is new of it, try it, and switch to it. Until then what was installed "
        "before runs as it did. Broken off, the same command goes on.",
    )
    add_options(parser)
    parser.add_argument("--compared", default="", metavar="SHA256", help=argparse.SUPPRESS)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what installing and updating have in common."""
    parser.add_argument("kit", type=Path, metavar="KIT", help="the kit's folder, such as /media/stick/kit")
    parser.add_argument(
        "--replace", action="store_true", help="take a kit of another name than the installed one, too"
    )
    add_where(parser)


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add what all verbs of an installation have in common."""
    parser.add_argument("--to", type=Path, metavar="DIR", help="the installation's folder")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def root_of(options: argparse.Namespace) -> Path:
    """The folder of the installation that is meant."""
    from ophtimus_edge import locations

    return Path(options.to).expanduser().absolute() if options.to else locations.kit_root()


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        KitError: the kit is not whole, or may not follow what is installed.
        KitInstallError: it cannot be installed here; what ran before still runs.
        UsageError: nobody is there to compare the kit's SHA-256 with the paper.
    """
    from ophtimus_edge.cli.kit.company import KEPT, Company
    from ophtimus_edge.kit.installing.install import install
    from ophtimus_edge.terminal.saying import say

    root = root_of(options)
    with Company(yes=options.yes) as company:
        try:
            done = install(
                options.kit.expanduser().absolute(), root, company,
                compared=getattr(options, "compared", ""), replace=options.replace,
            )  # fmt: skip
        except KeyboardInterrupt:
            say(KEPT)
            raise
    _tell(done, root, options.json)


def _tell(done: Installed, root: Path, as_json: bool) -> None:
    from ophtimus_edge.terminal.saying import line, result, result_json

    if as_json:
        result_json(
            {
                "name": done.name,
                "version": done.version,
                "before": done.before,
                "result": "already there" if done.already else "installed",
                "folder": str(root),
                "launcher": str(done.launcher),
                "from_kit_bytes": done.from_kit,
                "linked_bytes": done.linked,
                "histories_kept": str(done.kept) if done.kept else "",
            }
        )
        return
    title = line(f"{done.name} {done.version}")
    if done.already:
        result(f"{title} is installed already.")
        return
    result(f"{title} is installed in {line(str(root))}.")
    if done.before:
        result(f"Version {done.before} is kept: ophtimus kit rollback goes back to it.")
    if done.kept:
        result("The histories were copied as they are, for that: the new version keeps them in a newer form.")
    result(f"Start it from the menu (Ophtimus Edge), or with: {line(str(done.launcher))}")
