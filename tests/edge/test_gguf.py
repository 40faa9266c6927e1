import struct
from pathlib import Path

import pytest

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models import gguf


@pytest.fixture(scope="module")
def sound(tiny_model: Path) -> Path:
    return tiny_model / "tiny-Q4_K_M.gguf"


def test_a_sound_file_is_accepted_and_described(sound: Path) -> None:
    header = gguf.check(sound)
    assert header.architecture == "llama"
    assert header.level == "Q4_K_M"
    assert header.metadata["llama.block_count"] == 2
    assert {tensor.name for tensor in header.tensors} >= {"token_embd.weight", "blk.1.ffn_down.weight"}
    last = max(header.tensors, key=lambda tensor: tensor.offset)
    assert header.data_offset + last.offset + last.size_bytes <= sound.stat().st_size


def test_the_tables_agree_with_the_gguf_package() -> None:
    import gguf as reference

    for code, (name, block, size) in gguf.TENSOR_TYPES.items():
        kind = reference.GGMLQuantizationType(code)
        assert (kind.name, reference.GGML_QUANT_SIZES[kind]) == (name, (block, size))
    for code, level in gguf.FILE_TYPES.items():
        assert reference.LlamaFileType(code).name.removeprefix("MOSTLY_").removeprefix("ALL_") == level


@pytest.mark.parametrize("keep", [0, 3, 4, 20, 1000, 100_000, -1])
def test_a_truncated_file_is_refused(sound: Path, tmp_path: Path, keep: int) -> None:
    data = sound.read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(data[: keep if keep >= 0 else len(data) - 1])
    with pytest.raises(InvalidModelError):
        gguf.check(path)


def test_another_architecture_is_refused_by_name(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(sound.read_bytes().replace(b"llama", b"gemma", 1))
    assert gguf.read_header(path).architecture == "gemma"
    with pytest.raises(InvalidModelError, match="gemma"):
        gguf.check(path)


@pytest.mark.parametrize(
    "header",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60),
        b"GGUF" + struct.pack("<IQQ", 9, 0, 0),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62),
        b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 8, 1 << 61),
        b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 9, 1),
    ],
    ids=["tensors", "keys", "version", "key length", "array length", "nested array"],
)
def test_counts_and_lengths_are_not_trusted(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(header.ljust(4096, b"\0"))
    with pytest.raises(InvalidModelError):
        gguf.check(path)
