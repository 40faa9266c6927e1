"""Sound headers, from the smallest to a billion weights: accepted as they are."""

import os
from copy import deepcopy
from pathlib import Path

import pytest
from conftest import ROOT
from gguf_drafts import (
    ARR,
    I32,
    STR,
    Draft,
    Tensor,
    array,
    key,
    text,
    u32,
)

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.locations import demo_folder
from ophtimus_edge.models import gguf
from ophtimus_edge.models.shapes import expected_header

# The tokenizer of the published Llama 3 without weights, where a developer has it; it is too large to be kept here.
REAL_VOCABULARY = Path(
    os.environ.get("OPHTIMUS_LLAMA3_VOCABULARY", ROOT.parent / "shared/fixtures/llama3-vocab.gguf")
)


def test_sound_files_are_accepted(tiny_model: Path) -> None:
    files = [*demo_folder().glob("*.gguf"), *tiny_model.glob("*.gguf")]
    assert len(files) == 4
    for path in files:
        assert gguf.check(path).tensors


@pytest.mark.skipif(not REAL_VOCABULARY.is_file(), reason="the vocabulary of Llama-3 is not here")
def test_the_vocabulary_of_llama_3_is_read() -> None:
    header = gguf.read_header(REAL_VOCABULARY)
    assert header.metadata["tokenizer.ggml.tokens"] == 128_256
    with pytest.raises(InvalidModelError, match="no weights"):
        gguf.check(REAL_VOCABULARY)


@pytest.mark.parametrize("level", ["BF16", "Q4_K_M"])
def test_a_model_of_a_billion_weights_is_accepted(draft: Draft, tmp_path: Path, level: str) -> None:
    """A file of its size, with holes in the place of the weights."""
    expected, _ = expected_header("1B", level)
    codes = {name: code for code, (name, _, _) in gguf.TENSOR_TYPES.items()}
    changed = deepcopy(draft)
    words = [text(f"token {number}") for number in range(128_256)]
    for change in (
        u32("llama.block_count", 16),
        u32("llama.context_length", 131_072),
        u32("llama.embedding_length", 2048),
        u32("llama.feed_forward_length", 8192),
        u32("llama.attention.head_count", 32),
        u32("llama.attention.head_count_kv", 8),
        u32("llama.attention.key_length", 64),
        u32("llama.attention.value_length", 64),
        u32("llama.rope.dimension_count", 64),
        u32("llama.vocab_size", 128_256),
        key("tokenizer.ggml.tokens", ARR, array(STR, *words)),
        key("tokenizer.ggml.token_type", ARR, array(I32, *[b"\1\0\0\0"] * 128_256)),
    ):
        change(changed)
    changed.tensors = [
        Tensor(found.name.encode(), found.shape, codes[found.type], found.offset)
        for found in expected.tensors
    ]
    changed.data = b""
    path = tmp_path / "1b.gguf"
    path.write_bytes(changed.packed())
    last = expected.tensors[-1]
    os.truncate(path, path.stat().st_size + last.offset + last.size_bytes)
    header = gguf.check(path)
    assert [found.name for found in header.tensors] == [found.name for found in expected.tensors]
    os.truncate(path, path.stat().st_size - 32)
    with pytest.raises(InvalidModelError, match="cut short"):
        gguf.check(path)
