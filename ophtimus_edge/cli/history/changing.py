"""``ophtimus history import`` and ``delete``."""

import argparse
import sys

from ophtimus_edge.cli.history.opening import id_of, key_of, profile_of, writing
from ophtimus_edge.errors import UsageError
from ophtimus_edge.history import importing
from ophtimus_edge.history.keeping import Head
from ophtimus_edge.terminal.saying import line, moment, result, result_json, say, steps
from ophtimus_edge.terminal.standard_input import is_terminal

FOR_GOOD = (
    "They are deleted for good: from the history, its search index, its log and the copies that updates made. "
    "This cannot reach exports, handouts, paper and backups made before, snapshots of the system, or what the "
    "inside of an SSD or a stick keeps."
)


def take_in(options: argparse.Namespace) -> None:
    """Keep the conversations of an exported file, all of them or none, beside those that are there."""
    profile = profile_of(options)
    with writing(profile, key_of(options, profile)) as store, steps() as show:
        show("reading the file", 0, 0)
        talks = importing.read(options.file, store.ids())
        show("keeping the conversations", 0, 0)
        store.begin_all(talks)
    if options.json:
        result_json({"file": str(options.file), "ids": [talk.id for talk in talks]})
    else:
        result(f"{_counted(len(talks))} imported into the history of {line(profile.name)}.")


def delete(options: argparse.Namespace) -> None:
    """Delete conversations, after a person typed how many."""
    asking = not options.yes
    if asking and not (is_terminal() and sys.stderr.isatty()):
        raise UsageError(
            "deleting needs a confirmation, and there is no terminal to ask at.", "Add --yes to delete."
        )
    profile = profile_of(options)
    with writing(profile, key_of(options, profile)) as store:
        ids = list(dict.fromkeys(id_of(store, id_) for id_ in options.ids))
        if asking and not _confirmed([head for head in store.heads() if head.id in ids]):
            say("Nothing was deleted.")
            return
        with steps() as show:
            show("writing the history anew without them", 0, 0)
            store.delete(ids)
    if options.json:
        result_json({"deleted": ids})
    else:
        result(f"{_counted(len(ids))} deleted.\n{FOR_GOOD}")


def _confirmed(heads: list[Head]) -> bool:
    for head in heads:
        held = "  held" if head.held else ""
        say(f"  {head.id[:8]}  {moment(head.changed_at)}  {head.messages:>4}{held}  {line(head.title)}")
    say(FOR_GOOD)
    sys.stderr.write(f"Type the number of conversations ({len(heads)}) to delete them: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == str(len(heads))


def _counted(number: int) -> str:
    return "1 conversation was" if number == 1 else f"{number} conversations were"
