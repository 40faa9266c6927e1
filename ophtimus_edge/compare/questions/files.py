"""The questions that levels are compared on: multiple choice and essay, from JSONL, CSV or Parquet.

Columns are those of the published data sets: question, option_a … option_e, explanation and answer (a letter
or an option's text, with answer_text where the set has it) for multiple choice; question and answer for
essays. A multiple-choice file without options whose answers are yes and no (PubMedQA) is asked as
``A) True``, ``B) False``, as those sets ask it.

A row that cannot be asked is left out and named, with its number, and so is a question that stands there
twice: counted twice, it would narrow every interval. What is left out is part of the result, so that a
report can say it.
"""

import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar

from ophtimus_edge.compare.questions.parquet import is_parquet, read_parquet_rows
from ophtimus_edge.compare.questions.problems import ComparisonFileError, ComparisonRowError
from ophtimus_edge.models.digests import file_sha256
from ophtimus_edge.models.report import AskedFile
from ophtimus_edge.specialties.question_rows import CHOICE_NEEDED, COLUMNS, OPTIONS, Row, Rows, read_rows
from ophtimus_edge.specialties.questions import ChoiceQuestion, EssayQuestion
from ophtimus_edge.specialties.quiz_file import choice_question, embedded_path, language_of
from ophtimus_edge.specialties.quiz_problems import RowProblem
from ophtimus_edge.text import sanitize

_ASKED = ("question", "answer")
_ESSAY_COLUMNS = ", ".join(_ASKED)
_TRUE_FALSE = {"yes": "A", "no": "B", "true": "A", "false": "B", "maybe": ""}
_MOST_SKIPPED = 100

AnyQuestion = TypeVar("AnyQuestion", ChoiceQuestion, EssayQuestion)


class ComparisonFile(NamedTuple, Generic[AnyQuestion]):
    """The questions of a file.

    Attributes:
        sha256: of its bytes: figures of another run are comparable where it is the same.
        questions: those that can be asked, in the file's order, safe to show; their ids are unique.
        problems: an error for each row that is left out, in the file's order.
        embedded: whether it is the program's own file, or a copy of it: no verdict rests on these alone.
    """

    path: Path
    sha256: str
    questions: tuple[AnyQuestion, ...]
    problems: tuple[ComparisonRowError, ...]
    embedded: bool = False

    def asked(self, part: Literal["mcq", "essay"], used: int) -> AskedFile:
        """What a report says of the file.

        Args:
            part: what it was asked for.
            used: how many of its questions were; the rest was left out for the budget.
        """
        return AskedFile(
            part=part,
            name=self.path.name,
            sha256=self.sha256,
            embedded=self.embedded,
            available=len(self.questions),
            used=used,
            skipped=[problem.message for problem in self.problems[:_MOST_SKIPPED]],
        )


def embedded_choices() -> ComparisonFile[ChoiceQuestion]:
    """The multiple-choice questions that come with the program, held out from its own training data."""
    return read_choices(embedded_path())


def embedded_essays() -> ComparisonFile[EssayQuestion]:
    """The essay questions that come with the program, held out from its own training data."""
    return read_essays(embedded_path())


def read_choices(path: Path) -> ComparisonFile[ChoiceQuestion]:
    """Read multiple-choice questions; essays beside them are passed over.

    Raises:
        QuizFileError: the file cannot be read, lacks a column, or holds no sound multiple-choice question.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    rows = _listed(path)
    answers = [answer for row in rows.rows if (answer := row.cells.get("answer", "").strip().casefold())]
    has_options = any(_has_options(row) for row in rows.rows)
    # Most of them, not all: one odd answer is that row's problem.
    yes_no = not has_options and 2 * sum(answer in _TRUE_FALSE for answer in answers) > len(answers)
    if not has_options and any(row.cells.get("phrasings") for row in rows.rows):
        raise ComparisonFileError("only_essays", path=path, columns=COLUMNS)
    if not yes_no:
        _need_columns(path, rows, CHOICE_NEEDED, COLUMNS)
        rows = rows._replace(rows=[row for row in rows.rows if not _is_essay(row)])

    def made(row: Row, row_id: str) -> ChoiceQuestion:
        is_yes_no = yes_no or is_true_or_false(row)
        return choice_question(true_or_false(row.cells) if is_yes_no else row.cells, row_id)

    return _checked(path, rows, made, _choice_key, "no_choice")


def read_essays(path: Path) -> ComparisonFile[EssayQuestion]:
    """Read essay questions with their expected answers; multiple choice beside them is passed over.

    Raises:
        QuizFileError: the file cannot be read, lacks a column, or holds no sound essay question.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    rows = _listed(path)
    _need_columns(path, rows, _ASKED, _ESSAY_COLUMNS)
    essays = [row for row in rows.rows if not _has_options(row)]
    if not essays:
        raise ComparisonFileError("only_choices", path=path)
    return _checked(path, rows._replace(rows=essays), _essay, _essay_key, "no_essay")


class _Listed(NamedTuple):
    unit: str
    rows: list[Row]


def _listed(path: Path) -> _Listed:
    read: Rows = read_parquet_rows(path, _ASKED) if is_parquet(path) else read_rows(path, _ASKED)
    rows = list(read.rows)
    if not rows:
        raise ComparisonFileError("empty", path=path, columns=COLUMNS)
    return _Listed(read.unit, rows)


def _need_columns(path: Path, rows: _Listed, needed: tuple[str, ...], columns: str) -> None:
    """Refuse a file none of whose rows has a column: a thousand equal errors would say it worse."""
    named = set(chain.from_iterable(row.cells for row in rows.rows))
    missing = [name for name in needed if name not in named]
    if named and missing:
        first = next(row.cells for row in rows.rows if row.cells)
        found = sanitize(", ".join(first))[:200]
        raise ComparisonFileError(
            "no_columns", path=path, missing=", ".join(missing), found=found, columns=columns
        )


def _has_options(row: Row) -> bool:
    return any(row.cells.get(name, "").strip() for name in OPTIONS)


def _is_essay(row: Row) -> bool:
    return bool(row.cells.get("phrasings")) and not _has_options(row)


def is_true_or_false(row: Row) -> bool:
    """Whether a row has the options of PubMedQA beside its answer, yes, no or maybe."""
    options = [text for name in OPTIONS if (text := row.cells.get(name, "").strip().casefold())]
    answer = row.cells.get("answer", "").strip().casefold()
    return options == ["true", "false"] and answer in {"yes", "no", "maybe"}


def true_or_false(cells: dict[str, str]) -> dict[str, str]:
    """A question of PubMedQA as it is asked: yes is A) True, no is B) False.

    Raises:
        RowProblem: its answer is maybe, or neither yes nor no.
    """
    written = cells.get("answer", "").strip()
    answer = written.casefold()
    if answer == "maybe":
        raise RowProblem("maybe")
    if answer and answer not in _TRUE_FALSE:
        raise RowProblem("not_yes_no", answer=sanitize(written)[:80])
    letter = _TRUE_FALSE.get(answer, "")
    return cells | {"option_a": "True", "option_b": "False", "answer": letter, "answer_text": ""}


def _essay(row: Row, row_id: str) -> EssayQuestion:
    cells = {name: sanitize(text).strip() for name, text in row.cells.items()}
    question = cells.get("question", "")
    if not question:
        raise RowProblem("no_question")
    if not cells.get("answer"):
        raise RowProblem("no_reference")
    return EssayQuestion(
        id=cells.get("id") or row_id,
        language=language_of(cells.get("language", ""), question),
        topic=cells.get("topic", ""),
        question=question,
        answer=cells["answer"],
        source=cells.get("source", ""),
        reviewed_by=cells.get("reviewed_by", ""),
        split="heldout",
        phrasings=[],  # a comparison asks the question as it stands
    )


def _choice_key(question: ChoiceQuestion) -> tuple[str, ...]:
    """What makes two questions one: the same words, and the same options in whatever order."""
    return (_folded(question.question), *sorted(_folded(option) for option in question.options))


def _essay_key(question: EssayQuestion) -> tuple[str, ...]:
    return (_folded(question.question),)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _checked(
    path: Path,
    rows: _Listed,
    made: Callable[[Row, str], AnyQuestion],
    key: Callable[[AnyQuestion], tuple[str, ...]],
    none_sound: str,
) -> ComparisonFile[AnyQuestion]:
    questions: dict[int, AnyQuestion] = {}
    first_asked: dict[tuple[str, ...], tuple[int, str]] = {}
    first_named: dict[str, int] = {}
    problems: list[ComparisonRowError] = []
    for row in rows.rows:
        try:
            if row.problem:
                raise row.problem
            question = made(row, f"{rows.unit}-{row.number}")
            first, answer = first_asked.setdefault(key(question), (row.number, _folded(question.answer)))
            if first != row.number:
                if answer != _folded(question.answer) and isinstance(question, ChoiceQuestion):
                    questions.pop(first, None)
                    raise RowProblem("contradiction", unit=rows.unit, first=first)
                raise RowProblem("duplicate", unit=rows.unit, first=first)
            named = first_named.setdefault(question.id, row.number)
            if named != row.number:
                raise RowProblem("same_id", id=question.id[:80], unit=rows.unit, first=named)
            questions[row.number] = question
        except RowProblem as problem:
            problems.append(ComparisonRowError(path.name, rows.unit, row.number, problem))
    if not questions:
        said = problems[0].message if problems else ""
        raise ComparisonFileError(none_sound, path=path, first=said)
    sha256 = file_sha256(path)
    is_embedded = sha256 == _embedded_sha256()
    return ComparisonFile(path, sha256, tuple(questions.values()), tuple(problems), is_embedded)


@cache
def _embedded_sha256() -> str:
    return file_sha256(embedded_path())
