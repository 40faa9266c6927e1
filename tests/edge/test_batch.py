import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from batches import FEW, lines_of, table_of, written
from commands import two_lines
from conftest import Command

from ophtimus_edge.batch.answering import answers
from ophtimus_edge.batch.questions import Row
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Sampling
from ophtimus_edge.models import store

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


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_no_file_is_two_lines(answer: Any, tmp_path: Path, name: str) -> None:
    said = two_lines(answer(tmp_path / name))
    assert str(tmp_path) in said
    assert not list(tmp_path.glob(".out*"))


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
