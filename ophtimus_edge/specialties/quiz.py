"""The multiple-choice quiz of the teaching role, without a screen: draw, ask, mark, keep the score."""

import random
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion

# A letter that stands alone. "A" is an article too, so it counts only where no article can stand.
_LETTER = re.compile(
    r"(?<![A-Za-z0-9])[B-E](?![A-Za-z0-9]|-[a-z])"
    r"|(?<![A-Za-z0-9])A(?=\s*(?:[),.:;/&+]|$)|\s+(?:and|or|is|was|are|to|only|alone)\b|[가-힣])"
    r"|\([a-e]\)|(?<!\w)[a-e]\)"
)
_PLACE = re.compile(
    r"\b(?:options?|answers?|choices?|alternatives?)\s+(?:\(?[A-Ea-e]\b|\d)"
    r"|\b(?:first|second|third|fourth|fifth|last|previous|preceding|above|below|following)"
    r"(?:\s+(?:two|three|four))?\s+(?:options?|answers?|choices|alternatives?)\b"  # "first choice" is a treatment
    r"|\b(?:options?|answers?|choices?)\s+(?:above|below)\b"
    r"|\b(?:all|none|both|any|either|neither|each|two|three)\s+of\s+(?:the\s+)?"
    r"(?:above|below|preceding|previous|these|those|them|other|others|options|answers|choices)\b"
    r"|[①-⑤]|\d\s*번|보기|선지|선택지|상기|(?:위|이상|앞)(?:의|에서)?\s*(?:모두|모든|답|항목|것|없음|전부)",
    re.IGNORECASE,
)
# These words mean the other options only where they are an option, or begin one.
_OPTION = re.compile(r"\s*(?:(?:both|neither|all|none|either)\b|모두|전부|둘 다|없음|해당)", re.IGNORECASE)


class Mark(NamedTuple):
    """A question that was answered.

    Attributes:
        question: with its options in the order in which they were shown.
        chosen: the place of the option that was chosen, from 0.
    """

    question: ChoiceQuestion
    chosen: int

    @property
    def place(self) -> int:
        """The place of the right option, from 0."""
        return LETTERS.index(self.question.letter)

    @property
    def right(self) -> bool:
        """Whether the right option was chosen."""
        return self.chosen == self.place


class Score(NamedTuple):
    """How many of the questions that were answered were answered right."""

    right: int
    answered: int


class Quiz:
    """Questions asked one after another, each answered once."""

    def __init__(self, questions: Sequence[ChoiceQuestion], seed: int) -> None:
        self._questions = tuple(questions)
        self._seed = seed
        self._marks: list[Mark] = []

    @property
    def total(self) -> int:
        """How many questions it has."""
        return len(self._questions)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What was answered, in order."""
        return tuple(self._marks)

    @property
    def current(self) -> ChoiceQuestion | None:
        """The question to answer, or None when all are answered."""
        return self._questions[len(self._marks)] if len(self._marks) < self.total else None

    def answer(self, chosen: int) -> Mark:
        """Answer the current question with the option at this place, counted from 0.

        Raises:
            IndexError: there is no current question, or it has no such option.
        """
        question = self._questions[len(self._marks)]
        if not 0 <= chosen < len(question.options):
            raise IndexError(chosen)
        mark = Mark(question, chosen)
        self._marks.append(mark)
        return mark

    @property
    def score(self) -> Score:
        """Of all that was answered."""
        return Score(sum(mark.right for mark in self._marks), len(self._marks))

    def by_topic(self) -> dict[str, Score]:
        """The score of each topic, in the order of the topics' names."""
        scores: dict[str, Score] = {}
        for mark in self._marks:
            before = scores.get(mark.question.topic, Score(0, 0))
            scores[mark.question.topic] = Score(before.right + mark.right, before.answered + 1)
        return dict(sorted(scores.items()))

    @property
    def wrong(self) -> tuple[Mark, ...]:
        """What was answered wrong, in order."""
        return tuple(mark for mark in self._marks if not mark.right)

    def again(self) -> "Quiz":
        """The questions that were answered wrong, in another order and with their options in another."""
        return _shuffled([mark.question for mark in self.wrong], self._seed + 1)


def languages(questions: Sequence[ChoiceQuestion]) -> dict[str, int]:
    """How many questions there are in English and in Korean; 0 where there are none."""
    return {
        language: sum(question.language == language for question in questions) for language in ("en", "ko")
    }


def topics(questions: Sequence[ChoiceQuestion], language: str) -> dict[str, int]:
    """How many questions in a language each topic has, in the order of the topics' names."""
    counts = Counter(question.topic for question in questions if question.language == language)
    return dict(sorted(counts.items()))


def draw(
    questions: Sequence[ChoiceQuestion],
    *,
    count: int,
    seed: int,
    topic: str | None = None,
    language: str | None = None,
) -> Quiz:
    """Draw questions at random, without repetition; the same seed draws the same quiz.

    Args:
        count: how many; where there are fewer, all of them are asked.
        topic: of one topic only; None for all.
        language: in one language only; None for all.
    """
    fitting = [
        question
        for question in questions
        if topic in (None, question.topic) and language in (None, question.language)
    ]
    chance = random.Random(seed)  # noqa: S311 (a quiz, not a secret)
    return _shuffled(chance.sample(fitting, min(count, len(fitting))), seed)


def keeps_order(question: ChoiceQuestion) -> bool:
    """Whether the options must stay in the file's order.

    They must where the explanation or an option names a letter or a place ("B and C", "all of the
    above", "보기 3번"): in another order it would be wrong. The rule is wide on purpose. Where it takes
    "vitamin A" for a letter, a question keeps its order, which does no harm; the other mistake would.
    """
    texts = [*question.options, question.explanation]
    return any(_LETTER.search(text) or _PLACE.search(text) for text in texts) or any(
        _OPTION.match(option) for option in question.options
    )


@cache
def topic_titles(specialty: str = DEFAULT_SPECIALTY) -> dict[str, dict[str, str]]:
    """The topics of a field, by name: their titles by language (``en``, ``ko``)."""
    text = (specialty_folder(specialty) / "topics.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, dict[str, str]])


def topic_title(topic: str, language: str) -> str:
    """A topic's title; a topic that the field does not have is called by its name."""
    return topic_titles().get(topic, {}).get(language, topic)


def _shuffled(questions: list[ChoiceQuestion], seed: int) -> Quiz:
    chance = random.Random(seed)  # noqa: S311 (a quiz, not a secret)
    chance.shuffle(questions)
    return Quiz([_with_shuffled_options(question, chance) for question in questions], seed)


def _with_shuffled_options(question: ChoiceQuestion, chance: random.Random) -> ChoiceQuestion:
    if keeps_order(question):
        return question
    options = list(question.options)
    chance.shuffle(options)
    named = {f"option_{letter.lower()}": option for letter, option in zip(LETTERS, options, strict=False)}
    return msgspec.structs.replace(question, **named)
