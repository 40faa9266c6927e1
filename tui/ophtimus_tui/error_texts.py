"""Errors as the app says them: what happened and what to do in the app's language, the error's own words below.

Errors are raised in English, by a runtime that knows of no languages. A catalogue has a sentence for each class
of them; what only the error knows, such as the file or the number, is not translated and not left out.
"""

import re
from collections.abc import Iterator

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.text import sanitize
from ophtimus_tui.texts import Texts

_WORD_BEGIN = re.compile("(?<=[a-z])(?=[A-Z])")


def said(error: OphtimusError, texts: Texts) -> str:
    """An error for the screen, in two lines: the sentence of its class, and the error's own words."""
    return said_again(type(error).__name__, f"{error.message} {error.hint}", texts)


def said_again(kind: str, detail: str, texts: Texts) -> str:
    """An error of which only words were kept, for the screen.

    Args:
        kind: the name of its class, such as ``EngineError``; a name that this release does not know gets the
            sentence for all errors.
        detail: the error's own words.
    """
    key = next((key for key in _keys(kind) if key in texts.keys(texts.language)), "errors.ophtimus_error")
    # One line: a line break in a file's name must not look like a sentence of the app.
    detail = " ".join(sanitize(detail).splitlines())
    return "\n".join([texts(key), *([texts("errors.detail", detail=detail)] if detail.strip() else [])])


def key_of(kind: str) -> str:
    """The key under which the catalogue has the sentence of a class: ``errors.engine_error`` for EngineError."""
    return f"errors.{_WORD_BEGIN.sub('_', kind).lower()}"


def _keys(name: str) -> list[str]:
    """The keys of a class and of its bases, the most specific one first."""
    kind = next((known for known in _classes(OphtimusError) if known.__name__ == name), OphtimusError)
    return [key_of(base.__name__) for base in kind.__mro__ if issubclass(base, OphtimusError)]


def _classes(base: type[OphtimusError]) -> Iterator[type[OphtimusError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _classes(kind)
