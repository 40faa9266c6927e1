"""``ophtimus history``: past conversations on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

FORMATS = ("md", "json", "csv", "html")
NOT_THE_RECORD = "This history is not the medical record."


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "history",
        help="list, search, show, export, import, delete, back up or restore past conversations",
        description=f"Past conversations. {NOT_THE_RECORD}",
        epilog="What persons have set for themselves in the app, such as language, colours and role, is in "
        "settings.toml in the folder of their profile; F1 in the app says where. It goes before the computer's "
        "settings there while their history is open. These commands take the computer's.",
    )
    actions = verb.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_reading(actions)
    _add_changing(actions)
    _add_copies(actions)


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        OphtimusError: there is no such profile or conversation, what was given does not open the history, or a
            file cannot be read or written.
    """
    if options.action in {"list", "search", "show"}:
        from ophtimus_edge.cli.history import reading

        {"list": reading.list_talks, "search": reading.search, "show": reading.show}[options.action](options)
    elif options.action in {"export", "flags"}:
        from ophtimus_edge.cli.history import exporting

        exporting.run(options)
    elif options.action in {"import", "delete"}:
        from ophtimus_edge.cli.history import changing

        {"import": changing.take_in, "delete": changing.delete}[options.action](options)
    else:
        from ophtimus_edge.cli.history import copies

        {"backup": copies.back_up, "restore": copies.restore}[options.action](options)


def _add_reading(actions: Any) -> None:
    _action(actions, "list", "all conversations, the last changed first")
    searching = _action(actions, "search", "the questions and answers that hold all words, the best first")
    searching.add_argument("words", nargs="+", metavar="WORDS")
    searching.add_argument("--most", type=_count, default=50, metavar="N", help="how many are shown (50)")
    showing = _action(actions, "show", "a conversation with where its answers are from")
    showing.add_argument("id", metavar="ID", help=_ID)
    exporting = _action(actions, "export", "write conversations out, readable by all who get the file")
    exporting.add_argument("ids", nargs="*", metavar="ID", help=_ID)
    exporting.add_argument("--all", action="store_true", help="every conversation")
    exporting.add_argument("--format", choices=FORMATS, help="md (the default), json, csv or html")
    exporting.add_argument(
        "--flags", action="store_true", help="the questions whose answers are flagged, for ophtimus compare"
    )
    exporting.add_argument("--language", choices=("en", "ko"), help="of the labels; the app's without it")
    _output(exporting)
    flags = _action(actions, "flags", "the questions whose answers are flagged: as export --all --flags")
    _output(flags)


def _add_changing(actions: Any) -> None:
    importing = _action(actions, "import", "take in an exported JSON file beside what is there")
    importing.add_argument("file", type=Path, metavar="FILE")
    deleting = _action(actions, "delete", "delete conversations for good")
    deleting.add_argument("ids", nargs="+", metavar="ID", help=_ID)
    deleting.add_argument("--yes", action="store_true", help="do not ask")


def _add_copies(actions: Any) -> None:
    backing = _action(actions, "backup", "write a profile into one locked file, on a stick for example")
    backing.add_argument("file", type=Path, metavar="FILE")
    backing.add_argument("--replace", action="store_true", help="replace a file that is there")
    restoring = _action(
        actions, "restore", "make a new profile from a backup", profile="the name of the new profile"
    )
    restoring.add_argument("file", type=Path, metavar="FILE")


_ID = "as ophtimus history list has it, or its beginning"


def _action(
    actions: Any, name: str, text: str, profile: str = "whose history; needed where there are several"
) -> Any:
    parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--profile", metavar="NAME", help=profile)
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--passphrase-file", type=Path, metavar="F", help="read the passphrase there")
    secret.add_argument("--recovery", action="store_true", help="ask for the recovery key instead")
    secret.add_argument("--recovery-key-file", type=Path, metavar="F", help="read the recovery key there")
    if name not in {"export", "flags"}:
        parser.add_argument("--json", action="store_true", help="JSON on standard output")
    return parser


def _output(parser: Any) -> None:
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="without it, standard output")
    parser.add_argument("--replace", action="store_true", help="replace a file that is there")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value
