"""Which option an answer names: a strict reading, then one fallback.

Strict: directly behind the first ``Answer:`` and its line feed stands a letter with a closing bracket, or by itself
on its line, as in the trained form ``B) text``. The published evaluation takes the first character there whatever
follows it, so that "Because …" is a B, and "E. coli" an E.

The fallback is for answers in another form. The letters are looked for that the answer *states*: "the correct
answer is (B)", "정답은 B입니다", "C is the correct option"; where it states none, the lines that are a letter, or a
letter and its option. Where these name one letter, it is that one. Where they name two, or one that the question
does not have, nothing is guessed: the answer is not parsed, and counts as wrong. An option's text without its letter
names nothing.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from ophtimus_edge.compare.choices.asking import ANSWER_START
from ophtimus_edge.specialties.questions import LETTERS

How = Literal["strict", "fallback", "unparsed"]

_STRICT = re.compile(r"([A-Z])(?:\)|[ \t]*(?:\n|$))")
_NEXT_QUESTION = re.compile(r"\n\s{0,8}(?i:question|문제|질문)\s{0,4}\d{0,4}\s{0,4}[:.]")

# Verbose patterns. Blanks are bounded: two unbounded runs side by side would take quadratic time on a long one.
_MARKS = r"[\s(\[{<*_\"'“‘`]{0,8}"
_ENDS = r"[)\].*_]{0,4}"
_LETTER = r"(?:[A-E](?![A-Za-z0-9'’])|[a-e](?=[)\]]))"
_OR = rf"(?:[\s)\]*_]{{0,4}}(?:,|/|&|or|and|또는|혹은|이나|나|와|과){_MARKS}{_LETTER})"
_LETTERS = rf"(?P<letters>{_LETTER}{_OR}{{0,4}}+)"  # with those that it is joined to, in any case
_WORDS = r"""
    (?i: (?:(?:most\s)?likely\s|probably\s|therefore\s|clearly\s)? (?:the\s)? (?:correct\s)?
         (?:(?:option|choice|letter)[:\s]?|보기\s?)? )
"""
_STATED = tuple(
    re.compile(pattern, re.MULTILINE | re.VERBOSE)
    for pattern in (
        # "Answer: B", "the correct option is (B)"
        rf"""(?<!wrong\s) (?<!incorrect\s) (?i:answer|option|choice) [*_]{{0,2}} \s{{0,4}}
             (?i: : | = | – | - | is:? | would\sbe | should\sbe) [*_]{{0,2}} {_MARKS}{_WORDS}{_MARKS}{_LETTERS}""",
        # "정답은 B입니다", and not "정답은 B가 아니라"
        rf"""(?<!오)답 [*_]{{0,2}} \s{{0,4}} (?: : | = | 은 | 는) [*_]{{0,2}} {_MARKS}{_WORDS}{_MARKS}{_LETTERS}
             (?! {_ENDS} \s? 번? \s? [이가은는]? \s? 아[니닌닙])""",
        # "B is the correct answer", "Option B is correct"
        rf"""(?: ^ | [.!?]\s | (?i:option|choice|answer)\s ) {_MARKS}{_LETTERS}{_ENDS}
             \sis\s (?: correct\b | the\s(?:\w{{1,12}}\s)?(?:correct|right|best)\s(?:answer|option|choice)\b )""",
        # "B가 정답입니다", and not "B가 정답이 아닙니다"
        rf"""(?: ^ | [\s(\[] ) {_LETTERS}{_ENDS} \s? 번? [이가] \s (?:옳은\s|맞는\s)? 정?답 (?! 이? \s? 아)""",
    )
)
_LINE = re.compile(
    rf"^[\s>*_#-]{{0,8}}{_MARKS}(?P<letter>[A-Ea-e])(?P<rest>(?![A-Za-z0-9'’]).*)$", re.MULTILINE
)
_ONE_LETTER = re.compile(_LETTER)
_BEHIND = re.compile(r"^[\s)\].:*_\"'”’`-]+")
# What may follow a letter that is meant as one; "B cells" and "A cataract" are no letters.
_GOES_ON = re.compile(
    r"\s(?!(?:because|since|as|which|due|is|for|so|and|but|not|from|given|with|in)\b)[A-Za-z0-9]"
)
_NAME = re.compile(r"\.\s?[a-z]|-[A-Za-z]")  # "E. coli", "B-scan"
_LOOK = 300  # characters behind a letter


class Parsed(NamedTuple):
    """What an answer names.

    Attributes:
        letter: "" where it was not parsed.
    """

    letter: str
    how: How


def parse(text: str, options: Sequence[str]) -> Parsed:
    """Find the letter that an answer names.

    Args:
        text: as the model wrote it, sanitized.
        options: as they were shown.
    """
    start = text.find(ANSWER_START)
    strict = _STRICT.match(text, start + len(ANSWER_START)) if start >= 0 else None
    if strict:
        return _of_question(strict[1], "strict", options)
    # Full-width letters and brackets, as Korean keyboards have them, become plain ones.
    plain = unicodedata.normalize("NFKC", text)
    if another := _NEXT_QUESTION.search(plain):  # which the model asks itself
        plain = plain[: another.start()]
    named = set(_stated(plain, options)) or set(_lines(plain, options))
    return _of_question(named.pop(), "fallback", options) if len(named) == 1 else Parsed("", "unparsed")


def _of_question(letter: str, how: How, options: Sequence[str]) -> Parsed:
    return Parsed(letter, how) if letter in LETTERS[: len(options)] else Parsed("", "unparsed")


def _stated(text: str, options: Sequence[str]) -> Iterator[str]:
    """The letters that are stated to be the answer."""
    for pattern in _STATED:
        for found in pattern.finditer(text):
            letters, end = found["letters"], found.end("letters")
            if len(letters) > 1 or _is_letter(letters, text[end : end + _LOOK].split("\n", 1)[0], options):
                yield from (letter.upper() for letter in _ONE_LETTER.findall(f"{letters})"))


def _lines(text: str, options: Sequence[str]) -> Iterator[str]:
    """The letters of the lines that are a letter, or a letter and its option."""
    for found in _LINE.finditer(text):
        letter, rest = found["letter"], found["rest"][:_LOOK]
        behind = _BEHIND.sub("", rest)
        alone = not behind and (letter.isupper() or rest.startswith((")", "]")))
        if alone or _begins_option(letter.upper(), behind, options):
            yield letter.upper()


def _is_letter(letter: str, rest: str, options: Sequence[str]) -> bool:
    """Whether what looks like a letter is one, and not a word or the beginning of a name."""
    if _begins_option(letter.upper(), _BEHIND.sub("", rest), options):
        return True
    return not (_GOES_ON.match(rest) or _NAME.match(rest))


def _begins_option(letter: str, text: str, options: Sequence[str]) -> bool:
    place = LETTERS.index(letter)
    return place < len(options) and _folded(text).startswith(_folded(options[place][: _LOOK // 2]))


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
