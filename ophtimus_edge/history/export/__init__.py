"""Conversations written out for people and programs, always from the source text.

``document`` is JSON with every branch and version, which :mod:`ophtimus_edge.history.importing` reads back.
``markdown``, ``table`` (CSV) and ``page`` (HTML for printing) hold the path that a talk shows. Every answer
stands there as the model wrote it, with what it came from, how it ended and what a person flagged.
"""

import datetime
from collections.abc import Sequence

from ophtimus_edge.errors import UsageError
from ophtimus_edge.history.export import document, markdown, page, table
from ophtimus_edge.history.talk import Talk, now

FORMATS = ("md", "json", "csv", "html")


def render(
    talks: Sequence[Talk], kind: str, language: str = "en", at: datetime.datetime | None = None
) -> bytes:
    """Talks as the bytes of a file; :func:`ophtimus_edge.history.saving.save` writes them.

    Args:
        kind: one of :data:`FORMATS`.
        language: of the labels, ``en`` or ``ko``; the words of people and models stay as they are.
        at: when it is exported; now, where it is not given.

    Raises:
        UsageError: there is no such format.
    """
    at = at or now()
    if kind == "json":
        return document.render(talks, language, at)
    if kind == "md":
        return markdown.render(talks, language, at)
    if kind == "csv":
        return table.render(talks, language)
    if kind == "html":
        return page.render(talks, language, at)
    raise UsageError(f"there is no export format {kind!r}.", f"The formats are: {', '.join(FORMATS)}.")


def file_name(kind: str, at: datetime.datetime | None = None) -> str:
    """A name for an export that says nothing of what is in it."""
    return f"ophtimus-{(at or now()):%Y-%m-%d-%H%M%S}.{kind}"
