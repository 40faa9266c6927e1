"""A part of the questions that stands for all of them, where time does not allow for more.

Languages and topics have the shares in it that they have in the whole. The same seed always gives the same
part, on every machine, and a larger part holds the smaller one: who allows for more time later keeps what was
measured.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.specialties.questions import Question

AnyQuestion = TypeVar("AnyQuestion", bound=Question)


def sample(questions: Sequence[AnyQuestion], count: int, seed: int = 0) -> tuple[AnyQuestion, ...]:
    """A stratified sample of questions, over languages and the topics in each.

    The i-th of a stratum's n questions, in an order that the seed shuffles, stands at (i + u) / n of the way,
    and the first ``count`` of all are taken: every stratum is gone through at the same pace.

    Args:
        questions: with ids that are unique.
        count: how many to take; all of them where there are fewer.
        seed: gives another sample of the same kind.

    Returns:
        The sample in the order of ``questions``.

    Raises:
        ComparisonError: the sample would be empty.
    """
    if count < 1:
        raise ComparisonError(
            f"A sample of {count} questions says nothing.",
            "Allow for at least one question, or leave them out.",
        )
    if count >= len(questions):
        return tuple(questions)
    topics: dict[tuple[str, str], list[AnyQuestion]] = defaultdict(list)
    for question in questions:
        topics[question.language, question.topic].append(question)
    languages: dict[str, list[tuple[float, AnyQuestion]]] = defaultdict(list)
    for (language, topic), asked in topics.items():
        start = _shuffled(seed, "topic", language, topic)
        asked.sort(key=lambda question: _shuffled(seed, "question", question.id))
        languages[language] += [
            ((place + start) / len(asked), question) for place, question in enumerate(asked)
        ]
    ranked: list[tuple[float, float, str]] = []
    for language, placed in languages.items():
        placed.sort(key=lambda pair: (pair[0], pair[1].id))
        # From the middle of each step: a language with a tenth of the questions has one in the first ten.
        ranked += [
            ((place + 0.5) / len(placed), _shuffled(seed, "language", language), question.id)
            for place, (_, question) in enumerate(placed)
        ]
    taken = {question_id for *_, question_id in sorted(ranked)[:count]}
    return tuple(question for question in questions if question.id in taken)


def _shuffled(seed: int, *names: str) -> float:
    """A number from 0 to 1 that depends on nothing but the seed and the names."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)
