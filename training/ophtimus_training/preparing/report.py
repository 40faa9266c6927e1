"""What was dropped and why: ``report.json`` for programs, ``report.md`` for people."""

from typing import Literal

import msgspec

from ophtimus_edge.text import sanitize
from ophtimus_training.examples.manifest import InputFile, OutputFile

Reason = Literal["unusable", "form", "language", "specialty", "duplicate", "evaluation", "near duplicate"]
_MOST_EXAMPLES = 5

WHY: dict[Reason, str] = {
    "unusable": "the row could not be used",
    "form": "the row has not the form that this recipe trains on",
    "language": "the text is in no language that is kept",
    "specialty": "the text is not about the field",
    "duplicate": "the same stands there before, word for word",
    "evaluation": "it shares a passage or its question with the data that is evaluated on",
    "near duplicate": "nearly the same stands there before",
}
"""Every reason, in the order in which rows are looked at."""


class Example(msgspec.Struct, frozen=True):
    """A dropped row.

    Attributes:
        place: its file and its number there.
        detail: what decided it.
        text: its beginning.
    """

    place: str
    detail: str
    text: str


class Dropped(msgspec.Struct):
    """The rows that were dropped for one reason."""

    rows: int = 0
    by_file: dict[str, int] = msgspec.field(default_factory=dict)
    examples: list[Example] = msgspec.field(default_factory=list)

    def add(self, file: str, example: Example) -> None:
        """Count a row, and keep the first ones to show."""
        self.rows += 1
        self.by_file[file] = self.by_file.get(file, 0) + 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(example)


class Report(msgspec.Struct, kw_only=True):
    """What a preparation came to.

    Attributes:
        read: rows that were read for training.
        kept: rows that are trained on.
        languages: kept rows by language.
        dropped: by reason; a row has one, the first that applies.
        compared_with: rows of evaluation data that nothing kept shares a passage with.
        phrases: runs of words of the evaluation data that stand in too many of its rows to say anything.
        notes: what a reader should know beside.
    """

    recipe: str
    settings: dict[str, str | int | float | bool | list[str]]
    read: int
    kept: int
    languages: dict[str, int]
    dropped: dict[Reason, Dropped]
    compared_with: int
    phrases: int
    inputs: list[InputFile]
    outputs: list[OutputFile]
    notes: list[str]


def as_markdown(report: Report) -> str:
    """The report as a page."""
    settings = ", ".join(f"{name} {_value(value)}" for name, value in report.settings.items())
    lines = [
        f"# Training data prepared for {report.recipe}",
        "",
        f"{report.kept:,} of {report.read:,} rows are kept ({settings}).",
        "",
        "| why | rows dropped | share |",
        "|---|---:|---:|",
    ]
    for reason, why in WHY.items():
        rows = report.dropped[reason].rows
        lines.append(f"| {why} | {rows:,} | {100 * rows / max(report.read, 1):.1f} % |")
    lines += ["", f"Languages of what is kept: {_counted(report.languages)}."]
    lines.append(
        f"Compared with {report.compared_with:,} rows of evaluation data, of which {report.phrases:,} runs of 13 "
        "words stand in more than three rows and count for nothing."
    )
    lines += ["", *(f"- {_line(note)}" for note in report.notes)] if report.notes else []
    for reason, why in WHY.items():
        dropped = report.dropped[reason]
        if dropped.rows:
            lines += ["", f"## {why[0].upper()}{why[1:]}: {dropped.rows:,} rows", ""]
            lines += [f"By file: {_counted(dropped.by_file)}.", ""]
            lines += [
                f"- {_line(example.place)}: {_line(example.detail)}"
                + (f" — {_line(example.text)}" if example.text else "")
                for example in dropped.examples
            ]
    lines += ["", "## Files", "", "| | split | rows | tokens | SHA-256 |", "|---|---|---:|---:|---|"]
    lines += [
        f"| read: {_line(file.name)} | {file.split} | {file.rows:,} | | {file.sha256} |"
        for file in report.inputs
    ]
    lines += [
        f"| written: {file.name} | {file.split} | {file.rows:,} | {file.tokens or ''} | {file.sha256} |"
        for file in report.outputs
    ]
    return "\n".join(lines) + "\n"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{_line(name)} {count:,}" for name, count in counts.items()) or "none"


def _value(value: str | int | float | bool | list[str]) -> str:
    return " and ".join(value) if isinstance(value, list) else str(value) or '""'


def _line(text: str) -> str:
    """A text of a file as one line of Markdown that marks nothing up."""
    plain = " ".join(sanitize(text).split())
    for sign in "\\`*_<>|[]":
        plain = plain.replace(sign, f"\\{sign}")
    return plain
