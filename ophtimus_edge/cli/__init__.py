"""``ophtimus``: one file per verb.

Only what a verb needs is imported, and only when it runs, so that ``ophtimus --help`` answers at once.
"""

import argparse
import importlib
import sys
from typing import Any

from ophtimus_edge import __version__

# In the order of the help page. To look for those of other packages takes some hundredths of a second.
_OWN = ("ask", "batch", "compare", "models", "doctor", "history", "kit")


def parser(verb: str = "", *, others: bool = True) -> argparse.ArgumentParser:
    """The command line of ``ophtimus``.

    Args:
        verb: of this package: that one alone.
        others: with the verbs that other packages bring.
    """
    top = argparse.ArgumentParser(
        prog="ophtimus",
        description="Ask an ophthalmology language model, offline. Without a verb: the terminal app; "
        "without a terminal, as `ophtimus ask`.",
        epilog="It supports, and does not replace, a doctor's judgement.",
    )
    top.add_argument("--version", action="version", version=f"ophtimus {__version__}")
    top.add_argument(
        "--plain", action="store_true", help="no app: a conversation in plain lines, for screen readers"
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB")
    for name in (verb,) if verb else _OWN:
        _verb(name).add_parser(verbs)
    if others:
        from ophtimus_edge.cli.extensions import add_verbs

        add_verbs(verbs)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run ``ophtimus``; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    own = words[0] if words and words[0] in _OWN else ""
    options = parser(own, others=bool(words) and not own).parse_args(words)

    from ophtimus_edge.terminal.failures import reported

    with reported("ophtimus") as ending:
        if options.verb in _OWN:
            _verb(options.verb).run(options)
        elif options.verb is not None:
            options.run(options)
        elif options.plain:
            from ophtimus_edge.cli import plain

            plain.run()
        else:
            _without_verb()
    return ending.exit_code


def _verb(name: str) -> Any:
    """The module of a verb of this package: ``add_parser(verbs)`` and ``run(options)``."""
    return importlib.import_module(f"ophtimus_edge.cli.{name}")


def _without_verb() -> None:
    """The app, or where there is no terminal: questions from standard input."""
    from ophtimus_edge.terminal.standard_input import is_terminal

    if is_terminal() and sys.stdout.isatty():
        from ophtimus_edge.cli.app import start_app

        start_app()
    else:
        from ophtimus_edge.cli import ask

        ask.run(parser("ask", others=False).parse_args(["ask"]), example=True)
