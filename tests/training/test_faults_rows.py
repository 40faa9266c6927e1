"""Faults of rows that trainers meet in silence: two beginnings, nothing masked, an end cut off, nothing to learn."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import AutoTokenizer
from trl import pack_dataset

from ophtimus_edge.errors import BaseCheckpointError, TrainingDataError
from ophtimus_edge.models.llama3 import TEMPLATE_DATE
from ophtimus_training.packing import LENGTHS, Collator, packed
from ophtimus_training.primer import Exchange
from ophtimus_training.rows import END_OF_TURN, IGNORED, texts, tokenized, windowed
from ophtimus_training.running.bases import PADDING, with_padding

ASKED = Exchange("What is glaucoma?", "A disease of the optic nerve.")
OTHER = Exchange("Is a cataract treated?", "Yes: by surgery.")


@pytest.fixture
def tokenizer(tiny_checkpoint: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_checkpoint)


def test_double_bos(tokenizer: Any) -> None:
    """A rendered text that is tokenized again gets a second beginning (llama-cpp-python #1501); here none can."""
    begin = tokenizer.bos_token_id
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": ASKED.prompt}], tokenize=False)
    assert tokenizer(rendered)["input_ids"].count(begin) == 2  # the fault, as the published script has it
    (row,) = tokenized(tokenizer, [ASKED], 512)
    assert row["input_ids"].count(begin) == 1
    assert row["input_ids"][0] == begin
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    with pytest.raises(TrainingDataError, match="2 beginnings"):
        tokenized(tokenizer, [ASKED], 512)


def test_a_beginning_inside_a_question_is_refused_too(tokenizer: Any) -> None:
    with pytest.raises(TrainingDataError, match="2 beginnings"):
        tokenized(tokenizer, [Exchange(f"{tokenizer.bos_token}What is it?", "It is.")], 512)


def test_a_mask_that_masks_nothing(tokenizer: Any) -> None:
    """``completion_only_loss`` on rendered text learns the questions too; here the answer and its end alone are."""
    for system in ("", "You are an ophthalmologist."):
        for exchange in (ASKED, OTHER):
            (row,) = tokenized(tokenizer, [exchange], 512, system)
            learned = [token for token in row["labels"] if token != IGNORED]
            assert tokenizer.decode(learned) == f"{exchange.reply}{END_OF_TURN}"
            assert row["input_ids"][-len(learned) :] == learned
            asked = row["input_ids"][: -len(learned)]
            assert exchange.prompt in tokenizer.decode(asked)
            assert system in tokenizer.decode(asked)


def test_silent_truncation_that_drops_the_end_of_a_turn(tokenizer: Any) -> None:
    rows = tokenized(tokenizer, [ASKED, OTHER], 512)
    end = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    longest = max(len(row["input_ids"]) for row in rows)
    # The fault: trl packs what is too long without a word, and the answer no longer ends.
    cut = pack_dataset(Dataset.from_list(rows), longest - 1, "bfd")
    assert any(row["labels"][-1] != end and longest - 1 == len(row["labels"]) for row in cut)

    with pytest.raises(TrainingDataError, match=f"1 rows are longer than {longest - 1} tokens") as caught:
        tokenized(tokenizer, [ASKED, OTHER], longest - 1)
    assert "overlong=drop" in caught.value.hint
    kept = tokenized(tokenizer, [ASKED, OTHER], longest - 1, overlong="drop")
    assert len(kept) == 1
    assert tokenized(tokenizer, [ASKED, OTHER], longest) == rows
    windows = packed(rows, longest, seed=1)
    ends = sum(label == end for row in windows.rows for label in row["labels"])
    assert ends == 2


def test_fully_masked_rows(tokenizer: Any) -> None:
    """A row in which nothing is learned would still be worked on, and dilute the mean; none is made."""
    for reply in ("", "  \n"):
        with pytest.raises(TrainingDataError, match="has no answer"):
            tokenized(tokenizer, [ASKED, Exchange("Why?", reply)], 512)
    for row in tokenized(tokenizer, [ASKED, OTHER], 512):
        assert any(label != IGNORED for label in row["labels"][1:])


def test_a_template_without_an_end_of_turn_is_refused(tokenizer: Any) -> None:
    assert tokenized(tokenizer, [ASKED], 512)
    tokenizer.chat_template = tokenizer.chat_template.replace(END_OF_TURN, "\n")
    with pytest.raises(TrainingDataError, match="end of a turn"):
        tokenized(tokenizer, [ASKED], 512)
    tokenizer.chat_template = None
    with pytest.raises(TrainingDataError, match="no chat template"):
        tokenized(tokenizer, [ASKED], 512)


def test_a_template_that_writes_the_date_writes_the_same_every_day(tokenizer: Any) -> None:
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{ bos_token }}",
        "{{ bos_token }}{% if not date_string is defined %}"
        "{% set date_string = strftime_now('%d %b %Y') %}{% endif %}Today: {{ date_string }}",
    )
    (row,) = tokenized(tokenizer, [ASKED], 512)
    assert f"Today: {TEMPLATE_DATE}" in tokenizer.decode(row["input_ids"])


def test_padding_with_the_end_token(tokenizer: Any) -> None:
    """Where padding is the end token, masking the one unlearns the other, and a model does not stop."""
    end = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    assert with_padding(tokenizer).pad_token == PADDING
    rows = tokenized(tokenizer, [ASKED, OTHER], 512)
    batch = Collator(tokenizer.pad_token_id)(rows)
    short = min(range(2), key=lambda index: len(rows[index]["input_ids"]))
    padded = batch["labels"][short][len(rows[short]["input_ids"]) :]
    assert len(padded) > 0
    assert (padded == IGNORED).all()
    assert (batch["labels"] == end).sum() == 2  # both ends are learned
    assert not (batch["labels"] == tokenizer.pad_token_id).any()


@pytest.mark.parametrize("padding", ["<|eot_id|>", "<|end_of_text|>", None])
def test_a_tokenizer_that_can_pad_with_nothing_else_is_refused(tokenizer: Any, padding: str | None) -> None:
    state = tokenizer.backend_tokenizer.to_str().replace(PADDING, "<|reserved_special_token_0|>")
    other = type(tokenizer)(
        tokenizer_object=tokenizer.backend_tokenizer.from_str(state),
        bos_token=tokenizer.bos_token, eos_token=tokenizer.eos_token, pad_token=padding,
    )  # fmt: skip
    with pytest.raises(BaseCheckpointError, match="no token to pad with"):
        with_padding(other)


def test_every_token_of_a_text_is_learned_once_and_none_of_the_next_from_it(tokenizer: Any) -> None:
    documents = ["The retina lines the eye. " * 12, "A cataract clouds the lens.", ""]
    rows = texts(tokenizer, documents, 24)
    assert max(len(row["input_ids"]) for row in rows) == 24
    end, begin = tokenizer.convert_tokens_to_ids("<|end_of_text|>"), tokenizer.bos_token_id
    whole = [[begin, *tokenizer(text, add_special_tokens=False)["input_ids"], end] for text in documents]
    # What is predicted, in order: all but each text's first token.
    assert [token for row in rows for token in row["labels"][1:]] == [
        token for text in whole for token in text[1:]
    ]
    assert all(row["labels"] == row["input_ids"] for row in rows)


def test_packed_windows_of_a_file_are_cut_where_a_text_begins() -> None:
    rows = windowed([[9, 5, 6, 9, 7, 8], [4, 4, 9]], beginning=9, length=6)
    assert [row["input_ids"] for row in rows] == [[9, 5, 6], [9, 7, 8], [4, 4]]
    assert [row["input_ids"] for row in windowed([[9, 5, 9]], None, 6)] == [[9, 5, 9]]
    with pytest.raises(TrainingDataError, match="row 1 of input_ids has 6 tokens"):
        windowed([[9, 5, 6, 9, 7, 8]], beginning=9, length=5)


def test_packing_keeps_every_row_whole_and_once(tokenizer: Any) -> None:
    exchanges = [Exchange(f"What is number {at}?", "It is " + "so " * (at % 9)) for at in range(40)]
    rows = tokenized(tokenizer, exchanges, 200)
    windows = packed(rows, 200, seed=1)
    assert windows.sequences == 40
    assert len(windows.rows) < 30
    found = []
    for window in windows.rows:
        start = 0
        for length in window[LENGTHS]:
            found.append(
                (window["input_ids"][start : start + length], window["labels"][start : start + length])
            )
            start += length
        assert start == len(window["input_ids"]) <= 200
    assert sorted(found) == sorted((row["input_ids"], row["labels"]) for row in rows)
    assert windows.supervised == sum(label != IGNORED for row in rows for label in row["labels"][1:])
