"""Names that tell levels apart: a level's own, with more where another level has the same."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ophtimus_edge.models.report import LevelReport

_DIGITS = 8  # of a SHA-256


class Named(NamedTuple):
    """A level by all that it could be called.

    Attributes:
        file: its name without folders; ``sha256`` of it, "" where it is not known.
    """

    level: str
    file: str
    sha256: str


def names_of(levels: Iterable[LevelReport]) -> list[str]:
    """The names of a report's levels, in their order, no two the same."""
    return distinct([Named(level.level, level.file, level.sha256) for level in levels])


def distinct(levels: Sequence[Named]) -> list[str]:
    """A name for each level, in their order, no two the same.

    Two levels of one name are told apart by their files' names (``Q4_K_M · eyes-imatrix.gguf``), those in two
    folders by the first digits of their SHA-256.
    """
    by_level = [one.level for one in levels]
    by_file = [f"{one.level} · {one.file}" for one in levels]
    by_hash = [f"{name} · {one.sha256[:_DIGITS]}" for name, one in zip(by_file, levels, strict=True)]
    names: list[str] = []
    for one in zip(by_level, by_file, by_hash, strict=True):
        choices = zip(one, map(Counter, (by_level, by_file, by_hash)), strict=True)
        name = next((name for name, counts in choices if counts[name] == 1), one[1])
        while name in names:
            name += " (again)"
        names.append(name)
    return names
