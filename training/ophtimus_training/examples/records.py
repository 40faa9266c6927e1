"""The rows of a file as what is trained on, one after the other, each with its place."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.compare.questions.problems import ComparisonRowError
from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.models.store import sha256_of
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.question_rows import Row
from ophtimus_edge.specialties.questions import (
    ChoiceQuestion,
    EssayQuestion,
    choice_prompt,
    choice_reply,
    read_questions,
)
from ophtimus_edge.specialties.quiz_problems import RowProblem
from ophtimus_edge.text import sanitize
from ophtimus_training import primer as primers
from ophtimus_training.examples import forms, tables
from ophtimus_training.examples.manifest import Split
from ophtimus_training.examples.sources import DataFile
from ophtimus_training.primer import Exchange

_TOLD_EVERY = 1000  # rows
_HELD_OUT = {"heldout", "held-out", "test", "validation", "valid", "val", "dev", "eval"}

Told = Callable[[str, int], None]


class SourceFile(NamedTuple):
    """A file that was read: for cards and reports.

    Attributes:
        name: the file's, behind that of its folder or hub id.
        rows: that were taken of it.
    """

    name: str
    sha256: str
    rows: int


class Account(NamedTuple):
    """What was read and what was left out, filled in while rows are taken.

    Attributes:
        files: each is added behind its last row.
        left_rows: one sentence for each row that is left out.
        left_files: one for each file that is.
    """

    files: list[SourceFile]
    left_rows: list[str]
    left_files: list[str]


class Record(NamedTuple):
    """A sound row.

    Attributes:
        place: its file, and its number there as an editor or a spreadsheet has it.
        content: a prompt with its answer, a document, or a window of token ids.
        choice: the question, where it is multiple choice.
        subject: what the row says it is about, or ""; of this project's own questions, their field.
    """

    place: str
    content: Exchange | str | list[int]
    choice: ChoiceQuestion | None = None
    subject: str = ""


def of_file(file: DataFile, split: Split, account: Account, on_progress: Told) -> Iterator[Record]:
    """The sound rows of a file.

    Args:
        split: what the file was named for: a row that says itself that it is held out is not trained on.
        on_progress: told the file's name and how many of its rows were read.

    Raises:
        TrainingDataError: the file cannot be read, lacks the columns, or holds no row, or no sound one.
    """
    rows = taken = 0
    left = len(account.left_rows)
    has_windows = tables.has_windows(file.path)
    for record in _windows(file) if has_windows else _texts(file, split):
        rows += 1
        if rows % _TOLD_EVERY == 0:
            on_progress(file.name, rows)
        if isinstance(record, Record):
            taken += 1
            yield record
        else:
            account.left_rows.append(record)
    if not rows:
        raise TrainingDataError(f"{file.path} is empty: it holds no row.", "Name another file.")
    if not taken:
        raise TrainingDataError(
            f"no row of {file.path} can be used; the first: {account.left_rows[left]}",
            "Mend the rows, or name another file.",
        )
    on_progress(file.name, rows)
    account.files.append(SourceFile(file.name, sha256_of(file.path), taken))


def of_primer(folder: Path, split: Split, account: Account) -> Iterator[Record]:
    """The questions of one split of a folder of question files: essays in their trained wordings, then choices.

    Held-out essays are asked as they stand, in one wording.

    Raises:
        TrainingDataError: a file is missing or damaged, or a question is in both splits.
    """
    primer = primers.read(folder)
    essays, choices = (
        (primer.essays, primer.choices)
        if split == "train"
        else (primer.heldout_essays, primer.heldout_choices)
    )
    for essay in essays:
        for wording in essay.trained_wordings if split == "train" else [essay.question]:
            yield Record(
                f"{folder.name}, {essay.id}", Exchange(wording, essay.answer), None, DEFAULT_SPECIALTY
            )
    for choice in choices:
        asked = Exchange(choice_prompt(choice), choice_reply(choice))
        yield Record(f"{folder.name}, {choice.id}", asked, choice, DEFAULT_SPECIALTY)
    for kind, of in (("essay", EssayQuestion), ("mcq", ChoiceQuestion)):
        for path in sorted((folder / kind).glob("*.jsonl")):
            rows = sum(question.split == split for question in read_questions(path, of))
            account.files.append(SourceFile(f"{folder.name}/{kind}/{path.name}", sha256_of(path), rows))


def _texts(file: DataFile, split: Split) -> Iterator[Record | str]:
    """Each row as a record, or as the sentence that says why it is left out."""
    read = tables.rows_of(file.path)
    rows = _checked(file.path, read.rows)
    first_choice: int | None = None
    for row in rows:
        if "cop" in row.cells and first_choice is None:
            first_choice = _first_choice(file.path)
        place = f"{file.name}, {read.unit} {row.number}"
        try:
            if row.problem:
                raise row.problem
            if split == "train" and row.cells.get("split", "").strip().casefold() in _HELD_OUT:
                raise forms.Unusable("says of itself that it is held out")
            found = forms.content(row.cells, f"{read.unit}-{row.number}", first_choice or 0)
        except RowProblem as problem:
            yield ComparisonRowError(file.name, read.unit, row.number, problem).message
        except forms.Unusable as why:
            yield f"{place}: it {why}."
        else:
            yield Record(place, found.of, found.choice, forms.subject(row.cells))


def _checked(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows of a file whose first sound row has known columns: a thousand equal sentences would say it worse."""
    before: list[Row] = []
    for row in rows:
        before.append(row)
        if row.problem:
            continue
        if not forms.is_known(set(row.cells)):
            found = sanitize(", ".join(name for name in row.cells if name))[:200]
            raise TrainingDataError(
                f"{path} has none of the columns that are trained on; its first row has: {found}.",
                f"Name the columns so: {forms.COLUMNS}.",
            )
        break
    return itertools.chain(before, rows)


def _first_choice(path: Path) -> int:
    """By which number ``cop`` names option A in a file of MedMCQA.

    Raises:
        TrainingDataError: it cannot be told. Taken wrongly, every answer would be another option.
    """
    numbers = {row.cells.get("cop", "").strip() for row in tables.rows_of(path).rows}
    if "0" in numbers and "4" not in numbers:
        return 0
    if "4" in numbers and "0" not in numbers:
        return 1
    raise TrainingDataError(
        f"{path}: whether its column cop counts the options from 0 or from 1 cannot be told.",
        "Write the right options as letters or texts in a column answer.",
    )


def _windows(file: DataFile) -> Iterator[Record | str]:
    for number, window in enumerate(tables.windows(file.path), start=1):
        place = f"{file.name}, row {number}"
        if window and min(window) >= 0:
            yield Record(place, window)
        else:
            yield f"{place}: it {'has a token id below 0' if window else 'has no input_ids'}."
