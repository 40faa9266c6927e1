"""``ophtimus-train``: one verb a file, each with ``add`` (its arguments) and ``handle`` (what it does)."""

import argparse

from ophtimus_edge.terminal.failures import reported
from ophtimus_training.cli import audit, merge, plan, prepare, run
from ophtimus_training.cli.verbs import Verb
from ophtimus_training.launching.ranks import first_speaks

_VERBS: dict[str, Verb] = {
    "prepare": prepare,
    "audit": audit,
    "plan": plan,
    "run": run,
    "merge": merge,
}


def parser() -> argparse.ArgumentParser:
    """The command line of ``ophtimus-train``."""
    top = argparse.ArgumentParser(
        prog="ophtimus-train", description="From a recipe to a checkpoint or an adapter."
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in _VERBS.values():
        verb.add(verbs)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run ``ophtimus-train``; returns the exit code."""
    options = parser().parse_args(arguments)
    with reported("ophtimus-train") as outcome, first_speaks():
        _VERBS[options.verb].handle(options)
    return outcome.exit_code
