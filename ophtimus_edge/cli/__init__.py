"""``ophtimus``: one file per verb.

Only what a verb needs is imported, and only when it runs, so that ``ophtimus --help`` answers at once.
"""

import argparse
import sys

from ophtimus_edge import __version__

# Verbs of this package; to look for those of others takes some hundredths of a second.
_OWN = frozenset({"ask", "batch", "compare", "models", "doctor", "history", "kit"})


def parser(others: bool = True) -> argparse.ArgumentParser:
    """The command line of ``ophtimus``.

    Args:
        others: with the verbs that other packages bring.
    """
    from ophtimus_edge.cli import ask, batch, compare, doctor, history, kit, models

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
    ask.add_parser(verbs)
    batch.add_parser(verbs)
    compare.add_parser(verbs)
    models.add_parser(verbs)
    doctor.add_parser(verbs)
    history.add_parser(verbs)
    kit.add_parser(verbs)
    if others:
        from ophtimus_edge.cli.extensions import add_verbs

        add_verbs(verbs)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run ``ophtimus``; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    options = parser(others=bool(words) and words[0] not in _OWN).parse_args(words)

    from ophtimus_edge.cli import ask, batch, compare, doctor, history, kit, models
    from ophtimus_edge.terminal.failures import reported

    with reported("ophtimus") as ending:
        if options.verb == "ask":
            ask.run(options)
        elif options.verb == "batch":
            batch.run(options)
        elif options.verb == "compare":
            compare.run(options)
        elif options.verb == "models":
            models.run(options)
        elif options.verb == "doctor":
            doctor.run(options)
        elif options.verb == "history":
            history.run(options)
        elif options.verb == "kit":
            kit.run(options)
        elif options.verb is not None:
            options.run(options)
        elif options.plain:
            from ophtimus_edge.cli import plain

            plain.run()
        else:
            _without_verb()
    return ending.exit_code


def _without_verb() -> None:
    """The app, or where there is no terminal: questions from standard input."""
    from ophtimus_edge.terminal.standard_input import is_terminal

    if is_terminal() and sys.stdout.isatty():
        from ophtimus_edge.cli.app import start_app

        start_app()
    else:
        from ophtimus_edge.cli import ask

        ask.run(parser(others=False).parse_args(["ask"]), example=True)
