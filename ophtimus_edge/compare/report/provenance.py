"""The tables of what a report rests on: files, texts and questions, machine, programs and settings."""

from collections.abc import Iterator

from ophtimus_edge.compare.report import cells
from ophtimus_edge.compare.report.cells import Cell
from ophtimus_edge.compare.report.tables import Table
from ophtimus_edge.compare.report.view import View, line
from ophtimus_edge.models.report import LevelReport

_PARTS = {"text": "divergence", "mcq": "multiple choice"}


def files(view: View) -> Table:
    """Which file each level is."""
    rows = [
        [
            Cell(row.name),
            Cell(line(row.level.file)),
            Cell(f"{row.level.size_bytes:,}"),
            Cell(row.level.sha256),
            Cell(_measured_by(row.level)),
        ]
        for row in view.rows
    ]
    return Table("Level files", ["level", "file", "bytes", "SHA-256", "quality measured by"], rows)


def _measured_by(level: LevelReport) -> str:
    measured = {
        "divergence": level.divergence, "multiple choice": level.mcq, "essay": level.essay,
    }  # fmt: skip
    there = [_PARTS.get(part, part) for part in level.reused] or list(measured)
    names = [name for name, part in measured.items() if part is not None]
    if not level.reused_from:
        return "this machine" if names else cells.NOT_MEASURED
    here = [name for name in names if name not in there]
    report = f"report {line(level.reused_from)}"
    return f"report {line(level.reused_from)}, but {' and '.join(here)} by this machine" if here else report


def asked_files(view: View) -> Table:
    """What the levels were compared on."""
    rows = [
        [
            Cell(_PARTS.get(file.part, file.part)),
            Cell(f"{line(file.name)} (the program's own)" if file.embedded else line(file.name)),
            Cell(f"{file.used:,} of {file.available:,}"),
            Cell(f"{len(file.skipped):,}" + (" or more" if len(file.skipped) >= 100 else "")),
            Cell(file.sha256),
        ]
        for file in view.report.files
    ]
    return Table("Texts and questions", ["for", "file", "used", "rows skipped", "SHA-256"], rows)


def surroundings(view: View) -> Iterator[Table | str]:
    """The machine, the programs and the settings: a table each, or the sentence that it was not recorded."""
    report = view.report
    named = [
        ("Machine", ["part", "value"], report.machine),
        ("Programs", ["program", "version"], report.tool_versions),
        ("Settings", ["setting", "value"], report.settings),
    ]
    for title, head, values in named:
        rows = [[Cell(line(name)), Cell(line(value))] for name, value in values.items()]
        yield Table(title, head, rows) if rows else f"{title}: not recorded."
