"""Words of a history: what the index holds of a text, what a search asks of it, and the lines that show a hit.

A Korean word is found by its syllables: the index holds every pair of neighbours, and the last syllable by
itself, so "백내장수술" is indexed as "백내 내장 장수 수술 술". A search for "내장" finds it, and one for "백내장"
asks for "백내 내장" side by side: in "백내 내장", two words, the lone "내" stands between the pairs. The same
holds for Chinese and Japanese signs. Latin words and numbers are indexed as they are, and found by their
beginning, if it has two letters.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ophtimus_edge.text import sanitize

SNIPPET_CHARACTERS = 120
_BEFORE = 30  # characters of a snippet before its first match
_LONGEST = 64  # characters of an indexed Latin word; what is behind them (a hash, a file) is not searched
_PAIRED = (
    "\u1100-\u11ff\u3040-\u30ff\u3131-\u318e\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"(?P<paired>[{_PAIRED}]+)|[^\W_{_PAIRED}]+")
_WORD = re.compile(r"\S+")


class Phrase(NamedTuple):
    """One searched word.

    Attributes:
        tokens: a space between them; they must stand side by side.
        begins: whether the last of them may be the beginning of a longer one.
    """

    tokens: str
    begins: bool


def bigrams(text: str) -> str:
    """What the index holds of a text: its tokens, a space between them."""
    return " ".join(_tokens(_folded(text)))


def phrases(words: str) -> list[Phrase]:
    """What a search asks for: a phrase for each word, none for one without a letter or digit.

    A word with signs inside it, such as "0.5" or "anti-VEGF", is one phrase.
    """
    found = []
    for word in _WORD.findall(_folded(words)):
        runs = list(_runs(word))
        if not runs:
            continue
        tokens = [token for run in runs[:-1] for token in run.tokens()]
        last = runs[-1]
        # The lone last syllable that the index holds of a word is none of the searched: more may follow it.
        tokens += last.tokens()[:-1] if last.paired and len(last.text) > 1 else last.tokens()
        found.append(Phrase(" ".join(tokens), last.begins()))
    return list(dict.fromkeys(found))


def expression(asked: Iterable[Phrase]) -> str:
    """The phrases as FTS5 wants them: all must be there."""
    return " AND ".join(f'"{phrase.tokens}"{" *" if phrase.begins else ""}' for phrase in asked)


def holds(indexed: str, asked: Iterable[Phrase]) -> bool:
    """Whether a text, given as :func:`bigrams` made it, has all phrases: what the index answers, without it."""
    padded = f" {indexed} "
    return all(f" {phrase.tokens}{'' if phrase.begins else ' '}" in padded for phrase in asked)


def snippet(text: str, words: str) -> list[tuple[str, bool]]:
    """A line of a text around the first match: pieces, and whether each is one of the words searched for.

    It is sanitized, its white space is single spaces, and "…" stands where it was cut.
    """
    line = " ".join(sanitize(text).split())
    spans = _spans(line, words)
    first = max(0, spans[0][0] - _BEFORE) if spans else 0
    last = min(len(line), first + SNIPPET_CHARACTERS)
    first = max(0, min(first, last - SNIPPET_CHARACTERS))
    pieces = [("…" if first else "", False)]
    at = first
    for start, end in spans:
        if start < last and end > at:
            pieces += [(line[at : max(start, at)], False), (line[max(start, at) : min(end, last)], True)]
            at = min(end, last)
    pieces += [(line[at:last], False), ("…" if last < len(line) else "", False)]
    return [(piece, matched) for piece, matched in pieces if piece]


class _Run(NamedTuple):
    text: str
    paired: bool

    def begins(self) -> bool:
        """Whether it may be the beginning of a token: two syllables are a whole one, one letter says too little."""
        return (len(self.text) == 1) == self.paired

    def tokens(self) -> list[str]:
        if self.paired:
            return [self.text[at : at + 2] for at in range(len(self.text))]
        return [self.text[:_LONGEST]]


def _runs(folded: str) -> Iterator[_Run]:
    for match in _RUN.finditer(folded):
        yield _Run(match[0], match["paired"] is not None)


def _tokens(folded: str) -> Iterator[str]:
    for match in _RUN.finditer(folded):  # without :class:`_Run`, as every message passes here
        run = match[0]
        if match["paired"] is None:
            yield run[:_LONGEST]
        else:
            for at in range(len(run)):
                yield run[at : at + 2]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _spans(line: str, words: str) -> list[tuple[int, int]]:
    """Where the words stand in a line, from start to end, none over another."""
    folded, starts, ends = _folded_with_places(line)
    found = sorted(
        (starts[match.start()], ends[match.end() - 1])
        for pattern in _patterns(words)
        for match in pattern.finditer(folded)
    )
    spans: list[tuple[int, int]] = []
    for start, end in found:
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _patterns(words: str) -> Iterator[re.Pattern[str]]:
    for word in _WORD.findall(_folded(words)):
        pattern, before = "", None
        for run in _runs(word):
            if before is None:
                # The index finds a Latin word by its beginning, and a Korean one anywhere.
                pattern += "" if run.paired else rf"(?<![^\W_{_PAIRED}])"
            else:
                pattern += r"[\W_]+" if before.paired == run.paired else r"[\W_]*"
            pattern += re.escape(run.text[: None if run.paired else _LONGEST])
            before = run
        if before is not None:
            whole = not before.paired and not before.begins()
            yield re.compile(pattern + (rf"(?![^\W_{_PAIRED}])" if whole else ""))


def _folded_with_places(line: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """A line as it is compared, and for each of its characters where it begins and ends in the line."""
    folded = _folded(line)
    if len(folded) == len(line) and unicodedata.is_normalized("NFC", line):
        return folded, range(len(line)), range(1, len(line) + 1)
    pieces, starts, ends = [], [], []
    at = 0
    while at < len(line):
        end = at + 1
        while end < len(line) and (unicodedata.combining(line[end]) or "\u1160" <= line[end] <= "\u11ff"):
            end += 1  # an accent, or the vowel or end of a syllable whose parts are written one by one
        piece = _folded(line[at:end])
        pieces.append(piece)
        starts += [at] * len(piece)
        ends += [end] * len(piece)
        at = end
    return "".join(pieces), starts, ends
