"""The audit: each fault that is planted in data, template or recipe fails it, and the sound beside it passes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from training.test_examples import ESSAY, MCQ, Rows, as_jsonl, as_parquet

from ophtimus_edge.specialties.quiz_file import embedded_path
from ophtimus_training.cli import main
from ophtimus_training.examples import read
from ophtimus_training.packing import counted
from ophtimus_training.rows import tokenized
from ophtimus_training.running.material import system_prompt

SOUND: Rows = [dict(ESSAY), dict(MCQ)]
OTHER: Rows = [{"question": "What does the iris do?", "answer": "It sets the width of the pupil."}]


class Audited:
    """Run the command as a person does, and read what it printed."""

    def __init__(self, base: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.base, self.folder, self.capsys = base, folder, capsys

    def of(self, data: Path, *settings: str, recipe: str = "instruct-1b", code: int = 0) -> dict[str, Any]:
        every = (f"data={data}", f"base={self.base}", "length=512", "overlong=refuse", *settings)
        words = [word for setting in every for word in ("--set", setting)]
        assert main(["audit", recipe, "--json", *words]) == code
        printed = self.capsys.readouterr()
        found = dict(json.loads(printed.out))
        assert found["passed"] is (code == 0)
        assert len(printed.err.splitlines()) == (2 if code else 0)
        assert "Traceback" not in printed.err
        return found

    def rows(self, rows: Rows, *settings: str, recipe: str = "instruct-1b", code: int = 0) -> dict[str, Any]:
        return self.of(as_jsonl(self.folder / "rows.jsonl", rows), *settings, recipe=recipe, code=code)


@pytest.fixture
def audited(tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audited:
    return Audited(tiny_checkpoint, tmp_path, capsys)


def faults(found: dict[str, Any], split: int = 0) -> dict[str, list[str]]:
    """The places of the rows with a fault, by fault."""
    return {
        fault: [row["place"] for row in rows["first"]]
        for fault, rows in found["splits"][split]["faults"].items()
    }


def test_sound_questions_pass_and_only_their_answers_are_learned(audited: Audited) -> None:
    found = audited.rows(SOUND, "seed=3")
    (figures,) = found["splits"]
    assert (figures["rows"], figures["bos"], figures["ends"]) == (2, 2, 6)
    assert (figures["cut"], figures["fully_masked"], figures["duplicates"], figures["faults"]) == (
        0,
        0,
        0,
        {},
    )
    learned = [
        "".join(piece["text"] for piece in row["pieces"] if piece["learned"]) for row in found["samples"]
    ]
    assert sorted(learned) == [
        "A clouding of the lens.<|eot_id|>",
        "Explanation:\nIts pumps keep the stroma clear.\n\nAnswer:\nB) Endothelium<|eot_id|>",
    ]
    assert audited.rows(SOUND, "seed=3") == found


def test_what_is_counted_is_what_a_run_trains_on(audited: Audited, tiny_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    data = ROOT / "training" / "primer" / "essay" / "glaucoma.jsonl"
    (figures,) = audited.of(data, "length=1024")["splits"]
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    rows = tokenized(tokenizer, read(str(data), "train").exchanges, 1024, system_prompt())
    assert (figures["tokens"], figures["learned"]) == counted(rows)
    assert figures["rows"] == len(rows) == sum(one["rows"] for one in figures["lengths"]["histogram"])
    assert figures["lengths"]["longest"] == max(len(row["input_ids"]) for row in rows)


def test_the_published_form_begins_twice_and_masks_nothing(audited: Audited, tiny_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    turns = [
        {"role": "user", "content": ESSAY["question"]},
        {"role": "assistant", "content": ESSAY["answer"]},
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    found = audited.rows([{"text": text}], code=1)
    assert {"double_bos", "nothing_masked"} <= set(faults(found))
    assert found["splits"][0]["bos"] == 2
    assert all(piece["learned"] for sample in found["samples"] for piece in sample["pieces"])
    assert any("the run learns none of them" in failure for failure in found["failures"])
    # As continued pre-training the same rows are one text each, and the chat in them is still learned whole.
    found = audited.rows([{"text": text}], recipe="pretrain-8b", code=1)
    assert "chat_in_text" in faults(found)
    assert audited.rows([{"text": f"{ESSAY['question']} {ESSAY['answer']}"}], recipe="pretrain-8b")
    audited.rows([dict(ESSAY)])


def test_rows_of_another_form_are_not_passed_over_in_silence(audited: Audited) -> None:
    text = {"text": "The cornea is the clear window of the eye."}
    found = audited.rows([text, dict(ESSAY)], recipe="pretrain-8b", code=1)
    assert found["splits"][0]["rows"] == 1
    (failure,) = found["failures"]
    assert "questions with answers where the recipe trains on raw text: 1; the run learns none" in failure
    assert failure.endswith("the first rows.jsonl, line 2.")
    audited.rows([text], recipe="pretrain-8b")
    packed = as_parquet(audited.folder / "packed.parquet", [{"input_ids": [5, 6, 7]}])
    assert "raw text or ids" in audited.of(packed, code=1)["failures"][-1]


def test_windows_of_another_tokenizer_are_refused(audited: Audited, tiny_checkpoint: Path) -> None:
    data = as_jsonl(audited.folder / "rows.jsonl", [{"text": "The cornea is the clear window of the eye."}])
    out = audited.folder / "out"
    words = [
        "prepare",
        "pretrain-8b",
        "-o",
        str(out),
        "--set",
        f"data={data}",
        "--set",
        f"base={tiny_checkpoint}",
    ]
    assert main(words) == 0
    audited.capsys.readouterr()
    audited.of(out, "length=1024", recipe="pretrain-8b")
    path = out / "manifest.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"tokenizer_sha256": "0" * 64}))
    assert (
        "packed with another tokenizer"
        in audited.of(out, "length=1024", recipe="pretrain-8b", code=1)["failures"][0]
    )


TEMPLATES = {
    "begins twice": ("{{ bos_token }}", "{{ bos_token }}{{ bos_token }}", "has 2 beginnings of a text"),
    "has no end": (
        "<|eot_id|>{% endfor %}",
        "{% endfor %}",
        "so that its answer does not follow the question",
    ),
}


@pytest.mark.parametrize("fault", TEMPLATES)
def test_a_template_with_a_fault_is_refused(fault: str, audited: Audited, tiny_checkpoint: Path) -> None:
    sound, broken, said = TEMPLATES[fault]
    base = audited.folder / "base"
    shutil.copytree(tiny_checkpoint, base)
    (template,) = base.glob("chat_template.jinja")
    text = template.read_text()
    assert sound in text
    template.write_text(text.replace(sound, broken))
    data = as_jsonl(audited.folder / "rows.jsonl", SOUND)
    words = ["audit", "instruct-1b", "--set", f"data={data}", "--set"]
    assert main([*words, f"base={base}"]) == 1
    printed = audited.capsys.readouterr()
    assert said in printed.out + printed.err
    assert main([*words, f"base={tiny_checkpoint}"]) == 0


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"question": "What is it?", "answer": "It is<|eot_id|> a cataract."}, "end_inside"),
        ({"question": "What <|eot_id|>is it?", "answer": "It is a cataract."}, "end_inside"),
        ({"question": "<|begin_of_text|>What is it?", "answer": "It is a cataract."}, "refused"),
        ({"question": "What is it?", "answer": "It is a long story. " * 200}, "overlong"),
    ],
)
def test_a_row_with_a_fault_fails_by_its_number(row: dict[str, object], fault: str, audited: Audited) -> None:
    found = audited.rows([*SOUND, row], code=1)
    assert faults(found) == {fault: ["rows.jsonl, line 3"]}
    assert "rows.jsonl, line 3" in found["failures"][0]


def test_overlong_rows_pass_where_the_recipe_says_what_becomes_of_them(audited: Audited) -> None:
    long = {"question": "What is it?", "answer": "It is a long story. " * 200}
    found = audited.rows([*SOUND, long], "overlong=drop")
    assert "longer than 512 tokens and left out (overlong = drop): 1" in found["notes"][0]
    assert found["splits"][0]["lengths"]["histogram"][-1]["rows"] == 1
    audited.rows([*SOUND, long], "length=4096")


def test_what_is_evaluated_on_is_not_trained_on(audited: Audited) -> None:
    heldout = as_jsonl(audited.folder / "heldout.jsonl", OTHER)
    found = audited.rows([*SOUND, {**OTHER[0], "answer": "Something else."}], f"evaluation={heldout}", code=1)
    assert found["leaks"] == [
        {"place": "rows.jsonl, line 3", "said": "asks the same as heldout.jsonl, line 1"}
    ]
    assert "evaluated on and trained on: 1" in found["failures"][0]
    assert [figures["split"] for figures in audited.rows(SOUND, f"evaluation={heldout}")["splits"]] == [
        "train", "heldout",
    ]  # fmt: skip
    # The questions that come with the program are asked of every model, whatever the recipe names.
    question = json.loads(embedded_path().read_text().splitlines()[0])["question"]
    found = audited.rows([*SOUND, {"question": question, "answer": "Something."}], code=1)
    assert "questions.jsonl" in found["leaks"][0]["said"]


def test_a_shared_passage_and_what_stands_twice_are_said(audited: Audited) -> None:
    answer = "The iris is a muscle with a hole in it and sets how much light falls upon the retina behind it."
    heldout = as_jsonl(
        audited.folder / "heldout.jsonl", [{"question": "What does the iris do?", "answer": answer}]
    )
    rows: Rows = [*SOUND, {"question": "Describe it.", "answer": f"Well: {answer}"}, dict(ESSAY)]
    found = audited.rows(rows, f"evaluation={heldout}")
    assert found["overlaps"][0]["place"] == "rows.jsonl, line 3"
    assert "share a passage of 13 words" in found["notes"][0]
    assert found["splits"][0]["duplicates"] == 1


def test_packed_windows_are_looked_at_too(audited: Audited, tiny_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    bos, text = tokenizer.bos_token_id, [5, 6, 7, 8]
    chat = tokenizer.convert_tokens_to_ids("<|start_header_id|>")
    windows = {
        "double_bos": [bos, bos, *text], "chat_in_text": [bos, chat, *text], "overlong": [bos, *text * 200],
        "foreign_tokens": [bos, len(tokenizer)],
    }  # fmt: skip
    sound = {"input_ids": [bos, *text, bos, *text]}
    found = audited.of(as_parquet(audited.folder / "sound.parquet", [sound]), recipe="pretrain-8b")
    assert (found["splits"][0]["bos"], found["splits"][0]["faults"]) == (2, {})
    for fault, ids in windows.items():
        data = as_parquet(audited.folder / "packed.parquet", [sound, {"input_ids": ids}])
        assert faults(audited.of(data, recipe="pretrain-8b", code=1)) == {fault: ["packed.parquet, row 2"]}


def test_what_is_left_out_of_the_sources_is_listed(audited: Audited) -> None:
    found = audited.rows([*SOUND, {"question": "What?", "answer": ""}])
    assert found["left_out"] == ["rows.jsonl, line 3: it has no answer."]
    assert list(found["files"]) == ["rows.jsonl"]


def test_a_person_reads_a_page_and_samples_as_many_as_asked(
    audited: Audited, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = as_jsonl(audited.folder / "rows.jsonl", SOUND)
    words = ["audit", "instruct-1b", "--set", f"data={data}", "--set", f"base={tiny_checkpoint}"]
    assert main([*words, "--samples", "1"]) == 0
    page = capsys.readouterr().out
    assert page.count("⟦") == 2 + page.count("Sample") - 1  # one in the sample's head, one around its answer
    assert page.count("Sample ") == 1
    assert "BOS                 2 (1.00 a row)" in page
    assert page.endswith("The audit passes.\n")
    assert main([*words, "--samples", "0"]) == 0
    assert "Sample" not in capsys.readouterr().out
    assert main([*words, "--samples", "-1"]) == 2
    assert main(["audit", "instruct-1b", "--set", f"data={data}", "--set", "base=/nowhere/at-all"]) == 1
    assert "no base" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["demo-pretrain", "smoke"])
def test_a_recipe_without_a_base_is_audited_with_the_tokenizer_that_its_run_makes(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("essay", "mcq"):
        (tmp_path / kind).mkdir()
        shutil.copy(ROOT / "training" / "primer" / kind / "glaucoma.jsonl", tmp_path / kind)
    words = ["audit", recipe, "--set", f"data={tmp_path}", "--set", "length=1024"]
    assert main([*words, *(["--set", "vocabulary=600"] if recipe == "demo-pretrain" else [])]) == 0
    page = capsys.readouterr().out
    assert "Evaluated on" in page
    assert "The audit passes." in page
