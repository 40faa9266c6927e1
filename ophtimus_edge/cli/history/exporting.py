"""``ophtimus history export`` and ``flags``."""

import argparse
import sys

from ophtimus_edge.cli.history.opening import id_of, key_of, profile_of, reading, see_that_it_is_free
from ophtimus_edge.errors import UsageError
from ophtimus_edge.history import flags
from ophtimus_edge.history.export import render
from ophtimus_edge.history.saving import save
from ophtimus_edge.history.talk import Talk
from ophtimus_edge.settings import read_or_defaults
from ophtimus_edge.terminal.saying import say, steps


def run(options: argparse.Namespace) -> None:
    """Write conversations, or the questions whose answers are flagged."""
    flagged = options.action == "flags" or options.flags
    if options.action == "flags":
        options.all, options.ids, options.format, options.language = True, [], None, None
    if bool(options.ids) == options.all:
        raise UsageError(
            "say which conversations: their ids, or --all.", "See them with ophtimus history list."
        )
    if flagged and options.format:
        raise UsageError("--flags has a format of its own (JSONL).", "Leave out --format, or --flags.")
    if options.out is not None:
        see_that_it_is_free(options.out, options.replace)
    profile = profile_of(options)
    key = key_of(options, profile)
    with steps() as show:
        talks = list[Talk]()
        with reading(profile, key) as store:
            ids = [head.id for head in store.heads()] if options.all else options.ids
            ids = list(dict.fromkeys(id_of(store, id_) for id_ in ids)) if options.ids else ids
            for number, id_ in enumerate(ids):
                show("reading the conversations", number, len(ids))
                talks.append(store.open(id_))
        show("writing them", 0, 0)
        if flagged:
            content = flags.lines(talks)
        else:
            language = options.language or read_or_defaults()[0].spoken_language()
            content = render(talks, options.format or "md", language)
        if options.out is not None:
            save(options.out, content, options.replace)
    if options.out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    if flagged:
        say(f"{len(content.splitlines())} flagged questions are in {options.out}.")
    else:
        say(f"{len(talks)} conversations are in {options.out}, readable by all who get the file.")
