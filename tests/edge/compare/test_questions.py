"""Question files for a comparison: what is asked, what is left out and named, what is refused."""

import csv
import hashlib
import json
import sys
import tracemalloc
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from ophtimus_edge.compare.questions.files import (
    embedded_choices,
    embedded_essays,
    read_choices,
    read_essays,
)
from ophtimus_edge.errors import MissingExtraError, TrainingDataError
from ophtimus_edge.specialties.questions import choice_prompt
from ophtimus_edge.specialties.quiz_file import embedded_path, read_quiz_file

EVALUATION = {
    "question": "Which drug lowers the pressure?", "option_a": "Tropicamide", "option_b": "Timolol",
    "option_c": "", "option_d": "", "option_e": "", "answer": "B", "answer_text": "Timolol",
}  # fmt: skip
ESSAY = {"question": "What is glaucoma?", "answer": "A disease of the optic nerve."}
COLUMNS = list(EVALUATION)


def written(folder: Path, kind: str, rows: list[dict[str, str]], encoding: str = "utf-8") -> Path:
    path = folder / f"own.{kind}"
    if kind == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding)
    else:
        with path.open("w", encoding=encoding, newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
    return path


def row(**changes: str) -> dict[str, str]:
    return EVALUATION | changes


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_the_published_columns_are_read_from_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    training = row(question="Which one dilates?", answer="Tropicamide", answer_text="")
    path = written(tmp_path, kind, [row(), training])
    file = read_choices(path)
    assert not file.problems
    assert [question.letter for question in file.questions] == ["B", "A"]
    assert choice_prompt(file.questions[0]) == (
        "Question:\nWhich drug lowers the pressure?\n\nOptions:\nA) Tropicamide\nB) Timolol"
    )
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_essays_are_read_from_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    file = read_essays(
        written(tmp_path, kind, [ESSAY, {"question": "녹내장이란?", "answer": "시신경의 병."}])
    )
    assert not file.problems
    assert [(one.language, one.answer) for one in file.questions] == [
        ("en", "A disease of the optic nerve."), ("ko", "시신경의 병."),
    ]  # fmt: skip


def test_yes_and_no_are_asked_as_true_and_false_and_maybe_is_left_out(tmp_path: Path) -> None:
    answers = ["yes", "No", "maybe"]
    rows = [
        {"question": f"Does trial {answer} work?", "answer": answer, "answer_text": answer}
        for answer in answers
    ]
    file = read_choices(written(tmp_path, "jsonl", rows))
    assert [(one.options, one.letter) for one in file.questions] == [
        (["True", "False"], "A"), (["True", "False"], "B"),
    ]  # fmt: skip
    (problem,) = file.problems
    assert problem.number == 3
    assert "no answer could be right" in problem.message


def test_one_odd_answer_among_yes_and_no_is_that_rows_problem(tmp_path: Path) -> None:
    answers = ["yes", "no", "perhaps", "", "yes"]
    rows = [{"question": f"Is {number} so?", "answer": answer} for number, answer in enumerate(answers)]
    file = read_choices(written(tmp_path, "csv", rows))
    assert [one.letter for one in file.questions] == ["A", "B", "A"]
    assert [(problem.number, problem.problem) for problem in file.problems] == [
        (4, "not_yes_no"), (5, "no_answer"),
    ]  # fmt: skip


def test_only_maybe_is_refused_and_says_why(tmp_path: Path) -> None:
    path = written(tmp_path, "jsonl", [{"question": "Is it so?", "answer": "maybe"}])
    with pytest.raises(TrainingDataError, match="no answer could be right"):
        read_choices(path)


def test_true_and_false_written_out_beside_yes_and_no(tmp_path: Path) -> None:
    options = {"option_a": "True", "option_b": "False", "answer_text": ""}
    answers = ["yes", "no", "maybe", "A", "False"]
    rows = [row(**options, question=f"{place}?", answer=answer) for place, answer in enumerate(answers)]
    file = read_choices(written(tmp_path, "jsonl", rows))
    assert [one.letter for one in file.questions] == ["A", "B", "A", "B"]
    assert [(problem.number, problem.problem) for problem in file.problems] == [(3, "maybe")]


def test_the_embedded_file_gives_both_kinds_and_says_that_it_is_embedded(tmp_path: Path) -> None:
    choices, essays = embedded_choices(), embedded_essays()
    assert choices.questions == read_quiz_file(embedded_path()).questions
    lines = [json.loads(line) for line in embedded_path().read_text("utf-8").splitlines()]
    assert [one.question for one in essays.questions] == [
        line["question"] for line in lines if "phrasings" in line
    ]
    assert {one.split for one in (*choices.questions, *essays.questions)} == {"heldout"}
    assert not choices.problems
    assert not essays.problems
    copy = tmp_path / "clinic.jsonl"
    copy.write_bytes(embedded_path().read_bytes())
    assert choices.embedded
    assert essays.embedded
    assert read_choices(copy).embedded  # under any name
    assert not read_choices(written(tmp_path, "csv", [row()])).embedded


def test_what_a_report_says_of_a_file(tmp_path: Path) -> None:
    bad = [row(question=f"Bad {number}?", answer="E") for number in range(150)]
    file = read_choices(written(tmp_path, "csv", [row(), *bad, row(question="Another?")]))
    asked = file.asked("mcq", used=1)
    assert (asked.part, asked.name, asked.sha256) == ("mcq", "own.csv", file.sha256)
    assert (asked.available, asked.used, asked.embedded) == (2, 1, False)
    assert len(asked.skipped) == 100
    assert asked.skipped[0].startswith("own.csv, row 3: its answer")
    assert embedded_essays().asked("essay", used=32).embedded


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answer": "D", "answer_text": ""}, "“D”, is none of its options"),
        ({"answer": "A"}, "does not name one option"),
        ({"answer": ""}, "no answer"),
        ({"question": " "}, "no question"),
        ({"option_b": ""}, "fewer than two options"),
        ({"option_d": "Lead"}, "option_c is empty"),
    ],
)
@pytest.mark.parametrize(("kind", "place"), [("jsonl", "line 2"), ("csv", "row 3"), ("parquet", "row 2")])
def test_a_row_that_cannot_be_asked_is_named_and_the_others_count(
    tmp_path: Path, kind: str, place: str, changes: dict[str, str], said: str
) -> None:
    other = row(question="Which one is a beta blocker?")
    file = read_choices(written(tmp_path, kind, [row(), row(**{"question": "Bad?"} | changes), other]))
    assert [one.question for one in file.questions] == [EVALUATION["question"], other["question"]]
    (problem,) = file.problems
    assert problem.message.startswith(f"own.{kind}, {place}: ")
    assert said in problem.message
    assert problem.hint


def test_a_question_that_stands_there_twice_is_asked_once(tmp_path: Path) -> None:
    shuffled = row(option_a="Timolol", option_b="Tropicamide", answer="A")
    other_options = row(option_a="Atropine")
    file = read_choices(written(tmp_path, "jsonl", [row(), shuffled, other_options]))
    assert len(file.questions) == 2  # the same words with other options are another question
    (problem,) = file.problems
    assert problem.message == "own.jsonl, line 2: it asks the same as line 1."


def test_two_rows_that_contradict_each_other_count_neither(tmp_path: Path) -> None:
    wrong = row(answer="A", answer_text="Tropicamide")
    file = read_choices(written(tmp_path, "csv", [row(), wrong, row(question="Another?")]))
    assert [one.question for one in file.questions] == ["Another?"]
    (problem,) = file.problems
    assert problem.message == (
        "own.csv, row 3: it asks the same as row 2 and gives another answer; neither is counted."
    )


def test_an_essay_twice_and_an_essay_without_answer_are_left_out(tmp_path: Path) -> None:
    rows = [ESSAY, ESSAY | {"answer": "Other words."}, {"question": "Why?", "answer": ""}]
    file = read_essays(written(tmp_path, "jsonl", rows))
    assert len(file.questions) == 1
    assert [problem.problem for problem in file.problems] == ["duplicate", "no_reference"]


def test_ids_are_unique_given_or_made(tmp_path: Path) -> None:
    rows = [row(id="q1"), row(id="q1", question="Second?"), row(id="", question="Third?")]
    file = read_choices(written(tmp_path, "jsonl", rows))
    assert [one.id for one in file.questions] == ["q1", "line-3"]
    (problem,) = file.problems
    assert problem.message == "own.jsonl, line 2: its id, “q1”, is that of line 1 too."


KOREAN = row(
    question="안압을 낮추는 약은?", option_a="트로피카마이드", option_b="티몰롤", answer_text="티몰롤"
)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_a_byte_order_mark_crlf_and_korean_encodings_are_read(
    tmp_path: Path, encoding: str, kind: str
) -> None:
    path = tmp_path / f"own.{kind}"
    second = row(question="Second?")
    lines = written(tmp_path, kind, [KOREAN, second]).read_text("utf-8").splitlines()
    path.write_bytes("\r\n".join([*lines, ""]).encode(encoding))
    file = read_choices(path)
    assert not file.problems
    assert [(one.question, one.answer, one.language) for one in file.questions] == [
        ("안압을 낮추는 약은?", "티몰롤", "ko"), ("Second?", "Timolol", "en"),
    ]  # fmt: skip


def test_utf_16_without_its_mark_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", [KOREAN], "utf-16")
    assert len(read_choices(path).questions) == 1
    path.write_bytes(path.read_bytes()[2:])
    with pytest.raises(TrainingDataError, match=r"UTF-8|zero bytes") as caught:
        read_choices(path)
    assert "UTF-8" in caught.value.hint


def test_an_encoding_that_is_none_of_these_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(b"question,answer\r\nWhat is na\xefve?,It\x92s caf\xe9\r\n")
    with pytest.raises(TrainingDataError, match="from line 2 on"):
        read_essays(path)
    path.write_bytes("question,answer\r\nWhat is naïve?,It’s café\r\n".encode())
    assert read_essays(path).questions[0].answer == "It’s café"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("own.jsonl", b"", "no questions"),
        ("own.csv", ",".join(COLUMNS).encode(), "no questions"),
        ("own.csv", b"question,answer\nWhich?,Timolol\n", "no column option_a, option_b"),
        ("own.jsonl", b'{"prompt": "Which?", "answer": "A"}\n', "no column question, option_a, option_b"),
        ("own.jsonl", b'{"question": "W?", "answer": "A", "phrasings": ["V?"]}\n', "essay questions only"),
        ("own.jsonl", b"not json\n", "line 1: it is not a JSON object"),
        ("own.parquet", b"PAR1 and then nothing of the kind", "no sound Parquet file"),
        ("own.bin", b"PAR1 and then nothing of the kind", "no sound Parquet file"),
        ("own.xlsx", b"PK\x03\x04rest", "Excel workbook"),
    ],
)
def test_a_file_without_multiple_choice_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrainingDataError, match=said) as caught:
        read_choices(path)
    assert caught.value.hint


def test_multiple_choice_given_as_essays_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", [row()])
    with pytest.raises(TrainingDataError, match="multiple-choice questions only") as caught:
        read_essays(path)
    assert "--mcq" in caught.value.hint
    assert len(read_choices(path).questions) == 1


def test_parquet_without_the_columns_or_without_pyarrow_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tmp_path / "tokens.parquet"
    parquet.write_table(pyarrow.table({"input_ids": [[1, 2]]}), tokens)
    with pytest.raises(TrainingDataError, match="no column question, answer; its first row has: input_ids"):
        read_choices(tokens)
    sound = written(tmp_path, "parquet", [row()])
    assert len(read_choices(sound).questions) == 1
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError) as caught:
        read_choices(sound)
    assert "ophtimus-edge[convert]" in caught.value.hint


def many(folder: Path, count: int) -> Path:
    rows = (
        row(question=f"Question {number}?", answer="B" if number % 1000 else "E") for number in range(count)
    )
    return written(folder, "csv", list(rows))


def test_a_hundred_thousand_rows_are_read_the_bad_ones_named(tmp_path: Path) -> None:
    file = read_choices(many(tmp_path, 100_000))
    assert (len(file.questions), len(file.problems)) == (99_900, 100)
    assert file.problems[-1].number == 99_002


def test_memory_grows_with_the_rows_and_no_faster(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 8_000):
        path = many(tmp_path, count)
        read_choices(path)
        tracemalloc.start()
        read_choices(path)
        peaks.append(tracemalloc.get_traced_memory()[1] / count)
        tracemalloc.stop()
    assert peaks[1] < 1.25 * peaks[0]
    assert peaks[1] < 4 << 10  # bytes for a row of some 60


def test_controls_of_a_terminal_are_dropped(tmp_path: Path) -> None:
    (question,) = read_essays(written(tmp_path, "jsonl", [ESSAY | {"answer": "a\x1b]52;c;x\x07b"}])).questions
    assert question.answer == "a]52;c;xb"
