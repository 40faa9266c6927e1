"""The prompts of multiple-choice questions, in the trained form, and the orders of their options.

A model may prefer a letter whatever stands behind it. So a question can be asked in up to four orders: the
written one, and then its options turned round by one, two and three places, so that in as many orders as there
are options each of them stands once at each letter. Where an option speaks of the others ("all of the above",
"A and C"), another order would be another question: such a question is asked as it is written.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ophtimus_edge import specialties
from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.specialties.question_rows import OPTIONS
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion, choice_prompt

MOST_ORDERS = 4
ANSWER_START = "Answer:\n"

_ABOUT_OTHERS = re.compile(
    r"""
    \b(?:all|none|both|any|either|neither|two|each)\b [^.]{0,24}? \b(?:above|these|those|them|options|choices)\b
    | ^(?:all|none|both|neither)\W*$
    | \b(?:options?|choices?|answers?)\s+[A-E]\b
    | ^(?:both|only|either|neither)?\s*\(?[A-E]\)?
        (?:\s*(?:,|/|&|\+|and|or|nor|와|과|또는)\s*\(?[A-E]\)?)+(?:\s+only)?\W*$
    | (?:위|상기|이상)의?\s*(?:보기|항목|선택지|내용)?\s*(?:모두|전부|전체|중|둘\s*다)
    | ^모두\s*(?:해당|맞|옳|정답) | ^해당\s*(?:사항\s*)?없음 | 정답\s*없음
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Asked(NamedTuple):
    """A question in one order of its options.

    Attributes:
        order: which option stands at each letter, by its place in the written order, from 0.
        text: the user's turn.
    """

    question: ChoiceQuestion
    order: tuple[int, ...]
    text: str

    @property
    def letters(self) -> str:
        """The letters of its options."""
        return LETTERS[: len(self.order)]

    @property
    def options(self) -> list[str]:
        """Its options as they are shown."""
        return [self.question.options[place] for place in self.order]

    @property
    def digest(self) -> str:
        """Recognizes what is asked, whatever its id: 32 hexadecimal digits of BLAKE2b."""
        return hashlib.blake2b(f"{system_prompt()}\0{self.text}".encode(), digest_size=16).hexdigest()


def ask(question: ChoiceQuestion, permutations: int = 1) -> list[Asked]:
    """A question in its orders, the written one first.

    Args:
        permutations: orders, from 1 to MOST_ORDERS; not more than it has options, and one where an option
            speaks of the others.
    """
    places = range(len(question.options))
    most = 1 if speaks_of_others(question.options) else max(1, min(permutations, MOST_ORDERS, len(places)))
    return [_asked(question, (*places[turn:], *places[:turn])) for turn in range(most)]


def plan(questions: Sequence[ChoiceQuestion], permutations: int = 1) -> list[Asked]:
    """All questions in the written order, then those that are asked in a second one, and so on."""
    orders = [ask(question, permutations) for question in questions]
    return [every[turn] for turn in range(MOST_ORDERS) for every in orders if turn < len(every)]


def speaks_of_others(options: Sequence[str]) -> bool:
    """Whether an option means the others by their letters or places: "all of the above", "A and C"."""
    return any(_ABOUT_OTHERS.search(option.strip()) for option in options)


def system_prompt() -> str:
    """The one that the models were trained with."""
    return specialties.role_named(specialties.DEFAULT_ROLE).system_prompt


def turns(asked: Asked) -> list[Turn]:
    """The conversation that asks an instruct model."""
    return [Turn("system", system_prompt()), Turn("user", asked.text)]


def turns_up_to_letter(asked: Asked) -> list[Turn]:
    """The conversation behind which the letter stands: the answer is begun, without an explanation."""
    return [*turns(asked), Turn("assistant", ANSWER_START)]


def plain_text(asked: Asked) -> str:
    """What a base model completes: the question, without a role, up to where the letter stands.

    It was never trained to explain first, and knows no end of a turn: it is given the place of the letter.
    """
    return f"{asked.text}\n\n{ANSWER_START}"


def _asked(question: ChoiceQuestion, order: tuple[int, ...]) -> Asked:
    options = question.options
    shown = {name: options[place] for name, place in zip(OPTIONS, order, strict=False)}
    return Asked(question, order, choice_prompt(msgspec.structs.replace(question, **shown)))
