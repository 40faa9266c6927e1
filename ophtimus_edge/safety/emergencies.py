"""Whether a question may describe an emergency, and what to do before any answer is there.

A rule is data (``emergencies.toml`` of the field): an id, a title, a notice in each language, and the
cases in which it matches. A case names groups of terms; it matches when every group that it names has
a term in the question, and none of the groups in ``unless`` has one.

**No match means nothing**: the rules know some ways to say some things. The app must never say that a
question is no emergency.

How a question is read, and how terms are written:

- Both are brought to one form: NFKC (so that decomposed Hangul and full-width letters count) and
  case folded.
- A term with Hangul is looked for anywhere in the question without its white space and punctuation,
  because particles follow a word directly and many people type without spaces.
- Any other term is looked for as whole words, with white space and punctuation alike: ``s p`` finds
  "s/p". An apostrophe is left out: ``cant`` finds "can't". ``flash*`` finds "flashes" and "flashing".
- ``#`` stands for one digit.
- What is said to be absent does not count: "no pain", "denies flashes", "통증 없음".
"""

import re
import tomllib
import unicodedata
from functools import cache

import msgspec

from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.questions import NOT_REVIEWED

_HANGUL = re.compile("[가-힣]")
_LATIN_WORD = re.compile("[a-z0-9]+")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_APOSTROPHES = re.compile("['’ʼ`´]")

# Look-behinds have a fixed width, so each word has its own.
_ABSENT_BEFORE = "".join(f"(?<! {word})" for word in ("no", "not", "without", "denies", "denied", "never"))
# "통증이 없어지지 않아요" says that the pain stays.
_ABSENT_AFTER = "(?!(?:은|는|이|가|도|소견)?(?:없(?!어지지)|아니고|아님|부인함))"

# Stands for "#" while a term is brought to its form: letters that no term has.
_DIGIT = "zqz"


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence in the two languages of the app."""

    en: str
    ko: str

    def of(self, language: str) -> str:
        """It in a language, ``en`` or ``ko``."""
        return self.ko if language == "ko" else self.en


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way in which a rule matches.

    Attributes:
        every: names of groups; each must have a term in the question.
        unless: names of groups; none may have one.
        textbook: whether it also matches a question that asks for knowledge and speaks of nobody.
    """

    every: tuple[str, ...]
    unless: tuple[str, ...] = ()
    textbook: bool = False


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An emergency that a question may describe.

    Attributes:
        id: unique, such as ``chemical-burn``.
        title: what it may be, by language.
        notice: not to wait for the answer, and what to do at once, by language.
        cases: the ways in which it matches; one is enough.
        reviewed_by: the physician who read it, or "" (not reviewed by a physician).
    """

    id: str
    title: Text
    notice: Text
    cases: tuple[Case, ...]
    reviewed_by: str

    @property
    def review(self) -> str:
        """Who reviewed it, in words to show."""
        return f"reviewed by {self.reviewed_by}" if self.reviewed_by else NOT_REVIEWED


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The emergency rules of a field.

    Attributes:
        rules: in the order in which their notices are shown.
        words: groups of terms, by name. ``textbook`` holds the ways to ask for knowledge, ``person``
            those in which a question speaks of somebody, and so is no mere textbook question.
    """

    rules: tuple[Rule, ...]
    words: dict[str, tuple[str, ...]]


@cache
def book(specialty: str = DEFAULT_SPECIALTY) -> Book:
    """The emergency rules of a field."""
    text = (specialty_folder(specialty) / "emergencies.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Book)


def match(question: str, specialty: str = DEFAULT_SPECIALTY) -> list[Rule]:
    """The rules whose emergency the question may describe, in the order of the book.

    An empty list means nothing: neither that there is no emergency, nor that it was looked for well.
    """
    views = _Views(question)
    groups = _groups(specialty)
    known: dict[str, bool] = {}

    def says(name: str) -> bool:
        if name not in known:
            known[name] = groups[name].found(views)
        return known[name]

    textbook = says("textbook") and not says("person")
    return [
        rule
        for rule in book(specialty).rules
        if any(
            (case.textbook or not textbook) and all(map(says, case.every)) and not any(map(says, case.unless))
            for case in rule.cases
        )
    ]


class _Views:
    """A question as its two kinds of terms are looked for in it."""

    def __init__(self, question: str) -> None:
        text = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", question).casefold())
        self.words = f" {' '.join(_LATIN_WORD.findall(text))} "
        self.packed = _BETWEEN_WORDS.sub("", text)


class _Group:
    """Terms, any of which is enough."""

    def __init__(self, terms: tuple[str, ...]) -> None:
        views = [(_Views(term.replace("#", _DIGIT)), term) for term in terms]
        packed = [_pattern(view.packed) for view, term in views if _HANGUL.search(term)]
        words = [
            _pattern(view.words.strip()) + ("[a-z0-9]*" if term.endswith("*") else "")
            for view, term in views
            if not _HANGUL.search(term)
        ]
        self._packed = re.compile(f"(?:{'|'.join(packed)}){_ABSENT_AFTER}") if packed else None
        self._words = re.compile(f"{_ABSENT_BEFORE} (?:{'|'.join(words)})(?= )") if words else None

    def found(self, views: _Views) -> bool:
        """Whether the question has one of the terms."""
        return bool(
            (self._words and self._words.search(views.words))
            or (self._packed and self._packed.search(views.packed))
        )


def _pattern(term: str) -> str:
    return re.escape(term).replace(_DIGIT, "[0-9]")


@cache
def _groups(specialty: str) -> dict[str, _Group]:
    return {name: _Group(terms) for name, terms in book(specialty).words.items()}
