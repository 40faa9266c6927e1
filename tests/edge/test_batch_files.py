import csv
import io
from pathlib import Path

import pytest
from batches import written
from hypothesis import given
from hypothesis import strategies as st

from ophtimus_edge.batch import questions, spreadsheet
from ophtimus_edge.errors import QuestionError

# Files that cannot be read


BAD = {
    "empty.txt": (b"\n \n", "no questions"),
    "header.csv": (b"id,question\n", "no questions"),
    "column.csv": (b"id;text\n1;x\n", "no column named question; its first line has: id, text"),
    "keys.jsonl": (b'{"text": "x"}\n', "has the key question"),
    "broken.jsonl": (b'{"question": "x"}\n{"question": "y"\n', "line 2"),
    "array.json": (b'[{"question": "x"}]\n', "line 1"),
    "quote.csv": (b'question,id\n"What is it?,1\nWhat?,2\n', "not sound CSV"),
    "cells.csv": (b"question\nWhat is glaucoma, and why?\n", "line 2"),
    "twice.csv": (b"question,Question\nx,y\n", "two columns named question"),
    "latin.txt": ("Qu'est-ce qu'un œdème maculaire?\nÀ quoi sert l'œil?".encode("cp1252"), "line 1"),
    "western.csv": (b"question\nWhat about the patient\x92s lens?\n\x93What is it?\n", "line 2"),
    "japanese.txt": ("緑内障とは何ですか。眼圧について教えてください。".encode("shift_jis"), "line 1"),
    "book.xlsx": (b"PK\x03\x04" + bytes(64), "Excel workbook"),
    "zeros.txt": ("What is glaucoma?".encode("utf-16-le"), "not a text file"),
    "torn.txt": (b"\xff\xfeW\x00h", "UTF-16"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_read_is_refused_before_anything_is_loaded(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name][0])
    with pytest.raises(QuestionError) as caught:
        questions.examine(path)
    assert BAD[name][1] in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "kind", "count"),
    [
        ("a", '{"question": "x"}\n', "jsonl", 1),
        ("a", "id;question\n1;x\n2;y\n", "csv", 2),
        ("a", "question\nx\n", "csv", 1),
        ("a", "What is a question, and why?\nx\n", "lines", 2),
        ("a.txt", '{"question": "x"}\n', "lines", 1),
        ("a.tsv", 'question\tnote\nx, y\t"z"\n', "csv", 1),
        ("a.JSONL", '\ufeff{"question": "x"}\r\n', "jsonl", 1),
        ("a.csv", '\n"QUESTION ",\n"a\n\nb",\n,\n', "csv", 1),
    ],
)
def test_the_kind_is_told_by_the_suffix_and_else_by_the_content(
    tmp_path: Path, name: str, text: str, kind: str, count: int
) -> None:
    file = questions.examine(written(tmp_path / name, text))
    assert (file.kind, file.total) == (kind, count)
    assert [row.number for row in questions.rows(file)] == list(range(1, count + 1))


def test_a_file_that_changes_under_way_is_noticed(tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", "\n".join(f"Question {number}?" for number in range(2000)))
    file = questions.examine(source)
    assert len(list(questions.rows(file))) == 2000
    rows = questions.rows(file)
    assert next(rows).question == "Question 0?"
    written(source, "Another question?")
    with pytest.raises(QuestionError, match="was changed"):
        list(rows)


# Spreadsheets


def undone(text: str) -> str:
    return text.removeprefix("'")


@given(st.text(st.sampled_from("=+-@'\t\r\n \"1,.;＝한a"), max_size=12))
def test_no_cell_runs_and_every_word_can_be_had_back(text: str) -> None:
    cell = spreadsheet.guarded(text)
    number = cell.replace(",", ".").strip("+-").replace(".", "")
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝")) or number.isdecimal()
    assert not cell.startswith(("\t", "\r", "\n"))
    assert cell == text or undone(cell) == text
    if text[:1] == "'":
        assert cell == "'" + text


@pytest.mark.parametrize(
    "text", ["-2.50", "+1", "1,5", "- Glaucoma is", "plain", "", "a=b", "-", "'tis", "=1+1"]
)
def test_only_what_could_run_is_changed(text: str) -> None:
    assert (spreadsheet.guarded(text) != text) == (text in {"- Glaucoma is", "-", "'tis", "=1+1"})


def test_the_table_says_which_cells_were_guarded() -> None:
    names = spreadsheet.columns(["note"], has_id=True)
    lines = [
        b'{"row":1,"id":"=x","question":"q","answer":"- a\\n=b","model":{"name":"m"},"notices":["a","b"]}',
        b'{"row":2,"id":-3,"question":"q","error":"e","hint":"h","note":{"a":[1.50]}}',
    ]
    stream = io.StringIO()
    assert spreadsheet.write(lines, names, ";", stream) == 2
    first, second = csv.DictReader(io.StringIO(stream.getvalue(), newline=""), delimiter=";")
    assert (first["id"], first["answer"], first["guarded"]) == ("'=x", "'- a\n=b", "id answer")
    assert (first["notices"], first["note"], first["model_name"]) == ("a | b", "", "m")
    assert (second["id"], second["error"], second["note"], second["guarded"]) == (
        "-3",
        "e",
        '{"a":[1.50]}',
        "",
    )
