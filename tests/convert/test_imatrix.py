"""Importance matrices: both forms, damaged ones, and one computed on a text."""

import struct
from pathlib import Path

import numpy as np
import pytest
from conversions import converted

from ophtimus_convert.imatrix import read_imatrix, write_imatrix
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.gguf import read_header

TEXT = Path(__file__).parents[2] / "training" / "primer" / "essay"


def legacy(path: Path, entries: dict[str, tuple[int, np.ndarray]]) -> Path:
    data = struct.pack("<i", len(entries))
    for name, (calls, values) in entries.items():
        data += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, values.size)
        data += values.astype(np.float32).tobytes()
    path.write_bytes(data + struct.pack("<ii", 7, 4) + b"text")
    return path


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    values = np.arange(1, 257, dtype=np.float32)
    write_imatrix(tmp_path / "m.gguf", {"blk.0.ffn_up.weight": (values * 64, 64)}, "text", 7, 512)
    new = read_imatrix(tmp_path / "m.gguf")
    old = read_imatrix(legacy(tmp_path / "m.dat", {"blk.0.ffn_up.weight": (4, values * 4)}))
    for matrix in (new, old):
        np.testing.assert_array_equal(matrix.entries["blk.0.ffn_up.weight"], values)
        assert (matrix.datasets, matrix.windows) == (["text"], 7)
        assert matrix.weights("blk.1.ffn_up.weight") is None
    write_imatrix(tmp_path / "none.gguf", {"blk.0.ffn_up.weight": (values, 0)}, "text", 0, 512)
    np.testing.assert_array_equal(read_imatrix(tmp_path / "none.gguf").entries["blk.0.ffn_up.weight"], 1)


def test_what_is_no_matrix_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    values = np.ones(256, np.float32)
    sound = legacy(tmp_path / "sound.dat", {"blk.0.ffn_up.weight": (1, values)})
    assert read_imatrix(sound).entries
    values[3] = np.nan
    with pytest.raises(ConversionError, match=r"NaN or infinity for blk\.0\.ffn_up\.weight"):
        read_imatrix(legacy(tmp_path / "nan.dat", {"blk.0.ffn_up.weight": (1, values)}))
    for name, data in (
        ("short.dat", sound.read_bytes()[:200]),
        ("noise.dat", b"\xff" * 400),
        ("empty.dat", b""),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ConversionError, match="not an importance matrix"):
            read_imatrix(tmp_path / name)
    with pytest.raises(ConversionError, match="not an importance matrix"):
        read_imatrix(tiny_model / "tiny-BF16.gguf")
    with pytest.raises(ConversionError, match="cannot be read"):
        read_imatrix(tmp_path / "missing.gguf")


def test_a_matrix_of_another_model_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    narrow = {"blk.0.ffn_up.weight": (np.ones(128, np.float32), 1)}
    write_imatrix(tmp_path / "narrow.gguf", narrow, "text", 1, 512)
    with pytest.raises(ConversionError, match=r"128 columns for blk\.0\.ffn_up\.weight"):
        converted(tiny_checkpoint, tmp_path / "out", "Q4_K_M", imatrix=tmp_path / "narrow.gguf")
    foreign = {"blk.9.ffn_up.weight": (np.ones(256, np.float32), 1)}
    write_imatrix(tmp_path / "foreign.gguf", foreign, "text", 1, 512)
    with pytest.raises(ConversionError, match=r"blk\.9\.ffn_up\.weight"):
        converted(tiny_checkpoint, tmp_path / "out", "Q4_K_M", imatrix=tmp_path / "foreign.gguf")
    assert not (tmp_path / "out").exists()


def test_a_matrix_is_computed_on_a_text_and_remembers_it(tiny_checkpoint: Path, tmp_path: Path) -> None:
    text = tmp_path / "calibration.txt"
    text.write_text("\n".join(path.read_text("utf-8") for path in sorted(TEXT.glob("g*.jsonl"))), "utf-8")
    model = converted(tiny_checkpoint, tmp_path / "out", "Q4_K_M", "IQ2_M", calibrate=text)
    matrix = read_imatrix(tmp_path / "out" / model.imatrix)
    assert len(matrix.entries) == 14  # seven projections of two layers
    assert all(bool((values > 0).all()) for values in matrix.entries.values())
    # q, k and v of a layer read the same input, and so do gate and up.
    np.testing.assert_array_equal(
        matrix.entries["blk.1.attn_q.weight"], matrix.entries["blk.1.attn_v.weight"]
    )
    assert not np.array_equal(matrix.entries["blk.0.attn_q.weight"], matrix.entries["blk.1.attn_q.weight"])
    header = read_header(tmp_path / "out" / model.imatrix)
    assert header.metadata["ophtimus.ngram_size"] == 13
    assert header.metadata["ophtimus.ngram_hashes"] > 1000
    assert len(header.metadata["ophtimus.text_sha256"]) == 64
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(ConversionError, match="longer text"):
        converted(tiny_checkpoint, tmp_path / "short", "Q4_K_M", calibrate=tmp_path / "short.txt")
