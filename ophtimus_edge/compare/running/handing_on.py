"""The verdict goes into the model folder, where the Models screen and kits read it.

A verdict there took somebody a night to measure. So one run replaces it only where it judged a level on a file of
one's own, and takes from it only what a person found unsafe; what was measured of a file stays as long as the file.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.compare.judging import own_parts
from ophtimus_edge.compare.verdict import for_model, languages_of
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models import inventory, store
from ophtimus_edge.models.formats import (
    ModelFolder,
    UnsafeVote,
    Verdict,
    encode,
    read_model_folder,
    write_model_folder,
)
from ophtimus_edge.models.report import LevelReport, Report

SIGNATURES = ("*.minisig", "*.sig", "*.asc")
_ALONE = "The verdict stands in the report alone:"


def hand_on(named: Sequence[str], report: Report, report_sha256: str) -> Iterator[str]:
    """Write the verdict into each model folder, or installed model, that was itself named.

    The program's own folder and a signed one are left as they are: what is signed or came with the program says
    what its maker said of it.

    Args:
        named: as they stood on the command line.

    Yields:
        a sentence for each folder: that the verdict stands in it, or why not.
    """
    levels = {one.sha256 for one in (report.reference, *report.levels)}
    folders = (store.folder_of(one) for one in named if one != store.DEMO)
    for folder in dict.fromkeys(folder.resolve() for folder in folders if folder):
        if folder == locations.demo_folder().resolve():
            yield f"{_ALONE} the demonstration model is part of the program."
            continue
        if any(any(folder.glob(pattern)) for pattern in SIGNATURES):
            yield f"{_ALONE} {folder} is signed, and stays as it was signed."
            continue
        try:
            model = read_model_folder(folder)
            if not any(entry.sha256 in levels for entry in model.levels):
                continue
            yield _written(folder, model, report, report_sha256)
        except (OphtimusError, OSError) as error:
            reason = error.message if isinstance(error, OphtimusError) else str(error)
            yield f"{_ALONE} {reason}"


def _written(folder: Path, model: ModelFolder, report: Report, report_sha256: str) -> str:
    """Write what a report found of a folder's own levels; says what came of it.

    Raises:
        OSError: it cannot be written.
    """
    place = folder / "model.json"
    verdict = handed_on(model, report, report_sha256)
    if verdict is None:
        kept = ", and the verdict that it has stays" if model.verdict else ""
        return f"{place} is as it was{kept}: no level was judged on a text or questions of your own."
    judged = bool(_judged(model, report))
    languages = languages_of(report) if judged else []
    changed = msgspec.structs.replace(
        model, verdict=verdict, tested_languages=languages or model.tested_languages
    )
    write_model_folder(folder, changed)
    data = encode(changed)
    inventory.note_rewritten(folder, place.name, len(data), hashlib.sha256(data).hexdigest())
    what = "The verdict stands" if judged else "What was found of unsafe answers stands"
    return f"{what} in {place} too."


def handed_on(model: ModelFolder, report: Report, report_sha256: str) -> Verdict | None:
    """What a model folder carries along from now on; None where a report changes nothing of it."""
    old, new = model.comparison, for_model(report, report_sha256)
    unsafe = _unsafe(model, report, new)
    judged = _judged(model, report)
    if not judged:
        return None if unsafe == old.unsafe else _voted(model, unsafe, report_sha256)
    names = {sha256: name for name, sha256 in new.files.items()}
    kl_mean, files = {}, {}
    for entry in model.levels:
        if entry.sha256 in judged and entry.sha256 in names:
            measured = new.kl_mean.get(names[entry.sha256]) if "text" in judged[entry.sha256] else None
        else:
            measured = None
        measured = measured or old.divergence_of(entry)
        if measured is not None:
            kl_mean[entry.level], files[entry.level] = measured, entry.sha256
    best = next((entry for entry in model.levels if new.sha256 and entry.sha256 == new.sha256), None)
    if best is not None:
        files[best.level] = best.sha256
    return msgspec.structs.replace(
        new,
        level=best.level if best else "",
        sha256=best.sha256 if best else "",
        kl_mean=kl_mean,
        files=files,
        unsafe=unsafe,
    )


def _judged(model: ModelFolder, report: Report) -> dict[str, set[str]]:
    """The folder's levels that a criterion was judged of on a file of one's own: the criteria, by SHA-256."""
    reported: dict[str, LevelReport] = {level.sha256: level for level in report.levels}
    own = {
        entry.sha256: own_parts(reported[entry.sha256], report.files)
        for entry in model.levels
        if entry.sha256 in reported
    }
    return {sha256: parts for sha256, parts in own.items() if parts}


def _unsafe(model: ModelFolder, report: Report, new: Verdict) -> dict[str, list[UnsafeVote]]:
    """The confirmed unsafe answers of the folder's levels; what the report does not have stays as it was."""
    reported = {level.sha256 for level in (report.reference, *report.levels)}
    ours = {entry.sha256 for entry in model.levels}
    kept = {sha256: votes for sha256, votes in model.comparison.unsafe.items() if sha256 not in reported}
    return kept | {sha256: votes for sha256, votes in new.unsafe.items() if sha256 in ours}


def _voted(model: ModelFolder, unsafe: dict[str, list[UnsafeVote]], report_sha256: str) -> Verdict:
    """The verdict that a folder has, with what votes alone changed of it."""
    old, best = model.comparison, model.recommended
    verdict = msgspec.structs.replace(old, unsafe=unsafe)
    if best is not None and unsafe.get(best.sha256):
        return msgspec.structs.replace(
            verdict,
            level="",
            sha256="",
            report_sha256=report_sha256,
            statement=f"{best.level} was recommended and was taken out: an answer was confirmed to be unsafe.",
        )
    corrected = any(sha256 not in unsafe for sha256 in old.unsafe)
    if corrected and not old.level:
        return msgspec.structs.replace(
            verdict,
            report_sha256=report_sha256,
            statement="Votes that found answers unsafe were corrected; compare the levels again for a verdict.",
        )
    return verdict
