"""The report of a comparison beside the model that it is of."""

from collections.abc import Sequence
from pathlib import Path

from ophtimus_edge.errors import InvalidModelError, KitBuildError
from ophtimus_edge.kit.building.models import ChosenFolder
from ophtimus_edge.kit.building.pieces import Stage
from ophtimus_edge.models.formats import decode
from ophtimus_edge.models.report import Report

FOLDER = "reports"
_FILES = ("report.json", "report.html", "report.md")


def match_reports(folders: Sequence[Path], models: Sequence[ChosenFolder]) -> dict[str, Path]:
    """Which report is of which model, by the hashes of the files that were compared.

    Returns:
        The report's folder by the model's name.

    Raises:
        KitBuildError: a report is not whole, of no level in the kit, or the second one of a model.
    """
    matched: dict[str, Path] = {}
    for folder in folders:
        measured = _hashes(folder)
        of = [
            model.name
            for model in models
            if any(level.sha256 in measured for level in model.description.levels)
        ]
        if not of:
            raise KitBuildError(
                f"the report in {folder} is about no level that goes into the kit.",
                "Name the report of the very files, or leave --report out.",
            )
        for name in of:
            if name in matched:
                raise KitBuildError(
                    f"{matched[name]} and {folder} are both reports of {name}.", "Name one of the two."
                )
            matched[name] = folder
    return matched


def add_report(stage: Stage, folder: Path, name: str) -> str:
    """Copy a report into the kit; returns its folder there.

    Raises:
        KitBuildError: it cannot be read.
        OSError: the kit cannot be written.
    """
    for file in _FILES:
        stage.copy(folder / file, f"{FOLDER}/{name}/{file}")
    return f"{FOLDER}/{name}"


def _hashes(folder: Path) -> set[str]:
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise KitBuildError(
            f"{folder} has no {missing[0]}.", "Name a folder that ophtimus compare wrote with --out."
        )
    path = folder / _FILES[0]
    try:
        report = decode(path.read_bytes(), Report, str(path))
    except InvalidModelError as error:
        raise KitBuildError(error.message, "Make the report again from its comparison.") from error
    return {level.sha256 for level in (report.reference, *report.levels)}
