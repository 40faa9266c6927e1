"""What else can be wrong with questions that levels are compared on, beside what the quiz refuses."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from ophtimus_edge.specialties import quiz_problems
from ophtimus_edge.specialties.quiz_problems import QuizFileError, QuizRowError

_TWICE = "A question that is asked twice counts twice in every figure: remove one of them."

FILES: Mapping[str, tuple[str, str]] = MappingProxyType({
    **quiz_problems.FILES,
    "parquet": (
        "{path} is no sound Parquet file: {reason}.",
        "Copy it again, or save it as JSONL with the columns {columns}.",
    ),
    "no_columns": (
        "{path} has no column {missing}; its first row has: {found}.",
        "Name the columns so: {columns}.",
    ),
    "no_choice": (
        "no row of {path} is a sound multiple-choice question; the first: {first}",
        "Mend the rows, or name another file.",
    ),
    "no_essay": (
        "no row of {path} is a sound essay question; the first: {first}",
        "Mend the rows, or name another file.",
    ),
    "only_choices": (
        "{path} holds multiple-choice questions only.",
        "Name it after --mcq; essay questions have the columns question and answer, and no options.",
    ),
    "only_essays": (
        "{path} holds essay questions only.",
        "Name it after --essay; multiple-choice questions have the columns {columns}.",
    ),
})  # fmt: skip
"""Of a file as a whole, by name: what is wrong, and what to do."""

ROWS: Mapping[str, tuple[str, str]] = MappingProxyType({
    **quiz_problems.ROWS,
    "maybe": (
        "its answer is “maybe”, and it is asked as A) True, B) False: no answer could be right.",
        "Remove the row, or give it options of its own.",
    ),
    "not_yes_no": (
        "its answer, “{answer}”, is neither yes nor no, as the others of this file without options are.",
        "Write yes or no, or give it options of its own.",
    ),
    "duplicate": ("it asks the same as {unit} {first}.", _TWICE),
    "contradiction": (
        "it asks the same as {unit} {first} and gives another answer; neither is counted.",
        "Find out which of the two answers is right, and remove the other row.",
    ),
    "same_id": ("its id, “{id}”, is that of {unit} {first} too.", "Give each question an id of its own."),
    "no_reference": ("it has no answer to compare with.", "Write the expected answer in the column answer."),
})  # fmt: skip
"""Of a row, by name: what is wrong, and what to do."""


class ComparisonFileError(QuizFileError):
    """A file of questions cannot be used for a comparison at all."""

    sentences: ClassVar[Mapping[str, tuple[str, str]]] = FILES


class ComparisonRowError(QuizRowError):
    """A row of a file of questions is left out of a comparison."""

    sentences: ClassVar[Mapping[str, tuple[str, str]]] = ROWS
