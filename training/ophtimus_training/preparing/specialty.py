"""The part of broader medical sets that is about one field: by a set's own subjects, and by the field's words.

A row whose subject is the field's is taken, whatever its words. Any other is taken where enough different words
of the field stand in it: more in a longer text, in which one of them may stand in passing, and twice as many
where the set says that the row is about another subject. The words are the field's data
(``specialties/<field>/terms.toml``).

What it cannot tell: a question without a word of the field (a drug's dose, a picture's legend), and a text about
another field that speaks of the eye at length.
"""

import re
import tomllib
from typing import NamedTuple

import msgspec

from ophtimus_edge.errors import RecipeError
from ophtimus_edge.locations import specialty_folder

_OF_DISTINCT, _OF_SHARED = 2, 1  # what a word weighs
_LEAST, _MOST = 2, 8
_WORDS_A_POINT = 150


class _Terms(msgspec.Struct, forbid_unknown_fields=True):
    subjects: list[str]
    distinct: list[str]
    shared: list[str]
    korean_distinct: list[str] = []
    korean_shared: list[str] = []


class Weighed(NamedTuple):
    """How much of a text is of the field.

    Attributes:
        points: 2 for each different distinct word, 1 for each different shared one.
        needed: points from which on the text is taken; 0 where its subject decides.
    """

    points: int
    needed: int

    @property
    def taken(self) -> bool:
        """Whether the text is of the field."""
        return self.points >= self.needed


class Field:
    """A medical field's words."""

    def __init__(self, specialty: str) -> None:
        """Read a field's words.

        Raises:
            RecipeError: there are none for a field of that name.
        """
        path = specialty_folder(specialty) / "terms.toml"
        if not re.fullmatch(r"[\w-]+", specialty) or not path.is_file():
            raise RecipeError(
                f"there are no terms of a field {specialty!r}.",
                'Name a field that has them, or keep every row with --set specialty="".',
            )
        terms = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Terms)
        self._subjects = frozenset(terms.subjects)
        self._distinct = (_pattern(terms.distinct, r"\b"), _pattern(terms.korean_distinct))
        self._shared = (_pattern(terms.shared, r"\b", r"\b"), _pattern(terms.korean_shared))

    def weigh(self, text: str, subject: str) -> Weighed:
        """How much of a text is of the field.

        Args:
            subject: what the set says the row is about, several separated by ``;``, or "".
        """
        named = {part.strip().casefold() for part in subject.split(";") if part.strip()}
        if named & self._subjects:
            return Weighed(0, 0)
        folded = text.casefold()
        points = _OF_DISTINCT * len(_found(self._distinct, folded))
        points += _OF_SHARED * len(_found(self._shared, folded))
        needed = min(_LEAST + len(text.split()) // _WORDS_A_POINT, _MOST)
        return Weighed(points, 2 * needed if named else needed)


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> set[str]:
    return {word for pattern in patterns for word in pattern.findall(text)}


def _pattern(terms: list[str], before: str = "", behind: str = "") -> re.Pattern[str]:
    # The longest first: an alternation takes the first that fits. Of none, what fits nowhere.
    every = "|".join(map(re.escape, sorted(terms, key=len, reverse=True)))
    return re.compile(f"{before}(?:{every}){behind}" if terms else "(?!)")
