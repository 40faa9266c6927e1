"""Multiple-choice questions for the quiz: the embedded file's, or those of a file that a person names.

A file has the columns of the published data sets: question, option_a … option_e, explanation, answer.
The training sets write the answer as the option's text, the evaluation set as its letter beside
``answer_text``; both are read. The project's own columns (id, language, topic, reviewed_by) may stand
beside them, and any other is passed over.

A row that cannot be asked is an error of its own, with its number and what to do; the sound rows beside
it count. Rows are numbered as an editor or a spreadsheet numbers them, so that they can be found there:
lines of JSONL from 1, rows of CSV with the header as row 1.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion
from ophtimus_edge.text import sanitize

MOST_BYTES = 256 << 20  # the published sets have 30 to 60 MiB; a wrong file may be a disk image

_OPTIONS = tuple(f"option_{letter.lower()}" for letter in LETTERS)
_NEEDED = ("question", *_OPTIONS[:2], "answer")
_COLUMNS = ", ".join(("question", *_OPTIONS, "explanation", "answer"))
_DELIMITERS = (",", ";", "\t", "|")
_KEPT = "The other rows count all the same."
_LANGUAGES: dict[str, Literal["en", "ko"]] = {
    "en": "en", "eng": "en", "english": "en", "영어": "en",
    "ko": "ko", "kor": "ko", "korean": "ko", "한국어": "ko",
}  # fmt: skip
_HANGUL = re.compile("[가-힣]")
_LETTERED = re.compile(r"\s*(?:option[\s_]*)?\(?([A-Ea-e])(?:\s*[).:]\s*(.*))?\s*", re.DOTALL | re.IGNORECASE)
_SAVE_AS_UTF8 = "Save it as UTF-8 (Excel: Save As, CSV UTF-8) and open it again."

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class QuizFile(NamedTuple):
    """What a file of questions holds.

    Attributes:
        questions: its multiple-choice questions, in the file's order, safe to show.
        problems: an error for each row that cannot be asked, in the file's order.
    """

    path: Path
    questions: tuple[ChoiceQuestion, ...]
    problems: tuple[TrainingDataError, ...]


class _Row(NamedTuple):
    """A row as it stands in the file; ``problem`` and ``hint`` say why it has no cells, where it has none."""

    number: int
    cells: dict[str, str]
    problem: str = ""
    hint: str = ""


class _RowError(Exception):
    """Why a row cannot be asked, and what to do."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint


def embedded_path() -> Path:
    """The questions that come with the program."""
    return specialty_folder(DEFAULT_SPECIALTY) / "questions.jsonl"


def read_quiz_file(path: Path) -> QuizFile:
    """Read the multiple-choice questions of a JSONL or CSV file; essay questions are passed over.

    Raises:
        TrainingDataError: the file cannot be read, is no text, lacks a column that every question needs,
            or holds no row at all.
    """
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    suffix = path.suffix.lower()
    is_jsonl = suffix in {".jsonl", ".ndjson", ".json"} or (
        suffix not in {".csv", ".tsv"} and first.lstrip().startswith("{")
    )
    if is_jsonl and first.lstrip().startswith("["):
        raise TrainingDataError(
            f"{path} is one JSON list, not an object a line.",
            "Write it as JSONL: each question as an object on a line of its own.",
        )
    unit = "line" if is_jsonl else "row"
    questions: list[ChoiceQuestion] = []
    problems: list[TrainingDataError] = []
    rows = 0
    for row in _json_rows(text) if is_jsonl else _csv_rows(path, text, first):
        rows += 1
        if "phrasings" in row.cells and not any(row.cells.get(name) for name in _OPTIONS):
            continue  # an essay question: the embedded file has both kinds
        try:
            if row.problem:
                raise _RowError(row.problem, row.hint)
            questions.append(_question(row, f"{unit}-{row.number}"))
        except _RowError as error:
            problems.append(
                TrainingDataError(
                    f"{path.name}, {unit} {row.number}: {error.problem}", f"{error.hint} {_KEPT}"
                )
            )
    if not rows:
        raise TrainingDataError(
            f"there are no questions in {path}.", f"Write a question a row, with the columns {_COLUMNS}."
        )
    return QuizFile(path, tuple(questions), tuple(problems))


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            wrong = "is not a file" if path.exists() else "does not exist"
            raise TrainingDataError(f"{path} {wrong}.", "Name a JSONL or CSV file with questions.")
        if path.stat().st_size > MOST_BYTES:
            raise TrainingDataError(
                f"{path} is larger than {MOST_BYTES >> 20} MiB.",
                "Split it, or check that it is the right file.",
            )
        content = path.read_bytes()
    except OSError as error:
        raise TrainingDataError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Check the path, and that you may read the file.",
        ) from error
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise TrainingDataError(
            f"{path} is an Excel workbook or an archive, not a text file.",
            f"Open it in Excel and save it as CSV UTF-8, with the columns {_COLUMNS}.",
        )
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise TrainingDataError(f"{path} is not UTF-8 from line {line} on.", _SAVE_AS_UTF8) from error
    if "\0" in text:
        raise TrainingDataError(f"{path} is not a text file: it holds zero bytes.", _SAVE_AS_UTF8)
    return text


def _json_rows(text: str) -> Iterator[_Row]:
    one_object = 'Write one object a line, such as {"question": "…", "option_a": "…", …}.'
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            raw = _decode_object(line)
            cells = {name: _json_text(name, value) for name, value in raw.items()}
        except msgspec.DecodeError as error:
            yield _Row(number, {}, f"it is not a JSON object ({error}).", one_object)
        except _RowError as error:
            yield _Row(number, {}, error.problem, error.hint)
        else:
            yield _Row(number, cells)


def _json_text(name: str, raw: msgspec.Raw) -> str:
    """Text as itself, a number as it is written, null as nothing; what is passed over may be anything."""
    written = bytes(raw).decode("utf-8")
    if written == "null":
        return ""
    if written.startswith('"'):
        return _decode_text(raw)
    if written[0] in "[{tf" and name in {*_NEEDED, *_OPTIONS, "explanation"}:
        raise _RowError(
            f"its {name} is neither text nor a number.", 'Write it as text in double quotes: "…".'
        )
    return written


def _csv_rows(path: Path, text: str, first: str) -> Iterator[_Row]:
    candidates = ("\t",) if path.suffix.lower() == ".tsv" else _DELIMITERS
    delimiter = max(candidates, key=lambda sign: len(set(_header([first], sign)) & {*_NEEDED, *_OPTIONS}))
    csv.field_size_limit((1 << 31) - 1)
    # Strict: without it a quote that is never closed makes one cell of the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [_column(cell) for cell in cells]
                _check_header(path, names)
            elif any(cell.strip() for cell in cells[len(names) :]):
                yield _Row(
                    number, {}, f"it has {len(cells)} cells, and the header has {len(names)}.",
                    f'Put a text that holds the sign {delimiter!r} into double quotes: "…".',
                )  # fmt: skip
            else:
                yield _Row(number, dict(zip(names, cells, strict=False)))
    except csv.Error as error:
        yield _Row(
            number + 1, {}, f"it is not sound CSV ({error}), so the rows from here on are not read.",
            "Close every double quote, and write a quote inside a text twice.",
        )  # fmt: skip


def _header(lines: list[str], delimiter: str) -> list[str]:
    try:
        return [_column(cell) for cell in next(csv.reader(lines, delimiter=delimiter), [])]
    except csv.Error:
        return []


def _column(cell: str) -> str:
    """A column's name however it is written: ``Option A`` is ``option_a``."""
    return re.sub(r"[\s_-]+", "_", cell.strip().casefold())


def _check_header(path: Path, names: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        found = sanitize(", ".join(name for name in names if name))[:200]
        raise TrainingDataError(
            f"{path} has no column {' and no '.join(missing)}; its first row has: {found}.",
            f"Name the columns in the first row: {_COLUMNS}.",
        )
    twice = next((name for name in {*_NEEDED, *_OPTIONS} if names.count(name) > 1), "")
    if twice:
        raise TrainingDataError(f"{path} has two columns named {twice}.", "Give each column its own name.")


def _question(row: _Row, row_id: str) -> ChoiceQuestion:
    cells = {name: sanitize(text).strip() for name, text in row.cells.items()}
    question, answer = cells.get("question", ""), cells.get("answer", "")
    if not question:
        raise _RowError("it has no question.", "Write the question in the column question.")
    columns = [cells.get(name, "") for name in _OPTIONS]
    options = [option for option in columns if option]
    if len(options) < 2:
        raise _RowError("it has fewer than two options.", "Write at least option_a and option_b.")
    if options != columns[: len(options)]:
        gap = _OPTIONS[columns.index("")]
        raise _RowError(f"{gap} is empty and a later option is not.", "Move the later options up.")
    if len({_folded(option) for option in options}) < len(options) and len(set(options)) < len(options):
        raise _RowError("two of its options are the same.", "Make each option different.")
    right = _right(answer, cells.get("answer_text", ""), options)
    language = cells.get("language", "").casefold()
    if language and language not in _LANGUAGES:
        raise _RowError(f"its language is “{language[:40]}”.", "Write en or ko, or leave it empty.")
    guessed: Literal["en", "ko"] = "ko" if _HANGUL.search(question) else "en"
    return ChoiceQuestion(
        id=cells.get("id") or row_id,
        language=_LANGUAGES.get(language, guessed),
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


def _right(answer: str, answer_text: str, options: list[str]) -> int:
    """Which option is right: named by its text, by its letter, or by both where they agree.

    A wrong guess would teach something wrong, so whatever can be read in two ways is refused.
    """
    hint = "Write the answer as the text of the right option, or as its letter."
    if not answer:
        raise _RowError("it has no answer.", hint)
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
            shown = f"{answer[:80]}” and “{text[:80]}" if answer_text else answer[:80]
            raise _RowError(f"its answer, “{shown}”, does not name one option.", hint)
        return by_letter
    if by_text is not None and by_letter is not None and by_text != by_letter:
        raise _RowError(
            f"its answer, “{answer}”, is the letter of one option and the text of another.",
            f"Write both: {LETTERS[by_text]}) {options[by_text]}.",
        )
    right = by_text if by_text is not None else by_letter
    if right is None:
        raise _RowError(f"its answer, “{answer[:80]}”, is none of its options.", hint)
    return right


def _place(text: str, options: list[str]) -> int | None:
    """The only option with this text; case, blanks and Unicode form aside where that leaves one."""
    if text in options:
        return options.index(text)
    folded = [_folded(option) for option in options]
    return folded.index(_folded(text)) if folded.count(_folded(text)) == 1 else None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
