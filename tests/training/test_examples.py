"""Every form that a source can have: the sound is read as it was trained on, the unsound is named by its row."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as arrow
import pytest
from conftest import ROOT
from pyarrow import parquet

from ophtimus_edge.errors import OphtimusError, TrainingDataError
from ophtimus_training import primer as primers
from ophtimus_training.examples import read, read_recipe
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import load

PRIMER = ROOT / "training" / "primer"
MCQ = {
    "question": "Which layer pumps water out of the cornea?",
    "option_a": "Epithelium", "option_b": "Endothelium", "option_c": "", "option_d": "", "option_e": "",
    "explanation": "Its pumps keep the stroma clear.", "answer": "Endothelium",
}  # fmt: skip
MCQ_EXCHANGE = Exchange(
    "Question:\nWhich layer pumps water out of the cornea?\n\nOptions:\nA) Epithelium\nB) Endothelium",
    "Explanation:\nIts pumps keep the stroma clear.\n\nAnswer:\nB) Endothelium",
)
ESSAY = {"question": "What is a cataract?", "answer": "A clouding of the lens."}
Rows = list[dict[str, object]]


def as_jsonl(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def as_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(path: Path, rows: Rows) -> Path:
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    return path


KINDS = {"a.jsonl": as_jsonl, "a.csv": as_csv, "a.parquet": as_parquet}
FORMS: dict[str, tuple[dict[str, object], Exchange | str]] = {
    "MCQA-v3": (dict(MCQ), MCQ_EXCHANGE),
    "evaluation set": ({**MCQ, "answer": "B", "answer_text": "Endothelium"}, MCQ_EXCHANGE),
    "EQA-v3": (dict(ESSAY), Exchange("What is a cataract?", "A clouding of the lens.")),
    "MedQuAD": (
        {"qtype": "information", "Question": "What is a cataract?", "Answer": "A clouding of the lens."},
        Exchange("What is a cataract?", "A clouding of the lens."),
    ),
    "reasoning": (
        {"question": "What is a cataract?", "chain_response": "<think>The lens.</think>It clouds."},
        Exchange("What is a cataract?", "<think>The lens.</think>It clouds."),
    ),
    "corpus": ({"text": "The cornea is clear."}, "The cornea is clear."),
    "prepared": ({"prompt": "Why?", "completion": "Because."}, Exchange("Why?", "Because.")),
    "PubMedQA of the project": (
        {"question": "Do drops help?", "option_a": "True", "option_b": "False", "answer": "no"},
        Exchange(
            "Question:\nDo drops help?\n\nOptions:\nA) True\nB) False", "Explanation:\n\n\nAnswer:\nB) False"
        ),
    ),
    "PubMedQA": (
        {"question": "Do drops help?", "final_decision": "yes", "long_answer": "They do."},
        Exchange(
            "Question:\nDo drops help?\n\nOptions:\nA) True\nB) False",
            "Explanation:\nThey do.\n\nAnswer:\nA) True",
        ),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_from_every_kind_of_file(form: str, kind: str, tmp_path: Path) -> None:
    row, expected = FORMS[form]
    path = KINDS[kind](tmp_path / kind, [row])
    found = read(str(path), "train")
    assert [*found.exchanges, *found.documents] == [expected]
    assert len(found.choices) == (
        isinstance(expected, Exchange) and expected.prompt.startswith("Question:\n")
    )
    assert [(file.name, file.rows, len(file.sha256)) for file in found.files] == [(kind, 1, 64)]
    assert found.skipped == []


@pytest.mark.parametrize("first", [0, 1])
def test_a_choice_of_medmcqa_is_counted_from_where_its_file_counts(first: int, tmp_path: Path) -> None:
    base = {"question": "Which?", "opa": "one", "opb": "two", "opc": "three", "opd": "four", "exp": "So."}
    rows: Rows = [base | {"question": f"Which, of {at}?", "cop": at + first} for at in range(4)]
    found = read(str(as_parquet(tmp_path / "m.parquet", rows)), "train")
    assert [exchange.reply.rsplit("\n", 1)[1] for exchange in found.exchanges] == [
        "A) one", "B) two", "C) three", "D) four",
    ]  # fmt: skip
    # The middle rows alone do not say it, and a guess would teach the wrong options.
    with pytest.raises(TrainingDataError, match="from 0 or from 1"):
        read(str(as_parquet(tmp_path / "n.parquet", rows[1 - first : 4 - first][:3])), "train")


def test_packed_windows_come_as_they_are(tmp_path: Path) -> None:
    rows: Rows = [{"input_ids": [128000, 7, 7]}, {"input_ids": [128000, 9000, 5]}]
    found = read(str(as_parquet(tmp_path / "p.parquet", rows)), "train")
    assert found.windows == [[128000, 7, 7], [128000, 9000, 5]]
    assert not found.exchanges + found.documents
    bad = as_parquet(tmp_path / "q.parquet", [*rows, {"input_ids": None}, {"input_ids": [5, -1]}])
    found = read(str(bad), "train")
    assert len(found.windows) == 2
    assert found.skipped == [
        "q.parquet, row 3: it has no input_ids.",
        "q.parquet, row 4: it has a token id below 0.",
    ]
    with pytest.raises(TrainingDataError, match="not lists of whole numbers"):
        read(str(as_parquet(tmp_path / "r.parquet", [{"input_ids": "1 2"}])), "train")


def test_a_primer_folder_honours_its_split() -> None:
    primer = primers.read(PRIMER)
    trained, heldout = read(str(PRIMER), "train"), read(str(PRIMER), "heldout")
    assert trained.exchanges == primers.exchanges(primer)
    assert trained.choices == primer.choices
    assert len(heldout.exchanges) == len(primer.heldout_essays) + len(primer.heldout_choices)
    assert heldout.choices == primer.heldout_choices
    assert not {exchange.prompt for exchange in trained.exchanges} & {e.prompt for e in heldout.exchanges}
    assert sum(file.rows for file in heldout.files) == len(heldout.exchanges)


def test_what_is_named_for_training_is_not_held_out(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path / "plain.jsonl", [dict(ESSAY)])
    recipe = load("instruct-1b", [f'data=["{path}", "{PRIMER}"]'])
    heldout = read_recipe(recipe, "heldout")
    assert heldout.exchanges == read(str(PRIMER), "heldout").exchanges  # of the plain file nothing
    assert Exchange(*ESSAY.values()) in read_recipe(recipe, "train").exchanges
    other = as_jsonl(tmp_path / "other.jsonl", [dict(MCQ)])
    recipe = load("instruct-1b", [f"data={path}", f"evaluation={other}"])
    assert read_recipe(recipe, "heldout").exchanges == [MCQ_EXCHANGE]
    assert read_recipe(load("instruct-1b", [f"data={path}"]), "heldout").exchanges == []


def test_a_row_and_a_file_that_are_held_out_are_not_trained_on(tmp_path: Path) -> None:
    marked = [{**ESSAY, "split": "train"}, {**ESSAY, "split": "heldout"}]
    path = as_jsonl(tmp_path / "marked.jsonl", marked)
    found = read(str(path), "train")
    assert len(found.exchanges) == 1
    assert found.skipped == ["marked.jsonl, line 2: it says of itself that it is held out."]
    folder = tmp_path / "set"
    (folder / "data").mkdir(parents=True)
    as_parquet(folder / "data" / "train-00000-of-00001.parquet", [dict(ESSAY)])
    (folder / "dataset_infos.json").write_text('{"default": {}}')
    (folder / ".cache").mkdir()
    as_jsonl(folder / ".cache" / "train.jsonl", [{"question": "Old?", "answer": "Old."}])
    as_parquet(folder / "data" / "test-00000-of-00001.parquet", [dict(MCQ)])
    found = read(str(folder), "train")
    assert found.exchanges == [Exchange(*ESSAY.values())]
    assert "set/data/test-00000-of-00001.parquet is left out" in found.skipped[0]
    assert read(str(folder), "heldout").exchanges == [MCQ_EXCHANGE]
    (folder / "data" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(TrainingDataError, match="for testing"):
        read(str(folder), "train")


BROKEN = {
    "an answer that is no option": (
        {**MCQ, "answer": "Lens"},
        "line 2: its answer, “Lens”, is none of its options",
    ),
    "an answer that is a letter too many": ({**MCQ, "answer": "D"}, "line 2: its answer, “D”, is none"),
    "no answer": ({"question": "What?", "answer": " "}, "line 2: it has no answer"),
    "no question": ({"question": "", "answer": "Yes, it is."}, "line 2: it has no question"),
    "no text": ({"text": ""}, "line 2: it has no text"),
    "maybe": ({"question": "Is it?", "answer": "maybe"}, "line 2: its answer is “maybe”"),
    "other columns": ({"frage": "Was?"}, "line 2: it has none of the columns"),
    "a list": (
        {"question": ["What?"], "answer": "That."},
        "line 2: its question is neither text nor a number",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_row_is_left_out_by_its_number_and_the_others_count(fault: str, tmp_path: Path) -> None:
    row, said = BROKEN[fault]
    path = as_jsonl(tmp_path / "rows.jsonl", [dict(ESSAY), row, dict(MCQ)])
    found = read(str(path), "train")
    assert len(found.exchanges) == 2
    (sentence,) = found.skipped
    assert said in sentence
    with pytest.raises(TrainingDataError):  # alone, it is not passed over
        read(str(as_jsonl(tmp_path / "alone.jsonl", [row])), "train")


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{json.dumps(ESSAY)}\n\n{{"question": \n{json.dumps(MCQ)}\n')
    found = read(str(path), "train")
    assert len(found.exchanges) == 2  # a blank line is no row
    assert "rows.jsonl, line 3: it is not a JSON object" in found.skipped[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_korean_files_are_read_as_clinics_write_them(encoding: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "questions.csv"
    lines = [
        "question,answer",
        "백내장이란 무엇입니까?,수정체가 흐려지는 병입니다.",
        "",
        "녹내장은?,시신경의 병입니다.",
    ]
    path.write_bytes(end.join(lines).encode(encoding))
    found = read(str(path), "train")
    assert found.exchanges == [
        Exchange("백내장이란 무엇입니까?", "수정체가 흐려지는 병입니다."),
        Exchange("녹내장은?", "시신경의 병입니다."),
    ]


def _damaged_parquet(path: Path) -> Path:
    as_parquet(path, [dict(ESSAY)])
    path.write_bytes(path.read_bytes()[:-20])
    return path


UNUSABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "nothing.jsonl", "no training data in"),
    "empty": (lambda folder: as_jsonl(folder / "empty.jsonl", []), "is empty"),
    "header alone": (lambda folder: _written(folder / "head.csv", "question,answer\n"), "is empty"),
    "columns": (lambda folder: as_csv(folder / "c.csv", [{"frage": "a", "antwort": "b"}]), "frage, antwort"),
    "missing, as a hub id is written": (lambda folder: Path("folder/nothing.jsonl"), "no training data in"),
    "folder": (lambda folder: folder, "no question files"),
    "damaged": (lambda folder: _damaged_parquet(folder / "d.parquet"), "no sound Parquet"),
    "binary": (lambda folder: _written(folder / "b.jsonl", "a\0b"), "zero bytes"),
}  # fmt: skip


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("fault", UNUSABLE)
def test_a_source_that_cannot_be_used_is_refused(fault: str, tmp_path: Path) -> None:
    make, said = UNUSABLE[fault]
    with pytest.raises(OphtimusError, match=said) as caught:
        read(str(make(tmp_path)), "train")
    assert caught.value.hint


def test_a_large_file_is_read_by_lines_and_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.jsonl"
    lines = [
        json.dumps({"question": f"What is {at}? 백내장\u2028", "answer": f"It is {at}."})
        for at in range(100_000)
    ]
    lines[70_000] = "{"
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    whole = read(str(path), "train")
    told: list[int] = []
    monkeypatch.setattr("ophtimus_training.examples.tables._WHOLE_BYTES", 1)
    streamed = read(str(path), "train", lambda name, rows: told.append(rows))
    assert streamed == whole
    assert len(streamed.exchanges) == 99_999
    assert "line 70001" in streamed.skipped[0]
    assert told == sorted(told)
    assert told[-1] == 100_000
    path.write_bytes(b"\n".join(line.encode() for line in lines[:2000]) + b"\n\xff")
    with pytest.raises(TrainingDataError, match="line 2001"):
        read(str(path), "train")
