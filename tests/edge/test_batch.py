import contextlib
import csv
import io
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from commands import two_lines
from conftest import BIN, Command, Disk
from hypothesis import given
from hypothesis import strategies as st

from ophtimus_edge.batch import journal, questions, spreadsheet
from ophtimus_edge.batch.answering import answers
from ophtimus_edge.batch.questions import Row
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Sampling
from ophtimus_edge.errors import FolderNotWritableError, QuestionError, UsageError
from ophtimus_edge.models import store

FEW = ["What is glaucoma?", "녹내장이란 무엇인가요?", "What is a cataract?"]


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


@pytest.fixture
def answer(ophtimus: Command, tiny_model: Path, tmp_path: Path) -> Any:
    """Answer a file with the tiny model, four tokens an answer."""

    def run(source: Path, out: str = "out.jsonl", *words: str) -> "subprocess.CompletedProcess[str]":
        return ophtimus(
            "batch", str(source), "--out", str(tmp_path / out), "--model", str(tiny_model),
            "--max-tokens", "4", *words,
        )  # fmt: skip

    return run


# What goes in, what comes out


def test_json_lines_come_back_in_order_with_all_that_stood_beside_them(answer: Any, tmp_path: Path) -> None:
    source = written(
        tmp_path / "in.jsonl",
        '{"question": "What is glaucoma?", "id": "a-1", "weight": 1.50, "tags": ["x", {"y": null}]}\n'
        "\n"
        '{"id": 12345678901234567890, "question": " 녹내장이란 무엇인가요? ", "answer": "expected \\ud83d\\ude00"}\n'
        '{"question": "What is a cataract?", "tagged": true}\n',
    )
    result = answer(source)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    first, second, third = lines_of(tmp_path / "out.jsonl")
    assert [first["row"], second["row"], third["row"]] == [1, 2, 3]
    assert (first["id"], first["weight"], first["tags"]) == ("a-1", 1.5, ["x", {"y": None}])
    assert '"weight":1.50' in text
    assert "12345678901234567890" in text
    assert second["question"] == "녹내장이란 무엇인가요?"
    assert second["input_answer"] == "expected 😀"
    assert "answer as input_answer" in result.stderr
    wanted = {"question", "answer", "finish_reason", "model", "role", "seed", "prompt_tokens", "completion_tokens",
              "notices", "known_questions"}  # fmt: skip
    for record in (first, second, third):
        assert wanted <= set(record)
        assert set(record["model"]) == {"name", "version", "file", "sha256", "level"}
        assert record["completion_tokens"] == 4
        assert record["answer"]
    assert not list(tmp_path.glob(".out.jsonl.*"))


@pytest.mark.parametrize(
    ("delimiter", "encoding"),
    [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16"), ("|", "utf-8"), (",", "cp949")],
)
def test_a_table_comes_back_as_a_table(answer: Any, tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [
        ["번호", "Question", "refraction"],
        ["가", 'What is "glaucoma"?\nIn short.', "-2.50"],
        ["나", FEW[1], "+1"],
    ]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([*rows, ["", "", ""]])
    result = answer(written(tmp_path / "in.csv", text.getvalue(), encoding), "out.csv")
    assert result.returncode == 0, result.stderr
    assert ("CP949" in result.stderr) == (encoding == "cp949")
    first, second = table_of(tmp_path / "out.csv", delimiter)
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert (first["row"], first["번호"], first["refraction"]) == ("1", "가", "-2.50")
    assert first["question"] == 'What is "glaucoma"?\nIn short.'
    assert (second["question"], second["refraction"]) == (FEW[1], "+1")
    assert len(second["model_sha256"]) == 64
    assert second["answer"]
    assert second["completion_tokens"] == "4"


def test_lines_are_questions_and_an_answer_can_go_to_either_kind(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "questions", "\ufeff" + "\r\n\r\n".join(FEW))
    assert answer(source).returncode == 0
    assert [record["question"] for record in lines_of(tmp_path / "out.jsonl")] == FEW
    assert answer(source, "out.CSV").returncode == 0
    assert [record["question"] for record in table_of(tmp_path / "out.CSV")] == FEW


def test_the_demonstration_says_what_it_is_and_what_it_knows(ophtimus: Command, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", "What is glaucoma?\nHow do I bake bread?\n")
    result = ophtimus("batch", str(source), "--out", str(tmp_path / "out.jsonl"), "--max-tokens", "3")
    assert result.returncode == 0, result.stderr
    known, unknown = lines_of(tmp_path / "out.jsonl")
    assert known["notices"] == ["DEMONSTRATION MODEL · not for clinical use · not reviewed by a physician"]
    assert len(unknown["notices"]) == 2
    assert len(unknown["known_questions"]) == 3


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


# Questions that cannot be asked


def test_one_bad_question_costs_no_other_its_answer(answer: Any, tmp_path: Path) -> None:
    rows = [{"question": "  "}, {"question": "glaucoma " * 600, "id": 2}, {"question": 17}, {"no": "question"},
            {"question": FEW[0]}, {"question": "\x1b\x07"}, {"question": "half \ud800", "n": 1}]  # fmt: skip
    source = written(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)))
    result = answer(source)
    said = two_lines(result)
    assert "6 of 7 questions could not be answered" in said
    records = lines_of(tmp_path / "out.jsonl")
    assert [record["row"] for record in records] == [1, 2, 3, 4, 5, 6, 7]
    assert "answer" in records[4]
    for record, word in zip(
        records, ["empty", "context", "not text", "no key", "", "empty", "half of"], strict=True
    ):
        assert word in record.get("error", "")
        assert ("hint" in record) == bool(word)
        assert ("answer" in record) != bool(word)
    assert records[1]["id"] == 2
    assert (records[6]["question"], records[6]["n"]) == ("half \ufffd", 1)


def test_a_million_characters_cost_no_other_their_answer(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", f"{'x' * 5_000_000}\n{'눈 ' * 400_000}\n{FEW[0]}\n")
    two_lines(answer(source))
    records = lines_of(tmp_path / "out.jsonl")
    assert ["error" in record for record in records] == [True, True, False]


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


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_no_file_is_two_lines(answer: Any, tmp_path: Path, name: str) -> None:
    said = two_lines(answer(tmp_path / name))
    assert str(tmp_path) in said
    assert not list(tmp_path.glob(".out*"))


def test_a_file_that_changes_under_way_is_noticed(tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", "\n".join(f"Question {number}?" for number in range(2000)))
    file = questions.examine(source)
    assert len(list(questions.rows(file))) == 2000
    rows = questions.rows(file)
    assert next(rows).question == "Question 0?"
    written(source, "Another question?")
    with pytest.raises(QuestionError, match="was changed"):
        list(rows)


@pytest.mark.parametrize(
    "words",
    [("--parallel", "0"), ("--parallel", "1000"), ("--max-tokens", "0"), ("--seed", "-1"), ("--role", "surgeon"),
     ("--temperature", "-1")],
)  # fmt: skip
def test_words_that_do_not_fit_are_wrong_usage(answer: Any, tmp_path: Path, words: tuple[str, str]) -> None:
    two_lines(answer(written(tmp_path / "in.txt", "x"), "out.jsonl", *words), code=2)


def test_a_base_model_completes_only_in_the_free_role(
    ophtimus: Command, base_model: Path, tmp_path: Path
) -> None:
    source, out = written(tmp_path / "in.txt", "Glaucoma is\nA cataract is"), tmp_path / "out.jsonl"
    words = ("batch", str(source), "--out", str(out), "--model", str(base_model), "--max-tokens", "2")
    assert "--role free" in two_lines(ophtimus(*words), code=2)
    result = ophtimus(*words, "--role", "free")
    assert result.returncode == 0, result.stderr
    assert [record["completion_tokens"] for record in lines_of(out)] == [2, 2]


# Seeds, and what decides a text


@pytest.mark.parametrize(("model", "temperature"), [("tiny", 0.0), ("demo", 2.0)])
async def test_one_by_one_a_text_depends_on_no_other_row(
    tiny_model: Path, model: str, temperature: float
) -> None:
    """Greedy words and drawn ones show different slips of the numbers; both came about here."""
    names = "glaucoma cataract uveitis keratitis amblyopia strabismus myopia presbyopia scleritis blepharitis"
    rows = [
        Row(number, f"What is the treatment of {name}?", {})
        for number, name in enumerate(names.split(), start=1)
    ]

    async def texts(engine: Engine, asked: list[Row]) -> dict[int, str]:
        found = {}
        sampling = Sampling(max_tokens=300, temperature=temperature, seed=5)
        async for outcome in answers(engine, asked, "clinical", lambda _row: sampling, 1):
            assert outcome.finished
            found[outcome.row.number] = outcome.finished.text
        return found

    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model) if model == "tiny" else model), sequences=1)
        together = await texts(engine, rows)
        alone = {number: text for row in rows for number, text in (await texts(engine, [row])).items()}
    assert alone == together


def test_a_given_seed_is_every_rows_and_a_drawn_one_is_each_rows_own(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", "\n".join([FEW[0]] * 3))
    warm = ("--temperature", "1.5", "--max-tokens", "16", "--parallel", "1")
    assert answer(source, "drawn.jsonl", *warm).returncode == 0
    drawn = lines_of(tmp_path / "drawn.jsonl")
    assert len({record["seed"] for record in drawn}) == 3
    assert len({record["answer"] for record in drawn}) == 3
    seed = str(drawn[0]["seed"])
    assert answer(source, "given.jsonl", *warm, "--seed", seed).returncode == 0
    given = lines_of(tmp_path / "given.jsonl")
    assert [record["seed"] for record in given] == [drawn[0]["seed"]] * 3
    assert {record["answer"] for record in given} == {drawn[0]["answer"]}


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


# Going on


SETTINGS = {"model": "aaa", "--max-tokens": "4", "--seed": ""}


def record(row: int, text: str = "x") -> bytes:
    return json.dumps({"row": row, "answer": text}).encode()


def test_a_torn_tail_is_dropped_and_what_stood_before_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with journal.opened(out, SETTINGS, 4, seed=7) as begun:
        assert begun.begin_run("this machine") == ""
        begun.add(3, record(3), failed=False)
        begun.add(1, b'{"row":1,"error":"e"}', failed=True)
    path = journal.folder_of(out) / "journal.jsonl"
    whole = path.read_bytes()
    for tail in (
        b'{"row":2,"ans',
        b'{"row":2}',
        b"\0" * 4096 + b'\n{"row":4,"answer":""}\n',
        b'{"row":9}\n',
        b"",
    ):
        path.write_bytes(whole + tail)
        with journal.opened(out, SETTINGS, 4, seed=8) as again:
            assert (again.done, again.failed, again.seed) == (2, 1, 7)
            assert [again.has(row) for row in range(1, 5)] == [True, False, True, False]
            assert path.read_bytes() == whole
            assert again.begin_run("this machine") == "this machine"
    with journal.opened(out, SETTINGS, 4, seed=9) as last:
        assert last.begin_run("another machine") == "this machine"
        last.add(2, record(2), failed=False)
        last.add(2, record(2, "a second time"), failed=False)
        last.add(4, record(4), failed=False)
        assert last.complete
        last.finish(lambda lines, stream: stream.writelines(line.decode() + "\n" for line in lines), "utf-8")
    assert [json.loads(line).get("answer") for line in out.read_text().splitlines()] == [None, "x", "x", "x"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_other_settings_are_refused_by_name_and_only_where_something_is_answered(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    other = SETTINGS | {"--max-tokens": "8", "model": "bbb"}
    with journal.opened(out, other, 2, seed=1):
        pass
    with journal.opened(out, SETTINGS, 2, seed=1) as begun:
        begun.add(1, record(1), failed=False)
    with pytest.raises(UsageError, match="another model, --max-tokens 4"), journal.opened(out, other, 2, 1):
        pass
    with journal.opened(out, SETTINGS, 2, seed=1) as again:
        assert again.done == 1


def test_two_runs_to_one_output_do_not_mix(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with journal.opened(out, SETTINGS, 2, seed=1) as first:
        first.add(1, record(1), failed=False)
        with pytest.raises(FolderNotWritableError, match="another run"), journal.opened(out, SETTINGS, 2, 1):
            pass
        first.add(2, record(2), failed=False)


def test_a_run_that_was_killed_behind_its_last_step_ends_well(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def write(lines: Any, stream: Any) -> None:
        stream.writelines(line.decode() + "\n" for line in lines)

    with journal.opened(out, SETTINGS, 1, seed=1) as begun:
        begun.add(1, record(1), failed=False)
    written(out, "what the killed run had renamed")
    with journal.opened(out, SETTINGS, 1, seed=1) as again:
        assert again.complete
        again.finish(write, "utf-8")
    assert json.loads(out.read_text())["row"] == 1
    with pytest.raises(UsageError, match="exists already"), journal.opened(out, SETTINGS, 1, seed=1):
        pass


def test_an_existing_output_is_not_overwritten(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", FEW[0])
    assert answer(source).returncode == 0
    before = (tmp_path / "out.jsonl").read_bytes()
    assert "exists already" in two_lines(answer(source), code=2)
    assert "exists already" in two_lines(answer(source, "in.txt"), code=2)
    assert (tmp_path / "out.jsonl").read_bytes() == before
    assert answer(source, "new/folder/out.jsonl").returncode == 0


def begun(words: list[str], out: Path, rows: int) -> "subprocess.Popen[str]":
    """Start a batch and wait until some rows are in its journal."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    path = journal.folder_of(out) / "journal.jsonl"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if path.is_file() and path.read_bytes().count(b"\n") >= rows + 2:
            return process
        time.sleep(0.005)
    raise AssertionError(process.communicate()[1])


def batch_words(source: Path, out: Path, model: Path, *more: str) -> list[str]:
    words = ["batch", str(source), "--out", str(out), "--model", str(model), "--max-tokens", "64", *more]
    return [str(BIN / "ophtimus"), *words]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return written(
        tmp_path / "many.txt", "\n".join(f"What is the eye's part {number}?" for number in range(1, 151))
    )


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    tiny_model: Path, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    words = batch_words(many, out, tiny_model)
    process = begun(words, out, 5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "rows are kept; run the same command to go on" in said
    assert "Traceback" not in said
    assert not out.exists()
    other = subprocess.run([*words, "--role", "teaching"], capture_output=True, text=True, check=False)
    assert "was begun with" in two_lines(other, code=2)
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "of 150 rows are there already" in result.stderr
    assert [record["row"] for record in lines_of(out)] == list(range(1, 151))
    assert 2 <= sum(" left." in line for line in result.stderr.splitlines()) <= 10


def test_at_a_terminal_a_bar_shows_the_time_left(tiny_model: Path, many: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    words = batch_words(many, tmp_path / "out.jsonl", tiny_model)
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=follower
    ) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side is closed
            while data := os.read(leader, 65536):
                shown += data
        assert process.wait(timeout=60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(leader)
    assert b"answering" in shown
    assert b"/150" in shown
    assert b" left" in shown
    assert shown.rstrip().endswith(b"150 of 150 questions answered: " + bytes(tmp_path / "out.jsonl"))


def test_where_the_context_is_small_it_says_how_many_fit(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", FEW[0])
    assert "has room for" not in answer(source, "a.jsonl").stderr
    assert "room for 1 answers of up to 400" in answer(source, "b.jsonl", "--max-tokens", "400").stderr


def test_a_worker_that_dies_is_replaced(tiny_model: Path, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    process = begun(batch_words(many, out, tiny_model), out, 5)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert [record["row"] for record in lines_of(out)] == list(range(1, 151))
    assert all(record["completion_tokens"] == 64 for record in lines_of(out))


def test_a_full_disk_keeps_what_is_done(
    ophtimus: Command, tiny_model: Path, many: Path, disk: Disk, tmp_path: Path
) -> None:
    stick = disk(tmp_path / "stick", 1)
    filler = stick / "filler"
    filler.write_bytes(bytes((1 << 20) - (40 << 10)))
    words = batch_words(many, stick / "out.jsonl", tiny_model)[1:]
    assert "No space left" in two_lines(ophtimus(*words))
    assert not (stick / "out.jsonl").exists()
    filler.unlink()
    result = ophtimus(*words)
    assert result.returncode == 0, result.stderr
    assert "rows are there already" in result.stderr
    assert [record["row"] for record in lines_of(stick / "out.jsonl")] == list(range(1, 151))


def test_a_folder_that_cannot_be_written_is_two_lines(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", FEW[0])
    written(tmp_path / "file", "")
    assert "cannot be written" in two_lines(answer(source, "file/out.jsonl"))
