import shutil
from pathlib import Path

import pytest

from ophtimus_edge import locations
from ophtimus_edge.errors import InvalidModelError, ModelNotFoundError, OphtimusError
from ophtimus_edge.models import store


def test_the_demonstration_model_is_whole_and_small() -> None:
    folder = store.choose().folder
    assert folder is not None
    assert folder.demonstration
    assert folder.default_level == "Q4_K_M"
    for level in folder.levels:
        path = store.choose("demo", level.level).path
        assert store.sha256_of(path) == level.sha256
    assert sum(level.size_bytes for level in folder.levels) <= 20 << 20
    assert (locations.demo_folder() / "README.md").is_file()


def test_a_model_is_found_by_path_folder_and_name(tiny_model: Path) -> None:
    by_file = store.choose(str(tiny_model / "tiny-Q4_K_M.gguf"))
    assert (by_file.name, by_file.level, by_file.folder) == ("tiny", "Q4_K_M", None)
    assert store.choose(str(tiny_model)).level == "Q4_K_M"
    assert store.choose(str(tiny_model), "BF16").path.name == "tiny-BF16.gguf"
    shutil.copytree(tiny_model, locations.models_folder() / "안과")
    assert store.choose("안과").version == "1"
    assert store.installed() == ["안과"]


@pytest.mark.parametrize("name", ["missing.gguf", "nothing", "a/b", "../demo", "Ophtimus-8B-Instruct"])
def test_a_missing_model_is_named_with_what_to_do(name: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        store.choose(name)
    assert caught.value.message
    assert caught.value.hint


def test_the_two_8b_names_are_told_apart() -> None:
    with pytest.raises(ModelNotFoundError, match=r"Ophtimus-Llama-8B.*Llama-3.1-8B-Instruct"):
        store.choose("Ophtimus-8B-Instruct")
    with pytest.raises(ModelNotFoundError, match=r"Ophtimus-Instruct-8B.*Ophtimus-Base"):
        store.choose("Ophtimus-Instruct-8B")


def test_an_absent_level_lists_the_present_ones(tiny_model: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="BF16, Q4_K_M"):
        store.choose(str(tiny_model), "Q2_K")
    with pytest.raises(ModelNotFoundError):
        store.choose(str(tiny_model / "tiny-Q4_K_M.gguf"), "Q2_K")


def test_a_changed_file_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(tiny_model, folder)
    path = folder / "tiny-Q4_K_M.gguf"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidModelError, match=r"not the file that its model\.json describes"):
        store.choose(str(folder))
    assert store.choose(str(folder), "BF16").level == "BF16"
    path.unlink()
    with pytest.raises(OphtimusError, match="missing"):
        store.choose(str(folder))
