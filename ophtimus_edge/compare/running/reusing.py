"""What is taken over from an earlier report: the figures of quality of the very files that are compared again.

A clinic's machine rarely holds the reference: quality is measured once where it fits, and the clinic measures
speed. So a report's figures are known by the SHA-256 of the level's file, and neither the reference's file nor the
text or the questions need be here. What is named beside the report is measured where the report does not have it;
and a part that the report has of another file is measured anew of every level, as figures of two files in one
table would be compared by whoever reads it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare import phrases
from ophtimus_edge.compare.report.files import read_report_with_hash
from ophtimus_edge.compare.running.order import PartName, has
from ophtimus_edge.compare.running.preparing import Parts
from ophtimus_edge.compare.running.subjects import Subjects
from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.models.report import AskedFile, LevelReport, Report, ShownQuestion

# What a part is called among a report's files, and the fields of a level that are measured on it.
FILE_PARTS: Mapping[PartName, str] = {"divergence": "text", "mcq": "mcq", "essay": "essay"}
FIELDS: Mapping[PartName, tuple[str, ...]] = {
    "divergence": ("divergence",),
    "mcq": ("mcq",),
    "essay": ("essay", "critical"),
}


class Earlier(NamedTuple):
    """An earlier report, where it was read, and the SHA-256 of its bytes."""

    path: Path
    report: Report
    sha256: str


class Reused(NamedTuple):
    """What is taken over.

    Attributes:
        levels: by the SHA-256 of their files, with the parts that are not measured again.
        files: that they were measured on, and votes.
        questions: with the answers of these levels.
        sha256: of the report, "" for none.
        notes: what a person may not expect, a sentence each.
    """

    levels: Mapping[str, LevelReport] = {}
    files: tuple[AskedFile, ...] = ()
    questions: tuple[ShownQuestion, ...] = ()
    sha256: str = ""
    notes: tuple[str, ...] = ()


def read_earlier(path: Path | None) -> Earlier | None:
    """Read the report that figures are taken from; None for none.

    Raises:
        ReportError: it cannot be read, or is no report.
        FormatVersionError: it was written by a newer release.
    """
    return Earlier(path, *read_report_with_hash(path)) if path else None


def reuse(earlier: Earlier | None, subjects: Subjects, parts: Parts) -> Reused:
    """The figures of a report that belong to the files that are compared.

    Args:
        parts: that are named beside the report.

    Raises:
        ComparisonError: it knows none of these files, or had another reference; or what it does not have takes
            the reference, whose file is not here.
    """
    if earlier is None:
        return Reused()
    path, report, sha256 = earlier
    reference = subjects.reference
    if report.reference.sha256 != reference.sha256:
        raise ComparisonError(
            f"{path} compared with {report.reference.file}, and not with {reference.model.path.name}.",
            "Leave --reference out: that of the report is taken, whether its file is here or not.",
        )
    known = {level.sha256: level for level in (*report.levels, report.reference)}
    if not any(one.sha256 in known for one in subjects.levels):
        raise ComparisonError(
            f"{path} knows none of these files: their SHA-256 are others.",
            "Name the report that was made of these very files, or measure their quality here.",
        )
    notes: list[str] = []
    levels = {
        one.sha256: _with_files(known[one.sha256], report) for one in subjects.every if one.sha256 in known
    }
    for part, (name, file) in _named(parts).items():
        levels = _beside(part, name, file, levels, reference.sha256, notes)
        missing = [one.name for one in subjects.levels if not has(levels.get(one.sha256), part)]
        if missing and not reference.here:
            raise ComparisonError(
                f"{path} has no {part} of {phrases.listed(missing)} on {name}, and the reference "
                f"{reference.name}, which it is measured against, is not here.",
                f"Measure it where {reference.model.path.name} is, and name that report; or leave {name} out.",
            )
    strangers = [one.name for one in subjects.levels if one.sha256 not in known]
    if strangers:
        notes.append(f"{phrases.listed(strangers)}: not in {path}, so nothing of it is taken over.")
    if not reference.here:
        notes.append(
            f"{reference.name}, the reference, is not here: its speed, and ratios to it, are left out."
        )
    return Reused(
        levels, _files(levels, report), _questions(levels, report), sha256, tuple(notes)
    )  # fmt: skip


def _named(parts: Parts) -> dict[PartName, tuple[str, str]]:
    """The parts that are named, each with its file's name and SHA-256."""
    named: dict[PartName, tuple[str, str]] = {}
    if parts.text:
        named["divergence"] = parts.text.name, parts.text.sha256
    if parts.choices:
        named["mcq"] = parts.choices.path.name, parts.choices.sha256
    if parts.essays:
        named["essay"] = parts.essays.path.name, parts.essays.sha256
    return named


def _beside(
    part: PartName,
    name: str,
    file: str,
    levels: Mapping[str, LevelReport],
    reference: str,
    notes: list[str],
) -> dict[str, LevelReport]:
    """The levels without what is measured anew, as a file is named for it."""
    other = [
        level for level in levels.values() if has(level, part) and level.files.get(FILE_PARTS[part]) != file
    ]
    kept = dict(levels)
    for sha256, level in levels.items():
        # Without a partner, nothing is known of what turned: such figures are made again.
        alone = part == "mcq" and sha256 != reference and level.mcq is not None and level.mcq.flips is None
        if level in other or alone:
            kept[sha256] = _without(level, part)
    if other:
        notes.append(f"The report's {part} is of another file than {name}: it is measured anew.")
    return kept


def _without(level: LevelReport, part: PartName) -> LevelReport:
    files = {name: sha256 for name, sha256 in level.files.items() if name != FILE_PARTS[part]}
    return msgspec.structs.replace(level, files=files, **dict.fromkeys(FIELDS[part]))


def _with_files(level: LevelReport, report: Report) -> LevelReport:
    """A level with the files that it was measured on, where an older report does not say them by level."""
    files = dict(level.files)
    for part, name in FILE_PARTS.items():
        asked = [file for file in report.files if file.part == name]
        if has(level, part) and name not in files and asked:
            # Of several, it may be the program's own.
            files[name] = next((file for file in asked if file.embedded), asked[0]).sha256
    return msgspec.structs.replace(level, files=files)


def _files(levels: Mapping[str, LevelReport], report: Report) -> tuple[AskedFile, ...]:
    used = {(part, sha256) for level in levels.values() for part, sha256 in level.files.items()}
    voted = any(level.votes for level in levels.values())
    return tuple(
        file
        for file in report.files
        if (file.part, file.sha256) in used or (file.part == "votes" and voted)
    )  # fmt: skip


def _questions(levels: Mapping[str, LevelReport], report: Report) -> tuple[ShownQuestion, ...]:
    """The questions with the answers of these levels, each of which then says of which file it is."""
    every = (report.reference, *report.levels)
    by_name = {
        one.level: one.sha256 for one in every if sum(one.level == other.level for other in every) == 1
    }
    answered = {sha256 for sha256, level in levels.items() if level.essay is not None}
    questions = []
    for question in report.questions:
        answers = [
            msgspec.structs.replace(answer, sha256=answer.sha256 or by_name.get(answer.level, ""))
            for answer in question.answers
        ]
        kept = [answer for answer in answers if answer.sha256 in answered]
        if kept:
            questions.append(msgspec.structs.replace(question, answers=kept))
    return tuple(questions)
