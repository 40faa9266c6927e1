"""Which files are compared, and with which: what a person names is found, and what cannot be compared refused."""

import shutil
from pathlib import Path

import pytest

from ophtimus_edge import locations
from ophtimus_edge.compare.running.subjects import find
from ophtimus_edge.errors import ComparisonError, InvalidModelError, ModelNotFoundError
from ophtimus_edge.models import store
from ophtimus_edge.models.formats import UnsafeVote, Verdict, read_model_folder, write_model_folder
from ophtimus_edge.models.report import LevelReport, Report


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


def changed_copy(folder: Path, level: str, name: str) -> Path:
    """A file of the same level whose last weight is another one."""
    data = bytearray(file_of(folder, level).read_bytes())
    data[-1] ^= 1
    copy = folder.parent / name
    copy.write_bytes(data)
    return copy


def test_a_level_whose_file_was_deleted_is_passed_over_and_said(folder: Path) -> None:
    other = changed_copy(folder, "Q4_K_M", "other.gguf")
    file_of(folder, "Q4_K_M").unlink()  # which is the folder's default
    found = find([str(folder), str(other)])
    assert (found.reference.level, [one.model.path for one in found.levels]) == ("BF16", [other])
    assert "Q4_K_M" in found.notes[0]
    assert "passed over" in found.notes[0]
    with pytest.raises(ComparisonError, match=r"only .*BF16\.gguf to compare.*Q4_K_M.*passed over"):
        find([str(folder)])
    file_of(folder, "BF16").unlink()
    with pytest.raises(ModelNotFoundError, match="missing"):
        find([str(folder)])


def test_a_file_that_is_not_its_folders_is_refused_however_large(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_HASH_AT_ONCE", 0)  # as if every file were above it
    hashed: list[Path] = []
    assert find([str(folder)], "", hashed.append).reference.level == "BF16"
    assert len(hashed) == 2
    assert find([str(folder)], "", hashed.append).levels
    assert len(hashed) == 2  # they are remembered
    path = file_of(folder, "Q4_K_M")
    changed_copy(folder, "Q4_K_M", "other.gguf").replace(path)
    with pytest.raises(InvalidModelError, match="not the file that its"):
        find([str(folder)], "", hashed.append)
    assert len(hashed) == 3


def test_two_levels_of_one_name_are_told_apart(folder: Path) -> None:
    other = changed_copy(folder, "Q4_K_M", "other.gguf")
    found = find([str(folder), str(other)])
    assert {one.name for one in found.levels} == {"Q4_K_M · Ophtimus-Demo-Q4_K_M.gguf", "Q4_K_M · other.gguf"}
    assert {one.level for one in found.levels} == {"Q4_K_M"}
    assert found.reference.name == "BF16"
    with pytest.raises(ComparisonError, match="2 files of Q4_K_M"):
        find([str(folder), str(other)], "Q4_K_M")


def test_the_same_file_in_two_folders_is_compared_once(folder: Path) -> None:
    twin = Path(shutil.copytree(folder, folder.parent / "twin"))
    found = find([str(folder), str(twin)])
    assert (found.reference.level, [one.level for one in found.levels]) == ("BF16", ["Q4_K_M"])
    assert len([note for note in found.notes if "the same file twice" in note]) == 2


def test_the_reference_of_an_earlier_report_need_not_be_here(folder: Path) -> None:
    both = find([str(folder)])
    q4, bf16 = both.levels[0], both.reference
    said = LevelReport(
        level="BF16", file="elsewhere.gguf", sha256=bf16.sha256, size_bytes=bf16.size_bytes
    )  # fmt: skip
    report = Report(model="m", version="2", reference=said, levels=[], demonstration=True)
    assert find([str(folder)], earlier=report).reference == bf16
    alone = str(folder.parent / "alone.gguf")
    shutil.copy(q4.model.path, alone)
    for named in ("", "BF16", "elsewhere.gguf"):
        found = find([alone], named, earlier=report)
        assert (found.reference.sha256, found.reference.here) == (bf16.sha256, False)
        assert (found.reference.size_bytes, found.reference.name) == (bf16.size_bytes, "BF16")
        assert [one.here for one in found.levels] == [True]
        assert found.here == found.levels
        assert found.demonstration
    with pytest.raises(ModelNotFoundError):
        find([alone], "F16", earlier=report)


def test_a_folder_says_which_of_its_files_were_found_unsafe(folder: Path) -> None:
    unsafe = UnsafeVote(question_id="q1", rater="K", confirmed=True)
    model = read_model_folder(folder)
    model.verdict = Verdict(unsafe={find([str(folder)]).levels[0].sha256: [unsafe]})
    write_model_folder(folder, model)
    found = find([str(folder)])
    assert (found.levels[0].unsafe, found.reference.unsafe) == ((unsafe,), ())
