"""What can be wrong with a file of quiz questions, or with one row of it.

Each problem has a name and the values that belong to it, so that whoever shows it can say it in another
language; the English sentences stand here, beside the reading that finds them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from ophtimus_edge.errors import TrainingDataError

_KEPT = "The other rows count all the same."
_UTF8 = "Save it as UTF-8 (Excel: Save As, CSV UTF-8) and open it again."
_ANSWER = "Write the answer as the text of the right option, or as its letter."
_ONE_OBJECT = 'Write one object a line, such as {{"question": "…", "option_a": "…", …}}.'

FILES: Mapping[str, tuple[str, str]] = MappingProxyType({
    "list": (
        "{path} is one JSON list, not an object a line.",
        "Write it as JSONL: each question as an object on a line of its own.",
    ),
    "empty": ("there are no questions in {path}.", "Write a question a row, with the columns {columns}."),
    "folder": ("{path} is not a file.", "Name a JSONL or CSV file with questions."),
    "missing": ("{path} does not exist.", "Name a JSONL or CSV file with questions."),
    "large": ("{path} is larger than {most} MiB.", "Split it, or check that it is the right file."),
    "unreadable": ("{path} cannot be read: {reason}.", "Check the path, and that you may read the file."),
    "workbook": (
        "{path} is an Excel workbook or an archive, not a text file.",
        "Open it in Excel and save it as CSV UTF-8, with the columns {columns}.",
    ),
    "encoding": ("{path} is neither UTF-8 nor Korean text in CP949, from line {line} on.", _UTF8),
    "binary": ("{path} is not a text file: it holds zero bytes.", _UTF8),
    "columns": (
        "{path} has no column {missing}; its first row has: {found}.",
        "Name the columns in the first row: {columns}.",
    ),
    "twice": ("{path} has two columns named {column}.", "Give each column its own name."),
})  # fmt: skip
"""Of a file as a whole, by name: what is wrong, and what to do."""

ROWS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "no_object": ("it is not a JSON object ({reason}).", _ONE_OBJECT),
    "no_text": ("its {column} is neither text nor a number.", 'Write it as text in double quotes: "…".'),
    "cells": (
        "it has {cells} cells, and the header has {columns}.",
        'Put a text that holds the sign {sign} into double quotes: "…".',
    ),
    "quotes": (
        "it is not sound CSV ({reason}), so the rows from here on are not read.",
        "Close every double quote, and write a quote inside a text twice.",
    ),
    "no_question": ("it has no question.", "Write the question in the column question."),
    "few_options": ("it has fewer than two options.", "Write at least option_a and option_b."),
    "gap": ("{column} is empty and a later option is not.", "Move the later options up."),
    "same_options": ("two of its options are the same.", "Make each option different."),
    "language": ("its language is “{language}”.", "Write en or ko, or leave it empty."),
    "no_answer": ("it has no answer.", _ANSWER),
    "answer": ("its answer, “{answer}”, is none of its options.", _ANSWER),
    "answers": ("its answer, “{answer}” and “{text}”, does not name one option.", _ANSWER),
    "answer_text": ("its answer, “{answer}”, does not name one option.", _ANSWER),
    "ambiguous": (
        "its answer, “{answer}”, is the letter of one option and the text of another.",
        "Write both: {both}.",
    ),
})  # fmt: skip
"""Of a row, by name: what is wrong, and what to do."""


class QuizFileError(TrainingDataError):
    """A file of questions cannot be used at all.

    Attributes:
        problem: its name in :data:`FILES`.
        values: what the sentences are filled in with.
        sentences: every problem, by name; other readers have more of them.
    """

    sentences: ClassVar[Mapping[str, tuple[str, str]]] = FILES

    def __init__(self, problem: str, **values: object) -> None:
        message, hint = (sentence.format(**values) for sentence in self.sentences[problem])
        super().__init__(message, hint)
        self.problem = problem
        self.values = values


class QuizRowError(TrainingDataError):
    """A row of a file of questions cannot be asked.

    Attributes:
        unit: ``line`` of JSONL, ``row`` of CSV.
        number: as an editor or a spreadsheet numbers it.
        problem: its name in :data:`ROWS`.
        values: what the sentences are filled in with.
        sentences: every problem, by name; other readers have more of them.
    """

    sentences: ClassVar[Mapping[str, tuple[str, str]]] = ROWS

    def __init__(self, file: str, unit: str, number: int, problem: "RowProblem") -> None:
        message, hint = (sentence.format(**problem.values) for sentence in self.sentences[problem.name])
        super().__init__(f"{file}, {unit} {number}: {message}", f"{hint} {_KEPT}")
        self.unit = unit
        self.number = number
        self.problem = problem.name
        self.values = problem.values


class RowProblem(Exception):  # noqa: N818 (it becomes a QuizRowError once its row is known)
    """Why a row cannot be asked, before it is known which row of which file it is."""

    def __init__(self, name: str, **values: object) -> None:
        super().__init__(name, values)
        self.name = name
        self.values = values
