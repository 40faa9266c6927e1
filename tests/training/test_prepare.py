"""Preparing: each planted row is dropped for its own reason, by its number, and the sound ones beside it are kept."""

import json
from pathlib import Path

import pyarrow as arrow
import pytest
from conftest import Disk
from pyarrow import parquet
from training.test_examples import ESSAY, MCQ, MCQ_EXCHANGE, Rows, as_jsonl, as_parquet

from ophtimus_edge.errors import OphtimusError, TrainingDataError
from ophtimus_training.cli import main
from ophtimus_training.examples import read, read_recipe
from ophtimus_training.recipe import load

LONG = (
    "A detached retina must be seen the same day, since the macula may still be attached and sight can then be "
    "kept by surgery; flashes, floaters and a shadow that grows from the side are what patients notice first, and "
    "high myopia, cataract surgery and an injury are what puts an eye at risk of it in the years that follow"
)
NEARLY = LONG.replace("the same day", "that same day")
HELDOUT: Rows = [
    {"question": "Why is the pupil of an eye with acute angle closure fixed and half wide?",
     "answer": "The raised pressure starves the sphincter muscle of the iris of its blood, so that it no longer "
               "answers to light and stays where it is."},
]  # fmt: skip
PASSAGE = str(HELDOUT[0]["answer"])
TRAIN: Rows = [
    dict(ESSAY),
    dict(MCQ),
    {"question": "백내장은 어떻게 치료합니까?", "answer": "흐려진 수정체를 인공 수정체로 바꾸는 수술을 합니다."},
    {"question": "Was ist ein grauer Star?", "answer": "Das ist eine Trübung der Linse und wird operiert."},
    {"question": "Какая болезнь глаза?", "answer": "Это глаукома, болезнь зрительного нерва."},
    {"question": "What lowers blood pressure?", "answer": "Less salt, exercise, and drugs such as an ACE inhibitor."},
    {"question": "What is a CATARACT", "answer": "A clouding of the lens"},
    {"question": "When must a detached retina be seen?", "answer": LONG},
    {"question": "When must a detached retina be seen?", "answer": NEARLY},
    {"question": HELDOUT[0]["question"], "answer": "Its sphincter is starved of blood."},
    {"question": "What does ischaemia do to the iris in acute glaucoma?", "answer": f"In short: {PASSAGE}"},
    {**MCQ, "question": "Which layer of the cornea is the thickest?", "answer": "Stroma"},
    {"text": "The cornea is the clear window of the eye."},
]  # fmt: skip
DROPPED = {
    "language": [4, 5], "specialty": [6], "duplicate": [7], "near duplicate": [9], "evaluation": [10, 11],
    "unusable": [12], "form": [13],
}  # fmt: skip
KEPT = 4  # the essay, the choice, the Korean one, the long one


def prepare(
    tmp_path: Path, rows: Rows, *settings: str, out: str = "out", recipe: str = "instruct-1b"
) -> Path:
    """Prepare rows with the evaluation beside them, as a person does."""
    data = as_jsonl(tmp_path / "rows.jsonl", rows)
    heldout = as_jsonl(tmp_path / "heldout.jsonl", HELDOUT)
    words = ["prepare", recipe, "-o", str(tmp_path / out)]
    for setting in (f"data={data}", f"evaluation={heldout}", *settings):
        words += ["--set", setting]
    assert main(words) == 0
    return tmp_path / out


def report_of(folder: Path) -> dict[str, dict[str, dict[str, object]]]:
    return dict(json.loads((folder / "report.json").read_text()))


def places(folder: Path) -> dict[str, list[int]]:
    """The numbers of the rows that were dropped, by reason."""
    return {
        reason: [int(example["place"].rsplit(" ", 1)[1]) for example in dropped["examples"]]
        for reason, dropped in report_of(folder)["dropped"].items()
        if dropped["rows"]
    }


def test_every_planted_row_is_dropped_for_its_reason_and_the_sound_ones_are_kept(tmp_path: Path) -> None:
    folder = prepare(tmp_path, TRAIN)
    assert places(folder) == DROPPED
    found = read(str(folder), "train")
    assert len(found.exchanges) == KEPT
    assert MCQ_EXCHANGE in found.exchanges
    assert [choice.letter for choice in found.choices] == ["B"]  # a probe finds its letter again
    report = report_of(folder)
    assert (report["read"], report["kept"], report["languages"]) == (len(TRAIN), KEPT, {"en": 3, "ko": 1})
    page = (folder / "report.md").read_text()
    for number in (number for numbers in DROPPED.values() for number in numbers):
        assert f"rows.jsonl, line {number}:" in page
    assert "asks the same as heldout.jsonl, line 1" in page
    assert "runs of 13 words with heldout.jsonl, line 1" in page
    assert "as rows.jsonl, line 1" in page


@pytest.mark.parametrize(
    ("setting", "again"),
    [
        ('languages=["ko"]', "3"),
        ('specialty=""', "6"),
        ("specialty=", "6"),
        ("similarity=1", "9"),
        ("evaluation=", "10, 11"),
    ],
)
def test_each_filter_is_what_the_recipe_says(setting: str, again: str, tmp_path: Path) -> None:
    folder = prepare(tmp_path, TRAIN, setting)
    dropped = {number for numbers in places(folder).values() for number in numbers}
    assert not dropped & {int(number) for number in again.split(", ")}
    if setting.startswith("languages"):
        assert report_of(folder)["kept"] == 1


def test_the_same_data_give_the_same_bytes_and_the_hashes_are_theirs(tmp_path: Path) -> None:
    first, second = (prepare(tmp_path, TRAIN, out=name) for name in ("one", "two"))
    names = sorted(path.name for path in first.iterdir())
    assert names == ["heldout.jsonl", "manifest.json", "report.json", "report.md", "train.jsonl"]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    manifest = json.loads((first / "manifest.json").read_text())
    assert {(file["name"], file["split"], file["rows"]) for file in manifest["outputs"]} == {
        ("train.jsonl", "train", KEPT), ("heldout.jsonl", "heldout", 1),
    }  # fmt: skip
    assert {file["name"] for file in manifest["inputs"]} == {"rows.jsonl", "heldout.jsonl"}
    recipe = load("instruct-1b", [f"data={first}"])
    assert [exchange.prompt for exchange in read_recipe(recipe, "heldout").exchanges] == [
        HELDOUT[0]["question"]
    ]
    path = first / "train.jsonl"
    path.write_text(path.read_text().replace("clouding", "clearing"))
    with pytest.raises(TrainingDataError, match="its hash differs"):
        read(str(first), "train")
    path.unlink()
    with pytest.raises(TrainingDataError, match="not there"):
        read(str(first), "train")


def test_a_subject_decides_where_a_set_has_one(tmp_path: Path) -> None:
    base = {
        "question": "Which number is right?",
        "opa": "one",
        "opb": "two",
        "opc": "three",
        "opd": "four",
        "exp": "",
    }
    eye = "Which nerve moves the eye?"
    rows: Rows = [
        base | {"cop": 0, "subject_name": "Ophthalmology"},
        base | {"cop": 3, "subject_name": "Anatomy", "question": eye, "opa": "a nerve of the pupil"},
        base | {"cop": 3, "subject_name": "", "question": eye, "opa": "a nerve of the pupil"},
    ]
    data = as_parquet(tmp_path / "medmcqa.parquet", rows)
    folder = prepare(tmp_path, [dict(ESSAY)], f"data={data}")
    assert places(folder) == {"specialty": [2]}
    assert [exchange.reply[-6:] for exchange in read(str(folder), "train").exchanges] == ["A) one", ") four"]
    assert "its subject is Anatomy" in (folder / "report.md").read_text()


def test_texts_are_packed_with_their_beginnings_kept(tmp_path: Path, tiny_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    texts = [f"{LONG} {at}: " + " ".join(f"cornea{at * word}" for word in range(40)) for at in range(1, 30)]
    rows: Rows = [{"text": text} for text in [*texts, texts[3], f"Of acute glaucoma: {PASSAGE}"]]
    settings = (f"base={tiny_checkpoint}", "length=128", "similarity=1")
    folder = prepare(tmp_path, rows, *settings, recipe="pretrain-8b")
    windows = read(str(folder), "train").windows
    assert {len(window) for window in windows[:-1]} == {128}
    assert 0 < len(windows[-1]) <= 128
    ids = [token for window in windows for token in window]
    assert ids.count(tokenizer.bos_token_id) == len(texts)
    assert tokenizer.decode(ids).split("<|begin_of_text|>")[1:] == [
        f"{text}<|end_of_text|>" for text in texts
    ]
    assert places(folder) == {"duplicate": [30], "evaluation": [31]}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["outputs"][0]["tokens"] == len(ids)
    assert len(manifest["tokenizer_sha256"]) == 64
    assert parquet.read_schema(folder / "train.parquet").field("input_ids").type == arrow.list_(arrow.int32())
    assert read(str(folder), "heldout").windows


def test_what_cannot_be_prepared_is_said_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = as_parquet(tmp_path / "packed.parquet", [{"input_ids": [1, 2, 3]}])
    rows = as_jsonl(tmp_path / "rows.jsonl", [dict(ESSAY)])
    out = tmp_path / "out"
    for settings, said in [
        ([f"data={packed}"], "packed already"),
        (
            [f"data={rows}", 'languages=["ko"]'],
            "none of the 1 rows is kept; of most, the text is in no language",
        ),
        ([f"data={rows}", "specialty=dentistry"], "no terms of a field 'dentistry'"),
        ([f"data={rows}", "specialty=../ophthalmology"], "no terms of a field"),
        ([f"data={tmp_path / 'nothing'}"], "no training data in"),
        ([f"data={rows}", "similarity=0"], "similarity"),
    ]:
        words = ["prepare", "instruct-1b", "-o", str(out)]
        assert main([*words, *(word for setting in settings for word in ("--set", setting))]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 2
        assert said in lines[0]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["packed.parquet", "rows.jsonl"]
    assert prepare(tmp_path, [dict(ESSAY)]) == out
    assert main(["prepare", "instruct-1b", "-o", str(out), "--set", f"data={rows}"]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    small = disk(tmp_path / "small", 1)
    rows: Rows = [
        {"question": f"What is cataract {at}?", "answer": f"{at}: " + "the lens of the eye is clear, " * 150}
        for at in range(400)
    ]
    data = as_jsonl(tmp_path / "rows.jsonl", rows)
    words = [
        "prepare",
        "instruct-1b",
        "--set",
        f"data={data}",
        "--set",
        "similarity=1",
        "--set",
        "specialty=",
    ]
    assert main([*words, "-o", str(small / "out")]) == 1
    assert "No space left" in capsys.readouterr().err
    assert list(small.iterdir()) == []
    assert main([*words, "-o", str(tmp_path / "out")]) == 0


def test_a_stop_leaves_nothing_and_touches_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(report: object) -> str:
        raise KeyboardInterrupt

    run = tmp_path / ".out.part" / "checkpoint-1"  # of a training run of the same name that was stopped
    run.mkdir(parents=True)
    data = as_jsonl(tmp_path / "rows.jsonl", [dict(ESSAY)])
    words = ["prepare", "instruct-1b", "-o", str(tmp_path / "out"), "--set", f"data={data}"]
    with monkeypatch.context() as patched:
        patched.setattr("ophtimus_training.preparing.preparation.as_markdown", stop)
        assert main(words) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.part", "rows.jsonl"]
    assert main(words) == 0
    assert run.is_dir()


def test_a_newer_manifest_is_refused(tmp_path: Path) -> None:
    folder = prepare(tmp_path, [dict(ESSAY)])
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(OphtimusError, match="newer release"):
        read(str(folder), "train")
