"""Bold, italic and code inside one line of Markdown, read so that nothing clinical is taken for a mark.

Consumed, and nothing else: the asterisks of ``*italic*``, ``**bold**`` and ``***both***``, and the
backticks of a code span. A mark is consumed only together with its partner on the same line. All other
characters stand as they were written: underscores, tildes, backslashes, links with their address,
images, entities, tags, footnotes.

Markdown's own rule (CommonMark 0.31, "left-flanking") takes ``2*3*4`` for italics and leaves
``**녹내장(glaucoma)**은`` unread. Here a mark is judged by the characters on both its sides instead:
no asterisk between two operands is a mark, and a Korean particle may follow one directly.
"""

import re
from typing import NamedTuple

_MARK = re.compile(r"\\[\\`*]|`+|\*+")
_NAMES = {1: ("emphasis",), 2: ("strong",), 3: ("strong", "emphasis")}
_OPENING = "([{<\"'“‘「『《〈"
_BEFORE_ITALICS = _OPENING + "-–—:/|"
_OPERATORS = ")]}%=×÷*/+-−^·"
_FIRST_CJK = "\u1100"  # letters from here on take no part in formulas: Hangul, Han, kana


class Run(NamedTuple):
    """A stretch of text, ``start`` to ``end`` in characters, and the styles it has."""

    start: int
    end: int
    names: tuple[str, ...]


class Styled(NamedTuple):
    """A text as it is shown and its styled stretches, in order and apart from one another."""

    text: str
    runs: list[Run]

    def moved(self, before: str) -> "Styled":
        """The same with a text before it."""
        far = len(before)
        return Styled(
            before + self.text, [Run(start + far, end + far, names) for start, end, names in self.runs]
        )

    def under(self, name: str) -> "Styled":
        """The same with one style under everything."""
        runs, at = [], 0
        for start, end, names in self.runs:
            if at < start:
                runs.append(Run(at, start, (name,)))
            runs.append(Run(start, end, (name, *names)))
            at = end
        if at < len(self.text):
            runs.append(Run(at, len(self.text), (name,)))
        return Styled(self.text, runs)


def read_inline(source: str) -> Styled:
    """The line without the marks that became bold, italic or code; takes time linear in its length."""
    if "*" not in source and "`" not in source:
        return Styled(source, [])
    marks = [match.span() for match in _MARK.finditer(source)]
    partners = _code_partners(source, marks)
    consumed: list[tuple[int, int, tuple[str, ...]]] = []
    waiting: list[tuple[int, int]] = []  # opening marks: length, number; each length at most once
    at = 0
    while at < len(marks):
        start, end = marks[at]
        length = end - start
        if source[start] == "`":
            partner = partners.get(at)
            if partner is not None and source[end : marks[partner][0]].strip():
                consumed += [(start, end, ("code",)), (*marks[partner], ("code",))]
                at = partner
        elif source[start] == "*" and length in _NAMES:
            known = next((place for place, (other, _) in enumerate(waiting) if other == length), None)
            if known is not None and _may_close(source, start, end):
                opening = marks[waiting[known][1]]
                consumed += [(*opening, _NAMES[length]), (start, end, _NAMES[length])]
                del waiting[known:]  # what was opened inside and not closed stays visible
            elif _may_open(source, start, end):
                if known is not None:
                    del waiting[known:]
                waiting.append((length, at))
        at += 1
    return _without(source, sorted(consumed))


def _code_partners(source: str, marks: list[tuple[int, int]]) -> dict[int, int]:
    """For each run of backticks the next one of the same length."""
    partners: dict[int, int] = {}
    last: dict[int, int] = {}
    for at in range(len(marks) - 1, -1, -1):
        start, end = marks[at]
        if source[start] == "`":
            if end - start in last:
                partners[at] = last[end - start]
            last[end - start] = at
    return partners


def _without(source: str, consumed: list[tuple[int, int, tuple[str, ...]]]) -> Styled:
    """The text between the consumed marks, each of which turns its styles on or off."""
    parts: list[str] = []
    runs: list[Run] = []
    now: list[str] = []
    at = shown = 0
    for start, end, names in [*consumed, (len(source), len(source), ())]:
        if start > at:
            parts.append(source[at:start])
            if now:
                runs.append(Run(shown, shown + start - at, tuple(dict.fromkeys(now))))
            shown += start - at
        for name in names:
            if name in now:
                now.remove(name)
            else:
                now.append(name)
        at = end
    return Styled("".join(parts), runs)


def _operand(char: str) -> bool:
    return char.isalnum() and char < _FIRST_CJK


def _may_open(source: str, start: int, end: int) -> bool:
    before, after = source[start - 1 : start], source[end : end + 1]
    if not after or after.isspace():
        return False
    if end - start > 1:
        if _operand(before) and _operand(after):
            return False  # 2**3, a**b
        return not (after.isdigit() and before in tuple(")]}.,%"))  # 0.**5**, (2)**3**
    if not after.isalpha() and after not in _OPENING:
        return False  # *3*: a number alone is no word to stress
    if not before or before in _BEFORE_ITALICS:
        return True
    if not before.isspace():
        return False
    place = start - 1
    while place >= 0 and source[place].isspace():
        place -= 1
    return place < 0 or not (source[place].isdigit() or source[place] in _OPERATORS)  # 2 *a*b


def _may_close(source: str, start: int, end: int) -> bool:
    before, after = source[start - 1 : start], source[end : end + 1]
    if not before or before.isspace():
        return False
    if end - start > 1:
        return not (before.isdigit() and after.isdigit())  # 10**6
    if not after or after.isspace():
        return True
    if after.isalpha():
        return after >= _FIRST_CJK  # a particle
    return not after.isdigit() and after not in "([{*_"
