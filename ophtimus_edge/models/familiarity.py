"""Whether a question is like those that a small model was trained on.

The demonstration model knows a few hundred questions by heart and makes things up about any other.
Questions are compared as bags of letter trigrams (of two syllables in Korean), weighted by how rare
each is among the known questions: the cosine of two TF-IDF vectors.
"""

import math
import re
from collections import Counter
from pathlib import Path

import msgspec

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.text import sanitize

# Chosen on the primer: see docs/benchmarks.md, "Notice for unfamiliar questions".
THRESHOLD = 0.62

_WORD = re.compile(r"[^\W_]+")


class KnownQuestion(msgspec.Struct, frozen=True):
    """A question that the model was trained on, in each wording that was trained."""

    id: str
    language: str
    wordings: list[str]


class Familiarity(msgspec.Struct, frozen=True):
    """How close a question is to the known ones.

    Attributes:
        score: cosine with the closest wording, 0 to 1.
        nearest: the three closest questions in the asker's language, closest first; as they may be shown.
    """

    score: float
    nearest: list[str]

    @property
    def familiar(self) -> bool:
        """Whether the model can be expected to know this question."""
        return self.score >= THRESHOLD


class KnownQuestions:
    """The questions that a model was trained on, ready for comparison."""

    def __init__(self, questions: list[KnownQuestion]) -> None:
        self._questions = questions
        bags = [(index, _bag(text)) for index, known in enumerate(questions) for text in known.wordings]
        frequency = Counter(feature for _, bag in bags for feature in bag)
        self._weight = {feature: math.log(1 + len(bags) / count) for feature, count in frequency.items()}
        self._unknown = math.log(1 + len(bags))
        self._vectors = [(index, self._vector(bag)) for index, bag in bags]

    def compare(self, question: str) -> Familiarity:
        """How close a question is to the known ones."""
        vector = self._vector(_bag(question))
        best: dict[int, float] = {}
        for index, known in self._vectors:
            small, large = (vector, known) if len(vector) < len(known) else (known, vector)
            score = sum(weight * large[feature] for feature, weight in small.items() if feature in large)
            best[index] = max(score, best.get(index, 0.0))
        language = "ko" if re.search("[가-힣]", question) else "en"
        order = sorted(best, key=lambda index: (-best[index], index))
        nearest = [self._questions[index].wordings[0] for index in order
                   if self._questions[index].language == language]  # fmt: skip
        nearest = [" ".join(sanitize(wording).split()) for wording in nearest[:3]]
        return Familiarity(score=max(best.values(), default=0.0), nearest=nearest)

    def _vector(self, bag: Counter[str]) -> dict[str, float]:
        weights = {
            feature: count * self._weight.get(feature, self._unknown) for feature, count in bag.items()
        }
        norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {feature: weight / norm for feature, weight in weights.items()}


def read_known_questions(path: Path) -> KnownQuestions:
    """Read a model folder's known questions (JSONL).

    Raises:
        InvalidModelError: the file is missing or damaged.
    """
    try:
        lines = path.read_bytes().splitlines()
        return KnownQuestions([msgspec.json.decode(line, type=KnownQuestion) for line in lines])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidModelError(
            f"{path} cannot be read: {error}.", "Copy the whole model folder again from its source."
        ) from error


def _bag(text: str) -> Counter[str]:
    bag: Counter[str] = Counter()
    for word in _WORD.findall(text.lower()):
        size = 2 if re.search("[가-힣]", word) else 3
        padded = f" {word} "
        bag.update(padded[at : at + size] for at in range(len(padded) - size + 1))
    return bag
