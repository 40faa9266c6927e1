"""What a comparison found, in a few lines for a terminal: the verdict, why, and where to look next."""

import textwrap
from collections.abc import Iterator

from ophtimus_edge.compare.report import cells
from ophtimus_edge.compare.report.view import Row, View, line
from ophtimus_edge.models.report import ChoiceReport, DivergenceReport, Report

_NAME = "verdict"
_INDENT = len(_NAME) + 2


def summary(report: Report, page: str = "report.html", width: int = 110) -> str:
    """The verdict in plain words, without a line end at its end.

    Args:
        page: how the report's page is named for a reader.
        width: of the lines, in columns.
    """
    view = View(report)
    paragraphs = [view.headline(), *_why(view)]
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


def _why(view: View) -> Iterator[str]:
    best = view.recommended()
    if best is not None:
        yield "; ".join(_figures(view, best)) + "."
        return
    for row in view.levels:
        reasons = [line(reason).rstrip(".") for reason in row.finding.reasons] if row.finding else []
        yield f"{row.name}: {view.finding(row)}. {'; '.join(reasons)}".rstrip(" .") + "."


def _figures(view: View, row: Row) -> Iterator[str]:
    """What was measured of a level, against its tolerances."""
    level, reference = row.level, view.reference.level
    verdict = view.report.verdict
    if level.mcq is not None:
        yield _accuracy(level.mcq, reference.mcq, verdict.tolerances.accuracy if verdict else None)
    if level.divergence is not None:
        yield _divergence(level.divergence, verdict.tolerances.kl_mean if verdict else None)
    yield cells.bytes_text(level.size_bytes)
    if level.speed is not None:
        beside = level.speed.to_reference.get("generated_tokens_per_s")
        speed = cells.rate(level.speed.generated_tokens_per_s).text
        yield (
            f"{cells.ratio(beside).text} the speed of {view.reference.name} here ({speed})"
            if beside
            else speed
        )


def _accuracy(level: ChoiceReport, reference: ChoiceReport | None, tolerance: float | None) -> str:
    said = f"accuracy {cells.percent(level.accuracy).text}"
    if reference is not None:
        said += f" against {cells.percent(reference.accuracy).text}"
    if level.flips is None:
        return said
    worst = -level.flips.difference.low * 100
    loss = f"at most {cells.number(worst, 1)} points worse" if worst > 0 else "not worse"
    may = f", tolerance {tolerance * 100:g}" if tolerance is not None else ""
    return f"{said}: {loss} (95 %, {level.questions:,} paired questions{may})"


def _divergence(divergence: DivergenceReport, tolerance: float | None) -> str:
    may = f", tolerance {tolerance:g}" if tolerance is not None else ""
    return f"KL divergence {cells.nats(divergence.kl_mean).whole}{may}"


def _unsafe(view: View, page: str) -> Iterator[str]:
    for row in view.levels:
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
        count = found[0][1]
        if not count:
            return f"No answer differs in a figure, an eye, a negation or a drug: {page}#critical"
        verb = "differs" if count == 1 else "differ"
        return (
            f"{_counted(count, 'answer')} {verb} in a figure, an eye, a negation or a drug: {page}#critical"
        )
    counts = ", ".join(f"{row.name} {count:,}" for row, count in found)
    return f"Answers that differ in a figure, an eye, a negation or a drug: {counts}: {page}#critical"


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"
