"""From what a recipe names to the files that are read: a file, a folder, what was prepared, a hub id."""

import re
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.errors import TrainingDataError
from ophtimus_training.examples import hub
from ophtimus_training.examples.manifest import Split, is_prepared, read_manifest
from ophtimus_training.examples.tables import SUFFIXES

# As data sets on the hub name the files of their parts: train-00000-of-00001.parquet, data/test.jsonl.
_SPLITS = re.compile(r"(?:^|[-_./])(train|validation|valid|val|dev|test|eval|heldout)(?:[-_./]|$)")

# What lies beside the rows of a data set and describes it.
_DESCRIPTIONS = {"dataset_info.json", "dataset_infos.json", "state.json", "manifest.json", "report.json"}


class DataFile(NamedTuple):
    """A file of rows, and the name that it has in reports."""

    path: Path
    name: str


def listed(sources: str | list[str]) -> list[str]:
    """Sources as a list, however a recipe writes them."""
    return [sources] if isinstance(sources, str) else sources


def is_primer(source: str) -> bool:
    """Whether a source is a folder of question files: ``essay/`` and ``mcq/``."""
    return any((Path(source) / kind).is_dir() for kind in ("essay", "mcq"))


def has_own_split(source: str) -> bool:
    """Whether a source itself says which of its rows are held out."""
    return is_primer(source) or is_prepared(Path(source))


def files_of(source: str, split: Split, left: list[str]) -> list[DataFile]:
    """The files of rows of a source that is no primer.

    Args:
        split: what the source was named for; a file whose name says that it is of the other one is left out.
        left: a sentence is added to it for each such file.

    Raises:
        TrainingDataError: there is nothing of that name, no file of rows in it, or a prepared file is damaged.
        DataHubError: a data set cannot be had from the hub.
    """
    path = Path(source)
    if path.is_file():
        return [DataFile(path, path.name)]
    if is_prepared(path):
        wanted = [output for output in read_manifest(path).outputs if output.split == split]
        return [DataFile(path / output.name, f"{path.name}/{output.name}") for output in wanted]
    if path.is_dir():
        return _of_folder(path, path.name, split, left)
    if hub.is_hub_id(source):
        return _of_folder(hub.fetch(source), source, split, left)
    raise TrainingDataError(
        f"there is no training data in {source}.",
        "Name a folder with essay/ and mcq/, a JSONL, CSV or Parquet file, a prepared folder, or a hub id.",
    )


def _of_folder(folder: Path, name: str, split: Split, left: list[str]) -> list[DataFile]:
    paths = sorted(path for path in folder.rglob("*") if _has_rows(path, folder))
    files = [DataFile(path, f"{name}/{path.relative_to(folder).as_posix()}") for path in paths]
    if not files:
        raise TrainingDataError(
            f"there are no question files in {folder}.", "Name a folder with JSONL, CSV or Parquet files."
        )
    of_train = [file for file in files if _said(file, folder) != "heldout"]
    of_heldout = [file for file in files if _said(file, folder) == "heldout"]
    # Named for evaluation, a set that has no part of its own for it is all held out.
    taken = of_train if split == "train" else of_heldout or files
    if not taken:
        raise TrainingDataError(
            f"every file of {name} says by its name that it is for testing: {files[0].name}.",
            "Name another source in data; this one may stand in evaluation.",
        )
    left += [
        f"{file.name} is left out: its name says that it is of another split."
        for file in files
        if file not in taken
    ]
    return taken


def _has_rows(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    is_table = path.suffix.lower() in SUFFIXES and path.name not in _DESCRIPTIONS
    return is_table and not hidden and path.is_file()


def _said(file: DataFile, folder: Path) -> Split | None:
    """The split that a file's own name, or its folder's, says."""
    found = _SPLITS.findall(file.path.relative_to(folder).as_posix().lower())
    if not found:
        return None
    return "train" if found[-1] == "train" else "heldout"
