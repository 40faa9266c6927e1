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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ophtimus_edge.korean import reads_as_korean
from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion
from ophtimus_edge.specialties.quiz_problems import QuizFileError, QuizRowError, RowProblem
from ophtimus_edge.text import sanitize

MOST_BYTES = 256 << 20  # the published sets have 30 to 60 MiB; a wrong file may be a disk image

_OPTIONS = tuple(f"option_{letter.lower()}" for letter in LETTERS)
_NEEDED = ("question", *_OPTIONS[:2], "answer")
_COLUMNS = ", ".join(("question", *_OPTIONS, "explanation", "answer"))
_DELIMITERS = (",", ";", "\t", "|")
_LANGUAGES: dict[str, Literal["en", "ko"]] = {
    "en": "en", "eng": "en", "english": "en", "영어": "en",
    "ko": "ko", "kor": "ko", "korean": "ko", "한국어": "ko",
}  # fmt: skip
_HANGUL = re.compile("[가-힣]")
_LETTERED = re.compile(r"\s*(?:option[\s_]*)?\(?([A-Ea-e])(?:\s*[).:]\s*(.*))?\s*", re.DOTALL | re.IGNORECASE)

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
    problems: tuple[QuizRowError, ...]


class _Row(NamedTuple):
    """A row as it stands in the file; ``problem`` says why it has no cells, where it has none."""

    number: int
    cells: dict[str, str]
    problem: RowProblem | None = None


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
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    suffix = path.suffix.lower()
    is_jsonl = suffix in {".jsonl", ".ndjson", ".json"} or (
        suffix not in {".csv", ".tsv"} and first.lstrip().startswith("{")
    )
    if is_jsonl and first.lstrip().startswith("["):
        raise QuizFileError("list", path=path)
    unit = "line" if is_jsonl else "row"
    questions: list[ChoiceQuestion] = []
    problems: list[QuizRowError] = []
    rows = 0
    for row in _json_rows(text) if is_jsonl else _csv_rows(path, text, first):
        rows += 1
        if "phrasings" in row.cells and not any(row.cells.get(name) for name in _OPTIONS):
            continue  # an essay question: the embedded file has both kinds
        try:
            if row.problem:
                raise row.problem
            questions.append(_question(row, f"{unit}-{row.number}"))
        except RowProblem as problem:
            problems.append(QuizRowError(path.name, unit, row.number, problem))
    if not rows:
        raise QuizFileError("empty", path=path, columns=_COLUMNS)
    return QuizFile(path, tuple(questions), tuple(problems))


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise QuizFileError("folder" if path.exists() else "missing", path=path)
        if path.stat().st_size > MOST_BYTES:
            raise QuizFileError("large", path=path, most=MOST_BYTES >> 20)
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        raise QuizFileError(
            "unreadable", path=path, reason=getattr(error, "strerror", "") or error
        ) from error
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise QuizFileError("workbook", path=path, columns=_COLUMNS)
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        korean = None if is_utf16 else _korean(content)
        if korean is None:
            line = content[: error.start].count(b"\n") + 1
            raise QuizFileError("encoding", path=path, line=line) from error
        text = korean
    if "\0" in text:
        raise QuizFileError("binary", path=path)
    return text


def _korean(content: bytes) -> str | None:
    """The text where it is Korean in CP949."""
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError:
        return None
    return text if reads_as_korean(Counter(text)) else None


def _json_rows(text: str) -> Iterator[_Row]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            raw = _decode_object(line)
            cells = {name: _json_text(name, value) for name, value in raw.items()}
        except msgspec.DecodeError as error:
            yield _Row(number, {}, RowProblem("no_object", reason=error))
        except RowProblem as problem:
            yield _Row(number, {}, problem)
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
        raise RowProblem("no_text", column=name)
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
                problem = RowProblem("cells", cells=len(cells), columns=len(names), sign=repr(delimiter))
                yield _Row(number, {}, problem)
            else:
                yield _Row(number, dict(zip(names, cells, strict=False)))
    except csv.Error as error:
        yield _Row(number + 1, {}, RowProblem("quotes", reason=error))


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
        absent = ", ".join(missing)
        raise QuizFileError("columns", path=path, missing=absent, found=found, columns=_COLUMNS)
    twice = next((name for name in {*_NEEDED, *_OPTIONS} if names.count(name) > 1), "")
    if twice:
        raise QuizFileError("twice", path=path, column=twice)


def _question(row: _Row, row_id: str) -> ChoiceQuestion:
    cells = {name: sanitize(text).strip() for name, text in row.cells.items()}
    question, answer = cells.get("question", ""), cells.get("answer", "")
    if not question:
        raise RowProblem("no_question")
    columns = [cells.get(name, "") for name in _OPTIONS]
    options = [option for option in columns if option]
    if len(options) < 2:
        raise RowProblem("few_options")
    if options != columns[: len(options)]:
        raise RowProblem("gap", column=_OPTIONS[columns.index("")])
    if len({_folded(option) for option in options}) < len(options) and len(set(options)) < len(options):
        raise RowProblem("same_options")
    right = _right(answer, cells.get("answer_text", ""), options)
    language = cells.get("language", "").casefold()
    if language and language not in _LANGUAGES:
        raise RowProblem("language", language=language[:40])
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
