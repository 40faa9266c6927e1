"""What a comparison found, in a few lines for a terminal: the verdict, why, and where to look next."""

import textwrap
from collections.abc import Iterator

from ophtimus_edge.compare.report.view import View, line
from ophtimus_edge.models.report import Report

_NAME = "verdict"
_INDENT = len(_NAME) + 2


def summary(report: Report, page: str = "report.html", width: int = 110) -> str:
    """The verdict in plain words, without a line end at its end.

    Args:
        page: how the report's page is named for a reader.
        width: of the lines, in columns.
    """
    view = View(report)
    paragraphs = [*(part for part in view.statement() if part), *_findings(view)]
    if report.verdict is not None and report.verdict.fastest_statement:
        paragraphs.append(line(report.verdict.fastest_statement))
    paragraphs += [*view.cautions(), *_unsafe(view, page), _critical(view, page)]
    blank = " " * _INDENT
    lines = [
        wrapped
        for paragraph in paragraphs
        for wrapped in textwrap.wrap(
            paragraph, max(width - _INDENT, 20), break_long_words=False, break_on_hyphens=False
        )
    ]
    first, *rest = lines
    return "\n".join([f"{_NAME}{blank[len(_NAME) :]}{first}", *(f"{blank}{one}" for one in rest)])


def _findings(view: View) -> Iterator[str]:
    """What was found of each level, where the statement recommends none."""
    if view.report.verdict is None or view.recommended() is not None:
        return
    for row in view.levels:
        yield f"{row.name}: {view.finding(row)}."


def _unsafe(view: View, page: str) -> Iterator[str]:
    for row in view.rows:
        confirmed = sum(vote.confirmed for vote in row.level.votes.unsafe) if row.level.votes else 0
        if confirmed:
            yield f"{row.name}: {_counted(confirmed, 'answer')} confirmed as unsafe: {page}#unsafe"


def _critical(view: View, page: str) -> str:
    best = view.recommended()
    looked = [row for row in ([best] if best else view.levels) if row.level.critical]
    if not looked:
        return f"Critical differences: not measured. The report: {page}"
    found = [(row, len(view.pairs(row))) for row in looked]
    if best is not None:
        if found[0][1]:
            return f"The answers that differ, side by side: {page}#critical"
        return f"No answer differs in a figure, an eye, a negation or a drug: {page}#critical"
    counts = ", ".join(f"{row.name} {count:,}" for row, count in found)
    return f"Answers that differ in a figure, an eye, a negation or a drug: {counts}: {page}#critical"


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"
