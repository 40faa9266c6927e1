"""The fused pass gives llama.cpp's own bytes, reads every form of a checkpoint, and survives kills."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conversions import Silent, converted, make_adapter, options
from safetensors.torch import load_file, save_file

from ophtimus_convert.conversion import convert, prepare
from ophtimus_convert.imatrix import write_imatrix
from ophtimus_convert.plan import LEVELS, NEED_IMATRIX
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.gguf import read_header
from ophtimus_edge.models.store import sha256_of


@pytest.fixture(scope="module")
def adapter(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_checkpoint, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def imatrix(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Importances drawn at random: their bytes matter here, not their sense."""
    path, random_numbers = tmp_path_factory.mktemp("imatrix") / "matrix.gguf", np.random.default_rng(5)
    header = read_header(tiny_model / "tiny-BF16.gguf")
    sums = {
        tensor.name: (random_numbers.random(tensor.shape[0], np.float32) * 100, 640)
        for tensor in header.tensors
        if tensor.name.startswith("blk.") and len(tensor.shape) == 2
    }
    write_imatrix(path, sums, "drawn", 5, 128)
    return path


def test_every_level_has_the_bytes_of_llama_cpps_quantizer(
    tiny_checkpoint: Path, adapter: Path, tmp_path: Path
) -> None:
    """--prove fails where one byte of a file differs; here it must find all of them equal."""
    levels = [level for level in LEVELS if level not in NEED_IMATRIX]
    display, asked = (
        Silent(),
        options(tiny_checkpoint, tmp_path / "out", *levels, adapter=adapter, prove=True),
    )
    model = convert(asked, prepare(asked, display), display)
    assert len(model.levels) == len(levels) == 20
    assert sum("give the same file" in note for note in display.notes) == 20
    assert len({level.sha256 for level in model.levels}) == 20
    for level in model.levels:
        assert sha256_of(tmp_path / "out" / level.file) == level.sha256


def test_levels_with_an_importance_matrix_have_them_too(
    tiny_checkpoint: Path, imatrix: Path, tmp_path: Path
) -> None:
    levels = [*sorted(NEED_IMATRIX), "Q4_K_M", "IQ4_XS"]
    model = converted(tiny_checkpoint, tmp_path / "with", *levels, imatrix=imatrix, prove=True)
    assert model.imatrix == "imatrix.gguf"
    assert (tmp_path / "with" / "imatrix.gguf").read_bytes() == imatrix.read_bytes()
    without = converted(tiny_checkpoint, tmp_path / "without", "Q4_K_M")
    entry = model.level_named("Q4_K_M")
    assert entry is not None
    assert entry.sha256 != without.levels[0].sha256


def test_the_staged_way_gives_the_same_files(tiny_checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    fused = converted(tiny_checkpoint, tmp_path / "fused", "Q4_K_M", "F16", adapter=adapter)
    staged = converted(
        tiny_checkpoint, tmp_path / "staged", "Q4_K_M", "F16", adapter=adapter, method="staged"
    )
    assert [level.sha256 for level in fused.levels] == [level.sha256 for level in staged.levels]
    exact = converted(
        tiny_checkpoint, tmp_path / "exact", "Q4_K_M", adapter=adapter, float_sum=True, prove=True
    )
    assert exact.levels[0].sha256 != fused.levels[0].sha256


@pytest.mark.parametrize("kind", [torch.float32, torch.float16], ids=["F32", "F16"])
def test_other_types_of_checkpoints_are_proven_too(
    tiny_checkpoint: Path, tmp_path: Path, kind: torch.dtype
) -> None:
    source = tmp_path / "source"
    shutil.copytree(tiny_checkpoint, source)
    tensors = load_file(source / "model.safetensors")
    save_file({name: tensor.to(kind) for name, tensor in tensors.items()}, source / "model.safetensors")
    converted(source, tmp_path / "out", "BF16", "F16", "F32", "Q4_K_M", prove=True)


def test_a_sharded_checkpoint_gives_the_same_file(tiny_checkpoint: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(tiny_checkpoint, source)
    tensors = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    names = sorted(tensors)
    places = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, source / file)
        places |= dict.fromkeys(part, file)
    index = source / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    whole = converted(tiny_checkpoint, tmp_path / "whole", "Q8_0")
    assert converted(source, tmp_path / "sharded", "Q8_0").levels[0].sha256 == whole.levels[0].sha256
    index.write_text(json.dumps({"weight_map": {**places, "model.extra.weight": places[names[0]]}}))
    with pytest.raises(ConversionError, match=r"model\.extra\.weight"):
        converted(source, tmp_path / "index", "Q8_0")
    index.write_text(json.dumps({"weight_map": places}))
    (source / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ConversionError, match=r"model-00002-of-00002\.safetensors .* is missing"):
        converted(source, tmp_path / "shard", "Q8_0")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_refused_by_its_tensors_name(
    tiny_checkpoint: Path, tmp_path: Path, value: float
) -> None:
    source = tmp_path / "source"
    shutil.copytree(tiny_checkpoint, source)
    tensors = load_file(source / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][-1, -1] = value
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(ConversionError, match=r"model\.layers\.1\.mlp\.up_proj\.weight .* NaN or infinity"):
        converted(source, tmp_path / "out", "Q8_0")
    assert (
        sorted(path.name for path in tmp_path.iterdir()) == ["home", "source"]
        or not (tmp_path / "out").exists()
    )
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_levels_are_added_to_a_folder_of_the_same_model_only(
    tiny_checkpoint: Path, adapter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = converted(tiny_checkpoint, out, "Q8_0", adapter=adapter)
    both = converted(tiny_checkpoint, out, "Q8_0", "Q4_K_M", adapter=adapter)
    assert [level.level for level in both.levels] == ["Q8_0", "Q4_K_M"]
    assert both.levels[0] == first.levels[0]
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for what, more in (
        ("adapter", {}),
        ("version", {"adapter": adapter, "version": "2"}),
        ("name", {"adapter": adapter, "name": "other"}),
    ):
        with pytest.raises(ConversionError, match=f"another {what}"):
            converted(tiny_checkpoint, out, "Q6_K", **more)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "note.txt").write_text("mine")
    with pytest.raises(ConversionError, match="no sound model folder"):
        converted(tiny_checkpoint, tmp_path / "strange", "Q8_0")


def test_what_a_journal_says_is_checked_against_the_bytes(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """A slice that the journal calls written is believed only where its checksum agrees."""
    whole = converted(tiny_checkpoint, tmp_path / "whole", "Q8_0")
    asked, display = options(tiny_checkpoint, tmp_path / "out", "Q8_0"), Silent()
    blueprint = prepare(asked, display)
    stopped = False

    def stop(self: Silent, step: str, unit: str, done: int, total: int, what: str) -> None:
        nonlocal stopped
        if step == "write" and done >= total // 2 and not stopped:
            stopped = True
            raise KeyboardInterrupt

    stopping = type("Stopping", (Silent,), {"show": stop})
    with pytest.raises(KeyboardInterrupt):
        convert(asked, blueprint, stopping())
    part = tmp_path / ".out.part"
    journal = next(part.glob("journal-*"))
    assert journal.read_bytes().count(b"\n") > 3
    file = part / "model" / "tiny-Q8_0.gguf"
    with file.open("r+b") as damaged:  # in the middle of the embedding, which is written first
        damaged.seek(file.stat().st_size - 100_000)
        damaged.write(b"\xff" * 50_000)
    journal.write_bytes(journal.read_bytes() + b"7 12")  # a line that a kill tore
    assert convert(asked, blueprint, Silent()).levels[0].sha256 == whole.levels[0].sha256
