"""How text leaves the plain mode: whole lines that a screen reader can read out, and progress at a slow pace."""

import re

_SHORTEST = 40  # characters: a shorter line would end behind "Dr." and make reading aloud stumble
_LONGEST = 400  # characters without a sentence's end, after which a line ends at a blank
# A sentence's end: not behind a digit ("1. "), and what follows begins with a letter that is not small.
_END = re.compile(r"(?<![\d\s])[.?!。][\"”’)\]]* (?=[^\W\d_a-z])")


class SpokenLines:
    """Pieces of an answer in, whole lines out.

    A line ends where the model ended it. Within a paragraph it ends behind a sentence, in the place of
    the blank there, so that reading aloud need not wait for the paragraph. Nothing else is changed:
    the lines of a paragraph, joined with blanks, are what the model wrote.
    """

    def __init__(self) -> None:
        self._open = ""

    def feed(self, text: str) -> list[str]:
        """The lines that a piece completes."""
        *paragraphs, self._open = (self._open + text).split("\n")
        lines = [line for paragraph in paragraphs for line in [*self._cut(paragraph)]]
        *whole, self._open = self._cut(self._open)
        return lines + whole

    def end(self) -> list[str]:
        """What is left at the end."""
        rest, self._open = self._open, ""
        return [rest] if rest else []

    @staticmethod
    def _cut(paragraph: str) -> list[str]:
        """A paragraph in its lines; the last may go on."""
        lines, start = [], 0
        for match in _END.finditer(paragraph):
            if match.end() - 1 - start >= _SHORTEST:
                lines.append(paragraph[start : match.end() - 1])
                start = match.end()
        rest = paragraph[start:]
        while len(rest) > _LONGEST and (blank := rest.rfind(" ", _SHORTEST, _LONGEST)) > 0:
            lines.append(rest[:blank])
            rest = rest[blank + 1 :]
        return [*lines, rest]


class Paced:
    """When a percentage is to be said: not at once, not often, and never twice the same."""

    def __init__(self, started: float, seconds: float = 3.0) -> None:
        self._said_at, self._seconds, self._said = started, seconds, -1

    def due(self, percent: int, now: float) -> bool:
        """Whether it is to be said now; where it is, it counts as said.

        Args:
            percent: 0 to 100.
            now: seconds, by the clock that ``started`` was read from.
        """
        if percent <= self._said or now - self._said_at < self._seconds:
            return False
        self._said, self._said_at = percent, now
        return True
