"""Broken headers, a kind each: refused with a word for what is wrong, in bounded time and memory.

Each kind is the header of a sound small model with one thing changed, so that nothing else can be what is
refused; the header put together again without a change is accepted.
"""

import contextlib
import json
import math
import os
import shutil
import struct
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from engines import workers
from gguf_drafts import (
    ARR,
    BOOL,
    I32,
    STR,
    U8,
    U16,
    U32,
    U64,
    Change,
    Draft,
    Tensor,
    array,
    both,
    f32,
    key,
    key_behind,
    offset_of,
    setting,
    tensor,
    tensor_gone,
    text,
    token,
    u32,
    without,
)

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Sampling, Turn
from ophtimus_edge.errors import EngineError, InvalidModelError, OphtimusError
from ophtimus_edge.models import gguf, store

Q = "blk.0.attn_q.weight"
HUGE = 1 << 60
# Kind → what is changed, and a word of the message.
BROKEN: dict[str, tuple[Change, str]] = {
    "no magic": (setting(magic=b"GGML"), "letters GGUF"),
    "version 0": (setting(version=0), "version is 0"),
    "version 1": (setting(version=1), "version is 1"),
    "version 4": (setting(version=4), "version is 4"),
    "the other byte order": (setting(version=3 << 24), "byte order"),
    "huge tensor count": (setting(counts=(HUGE, 3)), "tensors"),
    "huge key count": (setting(counts=(3, HUGE)), "keys"),
    "negative counts": (setting(counts=((1 << 64) - 1, (1 << 64) - 1)), "keys"),
    "more keys than there are": (setting(counts=(2, 60)), "bytes long|unknown type|ASCII|header|array|twice"),
    "more tensors than there are": (
        lambda draft: setattr(draft, "counts", (len(draft.tensors) + 5, len(draft.keys))),
        "bytes long|ASCII|dimensions|header",
    ),
    "cut inside the keys": (setting(cut=300), "ends inside its header"),
    "cut inside the data": (lambda draft: setattr(draft, "cut", len(draft.packed()) - 64), "cut short"),
    "no data": (setting(data=b""), "cut short"),
    "key of a huge length": (key_behind(struct.pack("<Q", 1 << 62)), "a key is"),
    "empty key": (key_behind(text("") + struct.pack("<II", U32, 1)), "a key is 0"),
    "key with a zero byte": (key_behind(text(b"llama.block_count\0x") + struct.pack("<II", U32, 1)), "ASCII"),
    "key that is not ASCII": (key_behind(text("llama.\u00fc") + struct.pack("<II", U32, 1)), "ASCII"),
    "duplicate key": (key_behind(text("llama.block_count") + struct.pack("<II", U32, 2)), "twice"),
    "value of an unknown type": (key("a", 13, b""), "unknown type 13"),
    "text of a huge length": (key("a", STR, struct.pack("<Q", 1 << 62)), "bytes long"),
    "text past the end": (key("a", STR, struct.pack("<Q", 1 << 25)), "ends inside its header"),
    "text that is not UTF-8": (key("a", STR, text(b"\xff\xfe")), "not UTF-8"),
    "array of a huge length": (key("a", ARR, struct.pack("<IQ", STR, 1 << 61)), "longer than the file"),
    "array past the end": (
        lambda draft: key("a", ARR, struct.pack("<IQ", U8, len(draft.source) - 100))(draft),
        "ends inside its header",
    ),
    "array of arrays": (key("a", ARR, array(ARR, array(U8, b"1"))), "array of the type 9"),
    "array of an unknown type": (key("a", ARR, struct.pack("<IQ", 99, 1)), "array of the type 99"),
    "alignment 0": (u32("general.alignment", 0), "alignment"),
    "alignment 24": (u32("general.alignment", 24), "alignment"),
    "alignment 8": (u32("general.alignment", 8), "alignment is 8"),
    "alignment of 2 GiB": (u32("general.alignment", 1 << 31), "alignment is"),
    "alignment of another type": (key("general.alignment", U64, struct.pack("<Q", 32)), "alignment"),
    "alignment as text": (key("general.alignment", STR, text("32")), "alignment"),
    "duplicate tensor": (tensor("output_norm.weight", name=b"token_embd.weight"), "twice"),
    "tensor name of 64 letters": (tensor(Q, name=b"n" * 64), "64 bytes long"),
    "tensor name with a zero byte": (tensor(Q, name=b"blk.0.attn_q.weight\0"), "ASCII"),
    "tensor without a name": (tensor(Q, name=b""), "0 bytes long"),
    "tensor without dimensions": (tensor(Q, shape=()), "0 dimensions"),
    "tensor with five dimensions": (tensor(Q, shape=(256, 1, 1, 1, 1)), "5 dimensions"),
    "tensor with a zero size": (tensor(Q, shape=(256, 0)), "shape"),
    "tensor whose size overflows": (tensor(Q, shape=(1 << 32, 1 << 32)), "shape"),
    "tensor with a negative size": (tensor(Q, shape=(256, (1 << 64) - 1)), "shape"),
    "tensor of a split block": (tensor(Q, shape=(100, 256)), "shape"),
    "tensor of an unknown type": (tensor(Q, kind=4), "unknown type 4"),
    "tensor of a huge type": (tensor(Q, kind=(1 << 32) - 1), "unknown type"),
    "overlapping tensors": (tensor(Q, offset=0), "overlaps"),
    "unaligned tensor": (
        lambda draft: tensor(Q, offset=offset_of(draft, Q) + 1)(draft),
        "does not follow",
    ),
    "tensor far behind the file": (tensor(Q, offset=1 << 62), "does not follow"),
    "gap between tensors": (
        lambda draft: tensor(Q, offset=offset_of(draft, Q) + 64)(draft),
        "does not follow",
    ),
    "larger tensor than its place": (tensor(Q, shape=(256, 1 << 20)), "overlaps|cut short|follow"),
    "another architecture": (key("general.architecture", STR, text("gemma")), "gemma"),
    "no architecture": (without("general.architecture"), "architecture ''"),
    "architecture as a number": (u32("general.architecture", 7), "architecture"),
    "a part of a split model": (key("split.count", U16, struct.pack("<H", 3)), "3 parts"),
    "no layers": (u32("llama.block_count", 0), "block_count is 0"),
    "513 layers": (u32("llama.block_count", 513), "block_count is 513"),
    "layers missing": (without("llama.block_count"), "block_count is missing"),
    "layers as text": (key("llama.block_count", STR, text("2")), "block_count is of the type str"),
    "layers as 64 bits": (key("llama.block_count", U64, struct.pack("<Q", 2)), "type u64"),
    "negative layers": (key("llama.block_count", I32, struct.pack("<i", -2)), "type i32"),
    "layers as an array": (key("llama.block_count", ARR, array(U32, b"\2\0\0\0")), "type arr"),
    "no context": (u32("llama.context_length", 0), "context_length is 0"),
    "no width": (u32("llama.embedding_length", 0), "embedding_length is 0"),
    "another width": (u32("llama.embedding_length", 512), "shape"),
    "no heads": (u32("llama.attention.head_count", 0), "head_count is 0"),
    "heads that do not divide": (u32("llama.attention.head_count_kv", 3), "cannot share"),
    "more heads of keys than heads": (u32("llama.attention.head_count_kv", 4000), "cannot share"),
    "no heads of keys": (u32("llama.attention.head_count_kv", 0), "head_count_kv is 0"),
    "odd heads": (
        both(u32("llama.attention.key_length", 3), u32("llama.attention.value_length", 3)),
        "dimensions",
    ),
    "keys and values of two sizes": (u32("llama.attention.value_length", 128), "dimensions"),
    "rotation of another size": (u32("llama.rope.dimension_count", 16), "dimensions"),
    "no inner width": (without("llama.feed_forward_length"), "feed_forward_length is missing"),
    "epsilon missing": (without("llama.attention.layer_norm_rms_epsilon"), "epsilon is missing"),
    "negative epsilon": (f32("llama.attention.layer_norm_rms_epsilon", -1.0), "epsilon is -1"),
    "epsilon not a number": (f32("llama.attention.layer_norm_rms_epsilon", math.nan), "epsilon is nan"),
    "infinite frequency": (f32("llama.rope.freq_base", math.inf), "freq_base is inf"),
    "frequency as a number": (u32("llama.rope.freq_base", 10000), "freq_base is of the type u32"),
    "unknown scaling": (key("llama.rope.scaling.type", STR, text("magic")), "scaling.type"),
    "experts": (u32("llama.expert_count", 8), "expert_count is 8"),
    "experts used": (u32("llama.expert_used_count", 2), "expert_used_count is 2"),
    "layers that predict further": (u32("llama.nextn_predict_layers", 9), "nextn_predict_layers is 9"),
    "a reader": (key("llama.attention.causal", BOOL, b"\0"), "writes none"),
    "no tokenizer": (without("tokenizer.ggml.model"), "tokenizer"),
    "another tokenizer": (key("tokenizer.ggml.model", STR, text("none")), "tokenizer is 'none'"),
    "no vocabulary": (without("tokenizer.ggml.tokens"), "no vocabulary"),
    "vocabulary of numbers": (key("tokenizer.ggml.tokens", ARR, array(U32, b"\1\0\0\0")), "no vocabulary"),
    "empty vocabulary": (key("tokenizer.ggml.tokens", ARR, array(STR)), "no vocabulary"),
    "smaller vocabulary": (
        both(
            key("tokenizer.ggml.tokens", ARR, array(STR, text("a"), text("b"))),
            u32("tokenizer.ggml.bos_token_id", 0),
            u32("tokenizer.ggml.eos_token_id", 1),
        ),
        "token_embd.weight has the shape",
    ),
    "a token twice": (token(7, b"<|eot_id|>"), "a token occurs twice"),
    "a token twice up to a zero byte": (token(7, b"<|eot_id|>\0x"), "a token occurs twice"),
    "an empty token's other name": (both(token(7, b""), token(8, b"[EMPTY_7]")), "a token occurs twice"),
    "no merges": (without("tokenizer.ggml.merges"), "merges"),
    "merges as text": (key("tokenizer.ggml.merges", STR, text("a b")), "merges"),
    "too few types of tokens": (key("tokenizer.ggml.token_type", ARR, array(I32, bytes(4))), "token_type"),
    "scores of bytes": (key("tokenizer.ggml.scores", ARR, array(U8, b"1")), "scores"),
    "end outside the vocabulary": (u32("tokenizer.ggml.eos_token_id", 99999), "eos_token_id is 99999"),
    "a missing tensor": (tensor_gone(Q), "attn_q.weight is missing"),
    "a layer more": (u32("llama.block_count", 3), "blk.2.*missing"),
    "a turned tensor": (tensor("blk.0.ffn_down.weight", shape=(256, 768)), "shape"),
    "a norm in 16 bits": (tensor("output_norm.weight", kind=1), "not F32|follow"),
    "a bias in 4 bits": (
        lambda draft: (
            draft.tensors.append(Tensor(b"blk.0.ffn_down.bias", (256,), 12, len(draft.data))),
            setattr(draft, "data", draft.data + bytes(160)),
        )[1],
        "not F32",
    ),
    "weights as whole numbers": (tensor("token_embd.weight", kind=26), "I32|overlaps|follow"),
}


def broken(draft: Draft, kind: str) -> bytes:
    changed = deepcopy(draft)
    BROKEN[kind][0](changed)
    return changed.packed()


def test_the_same_header_put_together_again_is_accepted(draft: Draft, tmp_path: Path) -> None:
    path = tmp_path / "sound.gguf"
    path.write_bytes(draft.packed())
    assert draft.packed() == draft.source
    assert gguf.check(path).level == "Q4_K_M"


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_header_is_refused_by_name(draft: Draft, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(broken(draft, kind))
    with pytest.raises(InvalidModelError, match=BROKEN[kind][1]) as caught:
        gguf.check(path)
    assert caught.value.message.startswith(str(path))
    assert len(caught.value.message) < len(str(path)) + 200
    assert caught.value.hint
    with pytest.raises(InvalidModelError):
        store.choose(str(path))


# What makes the reader work: everything as large as a header may be, and a little larger.
LARGE: dict[str, Change] = {
    "half a million tokens": key("tokenizer.ggml.tokens", ARR, array(STR, *[text(str(n)) for n in range(1 << 19)])),
    "too many tokens": key("tokenizer.ggml.tokens", ARR, array(STR, *[text(str(n)) for n in range((1 << 19) + 1)])),
    "empty tokens": key("tokenizer.ggml.tokens", ARR, struct.pack("<IQ", STR, 1 << 19) + bytes(8 << 19)),
    "two million texts": key("a", ARR, struct.pack("<IQ", STR, 2_000_000) + bytes(16_000_000)),
    "too many texts": key("a", ARR, struct.pack("<IQ", STR, (1 << 21) + 1) + bytes((8 << 21) + 8)),
    "a text of 60 MB": key("a", STR, text("\U0001f441".encode() * (15 << 20))),
    "texts of 9 MB": both(*(key(f"a{n}", STR, text("\U0001f441".encode() * (250 << 10))) for n in range(9))),
    "keys of 60 kB": both(*(u32("k" * 60_000 + str(n), 1) for n in range(200))),
    "4,097 keys": both(*(u32(f"k{n}", 1) for n in range(4097))),
    "no end of the header": key("a", ARR, struct.pack("<IQ", U8, 100 << 20) + bytes(100 << 20)),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", LARGE)
def test_a_header_as_large_as_can_be_is_read_in_bounded_memory(
    draft: Draft, tmp_path: Path, kind: str
) -> None:
    changed = deepcopy(draft)
    LARGE[kind](changed)
    path = tmp_path / "large.gguf"
    path.write_bytes(changed.packed())
    del changed
    # A process of its own, whose peak the system counts from its start.
    script = (
        "import json, pathlib, sys\n"
        "from ophtimus_edge.errors import InvalidModelError\n"
        "from ophtimus_edge.models import gguf\n"
        "def peak():\n"
        "    lines = pathlib.Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        "before = peak()\n"
        "try:\n"
        "    gguf.check(pathlib.Path(sys.argv[1]))\n"
        "    said = ''\n"
        "except InvalidModelError as error:\n"
        "    said = error.message\n"
        "print(json.dumps([said, peak() - before]))\n"
    )
    output = subprocess.check_output([sys.executable, "-c", script, str(path)], timeout=60)
    said, kibibytes = json.loads(output)
    assert kibibytes < 200 << 10
    accepted = {"two million texts", "a text of 60 MB"}
    assert bool(said) == (kind not in accepted), said


# What passes the header check, since it does not look so far, and what llama.cpp then refuses or dies of.
BEYOND: dict[str, Change] = {
    "an unknown splitter": key("tokenizer.ggml.pre", STR, text("no-such-splitter")),
    "a splitter as a number": u32("tokenizer.ggml.pre", 7),
    "a flag as a number": u32("tokenizer.ggml.add_bos_token", 1),
    "a name as a number": u32("general.name", 7),
    "an unknown tensor": lambda draft: (
        draft.tensors.append(Tensor(b"blk.0.strange.weight", (8,), 0, len(draft.data))),
        setattr(draft, "data", draft.data + bytes(32)),
    )[1],
    "a bias of another size": lambda draft: (
        draft.tensors.append(Tensor(b"blk.0.attn_q.bias", (8,), 0, len(draft.data))),
        setattr(draft, "data", draft.data + bytes(32)),
    )[1],
    "sparse attention of a strange kind": u32("llama.attention.sliding_window", 0xFFFFFFFF),
    "random weights": lambda draft: setattr(draft, "data", os.urandom(len(draft.data))),
}


@pytest.mark.parametrize("kind", BEYOND)
async def test_what_passes_the_check_ends_in_an_error_or_an_answer(
    draft: Draft, tmp_path: Path, kind: str
) -> None:
    """With the real worker: a typed error, this process alive, nothing left running."""
    changed = deepcopy(draft)
    BEYOND[kind](changed)
    path = tmp_path / "beyond.gguf"
    path.write_bytes(changed.packed())
    gguf.check(path)
    async with Engine() as engine:
        with contextlib.suppress(InvalidModelError, EngineError):
            await engine.load(store.choose(str(path)))
            async for _ in engine.answer([Turn("user", "What is glaucoma?")], Sampling(3)):
                pass
    assert workers() == set()


@pytest.mark.parametrize("kind", ["an unknown splitter", "an unknown tensor", "a bias of another size"])
async def test_what_llama_cpp_refuses_is_said(draft: Draft, tmp_path: Path, kind: str) -> None:
    changed = deepcopy(draft)
    BEYOND[kind](changed)
    path = tmp_path / "refused.gguf"
    path.write_bytes(changed.packed())
    async with Engine() as engine:
        with pytest.raises(InvalidModelError, match="could not be loaded") as caught:
            await engine.load(store.choose(str(path)))
        assert caught.value.hint
    assert workers() == set()


@pytest.mark.parametrize("kind", ["no layers", "overlapping tensors", "a token twice", "negative epsilon"])
async def test_a_file_that_is_broken_between_choosing_and_loading_is_refused(
    draft: Draft, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "later.gguf"
    path.write_bytes(draft.packed())
    model = store.choose(str(path))
    path.write_bytes(broken(draft, kind))
    async with Engine() as engine:
        with pytest.raises(OphtimusError):
            await engine.load(model)
    assert workers() == set()


def test_what_is_no_file_is_refused_at_once(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(InvalidModelError, match="not a file"):
        gguf.check(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.gguf")
        with pytest.raises(InvalidModelError, match="not a file"):
            gguf.check(tmp_path / "pipe.gguf")
    shutil.copy(tiny_model / "tiny-Q4_K_M.gguf", tmp_path / "copy.gguf")
    assert gguf.check(tmp_path / "copy.gguf")
