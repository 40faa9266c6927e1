"""Pairs of answers in a drawn order, with the sides shuffled."""

import random
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from ophtimus_edge.compare.votes.answers import AskedQuestion, LevelAnswer

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
LARGEST_SEED = (1 << 31) - 1


class Pair(NamedTuple):
    """Two levels' answers to one question: ``a`` stands on the left, ``b`` on the right."""

    a: LevelAnswer
    b: LevelAnswer

    @property
    def question(self) -> AskedQuestion:
        """What both answer."""
        return self.a.asked

    def on(self, side: Side) -> LevelAnswer:
        """The answer on a side."""
        return self.a if side == "a" else self.b


class Drawing(NamedTuple):
    """What is shown to one person.

    Attributes:
        seed: that it can be drawn from again.
        same: questions to which both levels gave the same answer: voting on them would tell nothing, so they
            are counted and not shown.
        missing: questions that one of the levels has no answer to.
    """

    seed: int
    pairs: tuple[Pair, ...]
    same: int
    missing: int


def draw(
    answers: Iterable[LevelAnswer], questions: Sequence[AskedQuestion], sha256s: tuple[str, str], seed: int
) -> Drawing:
    """Draw the order of the questions and the sides of the answers.

    Each level stands on the left in half of the pairs (one more or less where they are odd), so that a liking
    for one side counts for neither. The same answers, questions and seed give the same drawing; in whatever
    order the answers were made.

    Args:
        questions: that are to be shown; others' answers are passed over.
        sha256s: of the two levels' files.
    """
    by_file: dict[str, dict[AskedQuestion, LevelAnswer]] = {sha256: {} for sha256 in sha256s}
    for answer in answers:
        if answer.sha256 in by_file and not answer.error:
            by_file[answer.sha256][answer.asked] = answer
    one, other = (by_file[sha256] for sha256 in sha256s)
    both = [question for question in dict.fromkeys(questions) if question in one and question in other]
    differing = sorted(question for question in both if one[question].text != other[question].text)
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    chance.shuffle(differing)
    swapped = [place % 2 == 1 for place in range(len(differing))]
    if len(differing) % 2 and chance.random() < 0.5:
        swapped[-1] = True
    chance.shuffle(swapped)
    pairs = tuple(
        Pair(other[question], one[question]) if swap else Pair(one[question], other[question])
        for question, swap in zip(differing, swapped, strict=True)
    )
    return Drawing(seed, pairs, len(both) - len(pairs), len(set(questions)) - len(both))


def some(questions: Iterable[AskedQuestion], count: int) -> list[AskedQuestion]:
    """So many of the questions, the same ones each time: more of them hold all that fewer do."""
    order = list(questions)
    random.Random(len(order)).shuffle(order)  # noqa: S311
    return order[:count]
