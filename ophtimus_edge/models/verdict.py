"""What the verdict of a comparison says of each level.

A verdict is a few sentences that the comparison wrote for people, and ``model.json`` keeps them as they
are. Two things of them belong beside the levels: which one is recommended, and how far each one's
probabilities lie from those of the reference.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_DIVERGENCE = re.compile(r"KL divergence\s+(?:of\s+)?(\d+(?:\.\d+)?)", re.IGNORECASE)
_RECOMMENDS = re.compile(r"\s+is\s+(?:recommended|the smallest level within tolerance)", re.IGNORECASE)


class Verdict(NamedTuple):
    """Of a model's levels.

    Attributes:
        recommended: a level, "" for none.
        divergence: KL divergence from the reference in nats, as the verdict writes it, by level; a level
            that was not measured is missing.
    """

    recommended: str
    divergence: dict[str, str]


def read_verdict(text: str, levels: Sequence[str]) -> Verdict:
    """Read a verdict.

    A divergence belongs to the level that was named last before it. One that stands before any level
    belongs to none; where a level has two, neither is taken, since nobody could say which one is right.

    Args:
        levels: the names of the model's levels; others are not looked for.
    """
    names = sorted({level for level in levels if level}, key=len, reverse=True)
    if not names:
        return Verdict("", {})
    # A level is a word by itself: Q4_K is none of Q4_K_M, nor Q8_0 of IQ8_0.
    named = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, names))})(?![\w-])")
    mentions = list(named.finditer(text))
    recommended = {mention[0] for mention in mentions if _RECOMMENDS.match(text, mention.end())}
    found: dict[str, list[str]] = {}
    for number in _DIVERGENCE.finditer(text):
        before = [mention[0] for mention in mentions if mention.end() <= number.start()]
        if before:
            found.setdefault(before[-1], []).append(number[1])
    return Verdict(
        recommended.pop() if len(recommended) == 1 else "",
        {level: numbers[0] for level, numbers in found.items() if len(numbers) == 1},
    )
