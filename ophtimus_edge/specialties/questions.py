"""Question files: essay and multiple-choice questions as JSONL, and the prompt they are asked with.

The columns are those of the published Ophtimus data sets (question, answer; question, option_a …
option_e, explanation, answer), with what this project adds: an id, the language, the topic, the kind
of knowledge an answer rests on, who reviewed it, and the split it belongs to.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from ophtimus_edge.errors import TrainingDataError

LETTERS = "ABCDE"
NOT_REVIEWED = "not reviewed by a physician"


class Question(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What essay and multiple-choice questions have in common.

    Attributes:
        id: unique; ends in the language. A translation shares all but that ending.
        source: the kind of textbook or guideline knowledge that the answer rests on.
        reviewed_by: the physician who read it, or "" (not reviewed by a physician).
        split: ``heldout`` questions are never trained on, in any phrasing or language.
    """

    id: str
    language: Literal["en", "ko"]
    topic: str
    question: str
    answer: str
    source: str
    reviewed_by: str
    split: Literal["train", "heldout"]

    @property
    def group(self) -> str:
        """The id without its language: a question and its translations have one group."""
        return self.id.rsplit("-", 1)[0]

    @property
    def review(self) -> str:
        """Who reviewed it, in words to show."""
        return f"reviewed by {self.reviewed_by}" if self.reviewed_by else NOT_REVIEWED


class EssayQuestion(Question, kw_only=True, forbid_unknown_fields=True):
    """A question with a written answer.

    Attributes:
        phrasings: other wordings of the same question, at least three. All but the last are trained
            on: that one shows whether a model understood the question or only its letters.
    """

    phrasings: list[str]

    @property
    def trained_wordings(self) -> list[str]:
        """The wordings that a model of this data may be trained on."""
        return [self.question, *self.phrasings[:-1]]

    @property
    def unseen_wording(self) -> str:
        """The wording that no model is trained on."""
        return self.phrasings[-1]


class ChoiceQuestion(Question, kw_only=True, forbid_unknown_fields=True):
    """A multiple-choice question; ``answer`` is the text of the right option, as in the data sets."""

    option_a: str
    option_b: str
    option_c: str = ""
    option_d: str = ""
    option_e: str = ""
    explanation: str = ""

    @property
    def options(self) -> list[str]:
        """The options in order, without the absent ones."""
        every = [self.option_a, self.option_b, self.option_c, self.option_d, self.option_e]
        return [option for option in every if option]

    @property
    def letter(self) -> str:
        """The letter of the right option.

        Raises:
            TrainingDataError: the answer is not one of the options.
        """
        if self.options.count(self.answer) != 1:
            raise TrainingDataError(
                f"question {self.id}: the answer is not exactly one of its options.",
                "Write the answer as the text of the right option.",
            )
        return LETTERS[self.options.index(self.answer)]


def choice_prompt(question: ChoiceQuestion) -> str:
    """The user turn of a multiple-choice question, as the Ophtimus models were trained on it."""
    options = "\n".join(
        f"{letter}) {option}" for letter, option in zip(LETTERS, question.options, strict=False)
    )
    return f"Question:\n{question.question}\n\nOptions:\n{options}"


def choice_reply(question: ChoiceQuestion) -> str:
    """The assistant turn of a multiple-choice question, as the Ophtimus models were trained on it."""
    return f"Explanation:\n{question.explanation}\n\nAnswer:\n{question.letter}) {question.answer}"


QuestionT = TypeVar("QuestionT", bound=Question)


def read_questions(path: Path, kind: type[QuestionT]) -> Iterator[QuestionT]:
    """Read a JSONL question file, a row at a time.

    Raises:
        TrainingDataError: the file cannot be read, or a line is not a question of this kind.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingDataError(f"{path} cannot be read: {error}.", "Check the path and the file.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            raise TrainingDataError(
                f"{path}, line {number} is not a question: {error}.", "Mend the line, or remove it."
            ) from error


def read_folder(folder: Path, kind: type[QuestionT]) -> list[QuestionT]:
    """All questions of a folder of JSONL files, in the order of their file names.

    Raises:
        TrainingDataError: the folder holds no question file, or one of them is damaged.
    """
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise TrainingDataError(
            f"there are no question files in {folder}.", "Name a folder with .jsonl files."
        )
    return [question for file in files for question in read_questions(file, kind)]
