"""``ophtimus history list``, ``search`` and ``show``."""

import argparse
import json
import sys

from ophtimus_edge.cli.history.opening import id_of, key_of, profile_of, reading, say_who_reads
from ophtimus_edge.history.export import render
from ophtimus_edge.history.keeping import Head, Hit
from ophtimus_edge.settings import read_or_defaults
from ophtimus_edge.terminal.saying import line, moment, result, result_json, say

_SHORTEST_ID = 8


def list_talks(options: argparse.Namespace) -> None:
    """Print every conversation on a line, the last changed first."""
    profile = profile_of(options)
    with reading(profile, key_of(options, profile)) as store:
        heads = store.heads()
    length = _telling(heads)
    for head in heads:
        if options.json:
            result_json(
                {
                    "id": head.id,
                    "title": head.title,
                    "begun_at": head.begun_at.isoformat(),
                    "changed_at": head.changed_at.isoformat(),
                    "pinned": head.pinned,
                    "held": head.held,
                    "messages": head.messages,
                }
            )
        else:
            marks = "".join(f"{mark}  " for mark in ("pinned", "held") if getattr(head, mark))
            result(
                f"{head.id[:length]}  {moment(head.changed_at)}  {head.messages:>4}  {marks}{line(head.title)}"
            )
    if not heads:
        say("There is no conversation in this history.")
    say_who_reads(profile)


def search(options: argparse.Namespace) -> None:
    """Print the messages that hold all words."""
    profile = profile_of(options)
    with reading(profile, key_of(options, profile)) as store:
        hits = store.search(" ".join(options.words), options.most)
        length = 0 if options.json else _telling(store.heads())
    for hit in hits:
        if options.json:
            result_json(_found(hit))
        else:
            text = "".join(piece for piece, _ in hit.snippet)
            result(
                f"{hit.talk_id[:length]}  {moment(hit.at)}  {hit.kind:8}  {line(hit.title)}\n    {line(text)}"
            )
    if not hits:
        say("Nothing was found.")
    say_who_reads(profile)


def show(options: argparse.Namespace) -> None:
    """Print a conversation as it shows itself; with ``--json``, with every branch and version."""
    profile = profile_of(options)
    with reading(profile, key_of(options, profile)) as store:
        talk = store.open(id_of(store, options.id))
    if options.json:
        result_json(json.loads(render([talk], "json"))["talks"][0])
    else:
        language = read_or_defaults()[0].spoken_language()
        sys.stdout.write(render([talk], "md", language).decode())
    say_who_reads(profile)


def _found(hit: Hit) -> dict[str, object]:
    return {
        "talk": hit.talk_id,
        "message": hit.message_id,
        "kind": hit.kind,
        "at": hit.at.isoformat(),
        "title": hit.title,
        "snippet": [{"text": text, "found": found} for text, found in hit.snippet],
    }


def _telling(heads: list[Head]) -> int:
    """How many characters of the ids tell them apart."""
    ids = {head.id for head in heads}
    longest = max((len(id_) for id_ in ids), default=0)
    for length in range(_SHORTEST_ID, longest):
        if len({id_[:length] for id_ in ids}) == len(ids):
            return length
    return longest
