"""The verdict goes into the model folder, where the Models screen and kits read it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.compare.running.subjects import Subjects
from ophtimus_edge.compare.verdict import for_model, languages_of
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models.formats import read_model_folder, write_model_folder
from ophtimus_edge.models.report import Report

SIGNATURES = ("*.minisig", "*.sig", "*.asc")


def hand_on(named: Sequence[str], found: Subjects, report: Report, report_sha256: str) -> Iterator[str]:
    """Write the verdict into each model folder that was itself named.

    The program's own folder, an installed model and a signed folder are left as they are: what is signed or
    came with the program says what its maker said of it.

    Args:
        named: as they stood on the command line.

    Yields:
        a sentence for each folder: that the verdict stands in it, or why not.
    """
    levels = {one.model.sha256 for one in found.every}
    for one in named:
        folder = Path(one).expanduser()
        if not (folder / "model.json").is_file():
            continue
        if folder.resolve() == locations.demo_folder().resolve():
            yield "The verdict stands in the report alone: the demonstration model is part of the program."
            continue
        if any(any(folder.glob(pattern)) for pattern in SIGNATURES):
            yield f"The verdict stands in the report alone: {folder} is signed, and stays as it was signed."
            continue
        try:
            model = read_model_folder(folder)
            if not any(entry.sha256 in levels for entry in model.levels):
                continue
            write_model_folder(
                folder,
                msgspec.structs.replace(
                    model,
                    verdict=for_model(report, report_sha256),
                    tested_languages=languages_of(report) or model.tested_languages,
                ),
            )
        except (OphtimusError, OSError) as error:
            reason = error.message if isinstance(error, OphtimusError) else str(error)
            yield f"The verdict stands in the report alone: {reason}"
        else:
            yield f"The verdict stands in {folder / 'model.json'} too."
