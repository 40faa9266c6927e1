"""What is measured of a level's multiple choice: one record for each question, order and way of reading."""

from typing import Literal

import msgspec

Measured = Literal["letters", "generated"]
Key = tuple[Measured, str, str]


class ChoiceRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question in one order of its options, measured in one way.

    Attributes:
        digest: recognizes what was asked.
        order: which option stood at each letter, by its place in the written order, from 0.
        measured: ``generated`` and parsed, or the likelihood of the ``letters``.
        text: generated; "" for letters.
        letter: the letter that was parsed, "" for none, and for letters.
        how: it was parsed; "" for letters. ``too long`` in either way: the question does not fit the context.
        cut_short: whether the answer ended at the length limit.
        probabilities: of the question's letters in their order, adding up to 1; empty for generated.
        mass: the probability that one of them comes next at all, from 0 to 1.
        context: tokens of the context that the question did not fit; 0 where it did.
    """

    question_id: str
    digest: str
    order: list[int]
    measured: Measured
    text: str = ""
    letter: str = ""
    how: Literal["", "strict", "fallback", "unparsed", "too long"] = ""
    cut_short: bool = False
    probabilities: list[float] = []
    mass: float = 0.0
    context: int = 0

    @property
    def key(self) -> Key:
        """What it measured: two records with one key are of the same."""
        return self.measured, self.question_id, self.digest

    def is_known(self, context: int) -> bool:
        """Whether it need not be measured again by a model that holds so many tokens of context.

        Where memory was short, the context was short too, and a question too long for it may fit another time.
        """
        return self.how != "too long" or self.context >= context
