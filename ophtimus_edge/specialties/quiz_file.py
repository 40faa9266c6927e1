"""Multiple-choice questions for the quiz: the embedded file's, or those of a file that a person names.

A file has the columns of the published data sets: question, option_a … option_e, explanation, answer.
The training sets write the answer as the option's text, the evaluation set as its letter beside
``answer_text``; both are read. The project's own columns (id, language, topic, reviewed_by) may stand
beside them, and any other is passed over.

A row that cannot be asked is an error of its own, with its number and what to do; the sound rows beside
it count. Rows are numbered as an editor or a spreadsheet numbers them, so that they can be found there:
lines of JSONL from 1, rows of CSV with the header as row 1.
"""

import re
import unicodedata
from pathlib import Path
from typing import Literal, NamedTuple

from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.question_rows import COLUMNS, OPTIONS, read_rows
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion
from ophtimus_edge.specialties.quiz_problems import QuizFileError, QuizRowError, RowProblem
from ophtimus_edge.text import sanitize

_LANGUAGES: dict[str, Literal["en", "ko"]] = {
    "en": "en", "eng": "en", "english": "en", "영어": "en",
    "ko": "ko", "kor": "ko", "korean": "ko", "한국어": "ko",
}  # fmt: skip
_HANGUL = re.compile("[가-힣]")
_LETTERED = re.compile(r"\s*(?:option[\s_]*)?\(?([A-Ea-e])(?:\s*[).:]\s*(.*))?\s*", re.DOTALL | re.IGNORECASE)


class QuizFile(NamedTuple):
    """What a file of questions holds.

    Attributes:
        questions: its multiple-choice questions, in the file's order, safe to show.
        problems: an error for each row that cannot be asked, in the file's order.
    """

    path: Path
    questions: tuple[ChoiceQuestion, ...]
    problems: tuple[QuizRowError, ...]


def embedded_path() -> Path:
    """The questions that come with the program."""
    return specialty_folder(DEFAULT_SPECIALTY) / "questions.jsonl"


def read_quiz_file(path: Path) -> QuizFile:
    """Read the multiple-choice questions of a JSONL or CSV file; essay questions are passed over.

    The text is UTF-8 with or without a byte order mark, UTF-16 with one, or CP949, which Korean Excel
    writes.

    Raises:
        QuizFileError: the file cannot be read, is no text, lacks a column that every question needs, or
            holds no row at all.
    """
    unit, numbered = read_rows(path)
    questions: list[ChoiceQuestion] = []
    problems: list[QuizRowError] = []
    rows = 0
    for row in numbered:
        rows += 1
        if "phrasings" in row.cells and not any(row.cells.get(name) for name in OPTIONS):
            continue  # an essay question: the embedded file has both kinds
        try:
            if row.problem:
                raise row.problem
            questions.append(choice_question(row.cells, f"{unit}-{row.number}"))
        except RowProblem as problem:
            problems.append(QuizRowError(path.name, unit, row.number, problem))
    if not rows:
        raise QuizFileError("empty", path=path, columns=COLUMNS)
    return QuizFile(path, tuple(questions), tuple(problems))


def choice_question(cells: dict[str, str], row_id: str) -> ChoiceQuestion:
    """The question of a row, safe to show.

    Args:
        row_id: its id where the row has none.

    Raises:
        RowProblem: it cannot be asked.
    """
    cells = {name: sanitize(text).strip() for name, text in cells.items()}
    question, answer = cells.get("question", ""), cells.get("answer", "")
    if not question:
        raise RowProblem("no_question")
    columns = [cells.get(name, "") for name in OPTIONS]
    options = [option for option in columns if option]
    if len(options) < 2:
        raise RowProblem("few_options")
    if options != columns[: len(options)]:
        raise RowProblem("gap", column=OPTIONS[columns.index("")])
    if len({_folded(option) for option in options}) < len(options) and len(set(options)) < len(options):
        raise RowProblem("same_options")
    right = _right(answer, cells.get("answer_text", ""), options)
    language = language_of(cells.get("language", ""), question)
    return ChoiceQuestion(
        id=cells.get("id") or row_id,
        language=language,
        topic=cells.get("topic", ""),
        question=question,
        answer=options[right],
        source=cells.get("source", ""),
        reviewed_by=cells.get("reviewed_by", ""),
        split="heldout",
        option_a=columns[0],
        option_b=columns[1],
        option_c=columns[2],
        option_d=columns[3],
        option_e=columns[4],
        explanation=cells.get("explanation", ""),
    )


def language_of(written: str, question: str) -> Literal["en", "ko"]:
    """The language of a question: as its row says, else Korean where it has a syllable of it.

    Raises:
        RowProblem: the row names another language.
    """
    named = written.casefold()
    if named and named not in _LANGUAGES:
        raise RowProblem("language", language=named[:40])
    return _LANGUAGES.get(named, "ko" if _HANGUL.search(question) else "en")


def _right(answer: str, answer_text: str, options: list[str]) -> int:
    """Which option is right: named by its text, by its letter, or by both where they agree.

    A wrong guess would teach something wrong, so whatever can be read in two ways is refused.
    """
    if not answer:
        raise RowProblem("no_answer")
    by_text = _place(answer, options)
    lettered = _LETTERED.fullmatch(answer)
    by_letter = LETTERS.index(lettered[1].upper()) if lettered else None
    if by_letter is not None and by_letter >= len(options):
        by_letter = None
    text = answer_text or (lettered[2] if lettered else "") or ""
    if text:
        named = _place(text, options)
        if by_text is not None and (not answer_text or by_text == named):
            return by_text  # the option's own text may look like a letter with a text: "A: exotropia"
        if by_letter is None or named != by_letter:
            problem = "answers" if answer_text else "answer_text"
            raise RowProblem(problem, answer=answer[:80], text=text[:80])
        return by_letter
    if by_text is not None and by_letter is not None and by_text != by_letter:
        both = f"{LETTERS[by_text]}) {options[by_text]}"
        raise RowProblem("ambiguous", answer=answer, both=both)
    right = by_text if by_text is not None else by_letter
    if right is None:
        raise RowProblem("answer", answer=answer[:80])
    return right


def _place(text: str, options: list[str]) -> int | None:
    """The only option with this text; case, blanks and Unicode form aside where that leaves one."""
    if text in options:
        return options.index(text)
    folded = [_folded(option) for option in options]
    return folded.index(_folded(text)) if folded.count(_folded(text)) == 1 else None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
