"""Tokenizers and templates, as transformers 4 and 5 write them, from wherever they come."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from ophtimus_convert.vocabulary import read_vocabulary, tokenizer_folder
from ophtimus_edge.errors import ConversionError


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, copy)
    return copy


def configure(folder: Path, **changes: object) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_vocabulary_keeps_ids_types_and_template(tiny_checkpoint: Path) -> None:
    vocabulary = read_vocabulary(tiny_checkpoint, 1030)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    assert (vocabulary.bos, vocabulary.eos) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert vocabulary.tokens[tokenizer.eos_token_id] == "<|eot_id|>"
    assert vocabulary.types[tokenizer.eos_token_id] == 3
    assert vocabulary.tokens[1029] == "[PAD1029]"
    assert vocabulary.types[1029] == 5
    assert vocabulary.template == tokenizer.chat_template
    with pytest.raises(ConversionError, match="embedding"):
        read_vocabulary(tiny_checkpoint, 1000)


def test_what_transformers_4_wrote_is_read_too(tiny_checkpoint: Path, folder: Path) -> None:
    new = read_vocabulary(tiny_checkpoint, 1024)
    (folder / "chat_template.jinja").unlink()
    configure(
        folder,
        chat_template=new.template,
        eos_token={"content": "<|eot_id|>", "lstrip": False},
        bos_token=None,
    )
    (folder / "special_tokens_map.json").write_text(
        json.dumps({"bos_token": {"content": "<|begin_of_text|>"}})
    )
    assert read_vocabulary(folder, 1024)._replace(folder=new.folder) == new
    configure(
        folder,
        chat_template=[{"name": "tool", "template": "x"}, {"name": "default", "template": new.template}],
    )
    assert read_vocabulary(folder, 1024).template == new.template
    configure(folder, chat_template=[{"name": "tool", "template": "x"}])
    with pytest.raises(ConversionError, match="several chat templates"):
        read_vocabulary(folder, 1024)


def test_an_end_token_that_is_not_the_templates_is_mended_and_told(folder: Path) -> None:
    assert not read_vocabulary(folder, 1024).notes
    configure(folder, eos_token="<|end_of_text|>")  # noqa: S106 - a token of text
    vocabulary = read_vocabulary(folder, 1024)
    assert vocabulary.tokens[vocabulary.eos] == "<|eot_id|>"
    assert "<|end_of_text|>" in vocabulary.notes[0]
    configure(folder, eos_token="<|nowhere|>")  # noqa: S106
    with pytest.raises(ConversionError, match="nowhere"):
        read_vocabulary(folder, 1024)


def test_a_tokenizer_from_elsewhere(tiny_checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    assert tokenizer_folder(folder, None, None) == folder
    assert tokenizer_folder(folder, tiny_checkpoint, None) == tiny_checkpoint  # the adapter's
    assert tokenizer_folder(folder, tiny_checkpoint, folder) == folder
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ConversionError, match=r"no tokenizer\.json") as caught:
        tokenizer_folder(folder, tmp_path, None)
    assert "--tokenizer DIR" in caught.value.hint
    assert tokenizer_folder(folder, None, tiny_checkpoint) == tiny_checkpoint
    (tmp_path / "own.jinja").write_text("{{ messages }}")
    assert read_vocabulary(tiny_checkpoint, 1024, tmp_path / "own.jinja").template == "{{ messages }}"
    with pytest.raises(ConversionError, match=r"none\.jinja"):
        read_vocabulary(tiny_checkpoint, 1024, tmp_path / "none.jinja")


def test_a_tokenizer_that_splits_otherwise_is_refused(folder: Path) -> None:
    document = json.loads((folder / "tokenizer.json").read_text())
    document["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                                 "use_regex": True}  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(ConversionError, match="split"):
        read_vocabulary(folder, 1024)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ConversionError, match=r"tokenizer\.json cannot be read"):
        read_vocabulary(folder, 1024)
