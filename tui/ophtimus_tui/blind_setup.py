"""What a blind test is set to before it begins: which model, which two of its levels, which questions."""

from collections.abc import Sequence
from dataclasses import dataclass

from ophtimus_edge.compare.questions.files import ComparisonFile
from ophtimus_edge.compare.votes.answers import AskedQuestion
from ophtimus_edge.compare.votes.drawing import some
from ophtimus_edge.models.formats import Level, ModelFolder
from ophtimus_edge.models.inventory import StoredModel
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.specialties.questions import EssayQuestion

COUNTS = (10, 20, 30, 50, 100)
_USUAL = 20


@dataclass(frozen=True)
class Offered:
    """A model that two levels can be compared of.

    Attributes:
        name: by which it is chosen.
    """

    name: str
    description: ModelFolder

    def level(self, name: str) -> Level | None:
        """A level by its name."""
        return self.description.level_named(name)


def offered(models: Sequence[StoredModel]) -> list[Offered]:
    """The models with two levels or more."""
    return [
        Offered(model.name, model.description)
        for model in models
        if model.description is not None and len({level.level for level in model.description.levels}) > 1
    ]


class Setup:
    """What is chosen.

    Attributes:
        models: at least one.
        level, reference: two levels of the model; which of them stands where is nobody's choice.
        language: of the questions; "" for all.
    """

    def __init__(
        self, models: Sequence[Offered], file: ComparisonFile[EssayQuestion], current: ChosenModel | None
    ) -> None:
        self.models = list(models)
        self.file = file
        self.language = ""
        self.count = _USUAL
        self.model = next((one for one in models if current and one.description == current.folder), models[0])
        self.level = self.reference = ""
        self.choose_model(self.model, current.level if current and self._is(current) else "")

    def _is(self, current: ChosenModel) -> bool:
        return self.model.description == current.folder

    def choose_model(self, model: Offered, level: str = "") -> None:
        """Take a model, with its default level (or the one that is given) beside the largest other one."""
        self.model = model
        self.choose_level(level or model.description.default_level)

    def choose_level(self, level: str) -> None:
        """Take a level; the other one stays where it can, else it is the largest of the others."""
        self.level = level
        if self.reference == level or self.model.level(self.reference) is None:
            others = [one for one in self.model.description.levels if one.level != level]
            self.reference = max(others, key=lambda one: one.size_bytes).level

    def choose_reference(self, reference: str) -> None:
        """Take the other level."""
        if self.level == reference:
            self.level = self.reference
        self.reference = reference

    def choose_file(self, file: ComparisonFile[EssayQuestion]) -> None:
        """Take other questions."""
        self.file, self.language = file, ""

    @property
    def languages(self) -> list[str]:
        """The languages that questions are in."""
        return sorted({question.language for question in self.file.questions})

    def next_language(self) -> None:
        """The next language; all of them once around."""
        choices = ["", *self.languages]
        self.language = choices[(choices.index(self.language) + 1) % len(choices)]

    def next_count(self) -> None:
        """The next of the numbers of questions that there are enough for, then all of them."""
        most = len(self.available)
        choices = [count for count in COUNTS if count < most] + [most]
        self.count = next((count for count in choices if count > self.count), choices[0])

    @property
    def available(self) -> list[AskedQuestion]:
        """The questions of the language."""
        return [
            AskedQuestion(question.id, question.question)
            for question in self.file.questions
            if self.language in {"", question.language}
        ]

    @property
    def questions(self) -> list[AskedQuestion]:
        """Those that are asked."""
        return some(self.available, self.count)
