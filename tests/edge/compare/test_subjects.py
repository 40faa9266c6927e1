"""Which files are compared, and with which: what a person names is found, and what cannot be compared refused."""

import shutil
from pathlib import Path

import pytest

from ophtimus_edge import locations
from ophtimus_edge.compare.running.subjects import find
from ophtimus_edge.errors import ComparisonError, InvalidModelError, ModelNotFoundError
from ophtimus_edge.models import store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demonstration model's folder, which has BF16 and Q4_K_M."""
    return Path(shutil.copytree(locations.demo_folder(), tmp_path / "demo"))


def file_of(folder: Path, level: str) -> Path:
    return store.choose(str(folder), level).path


def test_a_folder_names_all_its_levels(folder: Path) -> None:
    found = find([str(folder)])
    assert (found.reference.level, [one.level for one in found.levels]) == ("BF16", ["Q4_K_M"])
    assert found.reference.model.sha256 == store.sha256_of(file_of(folder, "BF16"))
    assert found.levels[0].size_bytes == file_of(folder, "Q4_K_M").stat().st_size


def test_a_reference_is_named_by_file_or_level(folder: Path) -> None:
    by_file = find([str(folder)], str(file_of(folder, "Q4_K_M")))
    by_level = find([str(folder)], "Q4_K_M")
    assert by_file == by_level
    assert (by_file.reference.level, [one.level for one in by_file.levels]) == ("Q4_K_M", ["BF16"])


def test_files_by_themselves_are_hashed_once_and_that_is_told(folder: Path) -> None:
    (folder / "model.json").unlink()
    files = sorted(folder.glob("*.gguf"))
    hashed: list[Path] = []
    found = find([str(path) for path in [*files, *files]], "", hashed.append)
    assert sorted(path.name for path in hashed) == [path.name for path in files]
    assert found.reference.model.sha256 == store.sha256_of(found.reference.model.path)


def test_a_file_of_a_folder_keeps_what_its_folder_says(folder: Path) -> None:
    found = find([str(file_of(folder, "Q4_K_M"))], str(file_of(folder, "BF16")))
    assert found.levels[0].model.demonstration
    assert found.levels[0].model.template is not None


def test_one_level_alone_is_refused(folder: Path) -> None:
    with pytest.raises(ComparisonError, match=r"only .*BF16\.gguf to compare"):
        find([str(file_of(folder, "BF16"))])
    with pytest.raises(ComparisonError, match="known to be faithful"):
        find([str(file_of(folder, "Q4_K_M"))])


def test_levels_of_different_models_are_refused(folder: Path, tiny_model: Path) -> None:
    with pytest.raises(ComparisonError, match="not levels of one model"):
        find([str(tiny_model)], str(file_of(folder, "BF16")))


def test_a_copy_under_another_name_is_refused(folder: Path) -> None:
    twin = folder.parent / "twin.gguf"
    shutil.copy(file_of(folder, "BF16"), twin)
    with pytest.raises(ComparisonError, match="the same file twice"):
        find([str(twin)], str(file_of(folder, "BF16")))


def test_what_is_missing_or_damaged_is_said(folder: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        find([str(folder / "none.gguf")], str(file_of(folder, "BF16")))
    file_of(folder, "Q4_K_M").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InvalidModelError):
        find([str(folder)])
