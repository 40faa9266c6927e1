"""The report as one HTML page: the verdict first, then the table of levels, then everything it rests on.

No script, no network: the page may load nothing, and its links lead to its own places.
"""

from pathlib import Path

from ophtimus_edge.compare.report import answers, measured, provenance, tables
from ophtimus_edge.compare.report.elements import Child, Element, element
from ophtimus_edge.compare.report.elements import page as whole_page
from ophtimus_edge.compare.report.sections import link, paragraph, section, sentences, table
from ophtimus_edge.compare.report.view import Row, View, line
from ophtimus_edge.models.report import Report

_STYLE = Path(__file__).with_name("page.css")

_PLACES = {
    "verdict": "Verdict", "levels": "Levels", "divergence": "Divergence", "choices": "Multiple choice",
    "essays": "Essays", "critical": "Critical differences", "votes": "Blind votes", "speed": "Speed and memory",
    "changes": "Changes", "answers": "Every answer", "provenance": "Machine and provenance",
}  # fmt: skip


def render(report: Report) -> bytes:
    """The page of a report."""
    view = View(report)
    body = element(
        "main",
        element("h1", view.title),
        paragraph(_about(view), "small"),
        element("nav", *(part for place, name in _PLACES.items() for part in (link(name, place), " "))),
        _verdict(view),
        _levels(view),
        measured.divergence(view),
        measured.choices(view),
        measured.essays(view),
        answers.critical(view),
        answers.votes(view),
        measured.speed(view),
        _changes(view),
        answers.everything(view),
        _provenance(view),
    )
    return whole_page(view.title, _STYLE.read_text("utf-8"), body).encode()


def _about(view: View) -> str:
    made = f", made at {line(view.report.made_at)}" if view.report.made_at else ""
    count = len(view.levels)
    return f"{count} level{'' if count == 1 else 's'} against {view.reference.name}, the reference{made}."


def _verdict(view: View) -> Element:
    verdict = view.report.verdict
    parts: list[Child] = [paragraph(one, "warning") for one in view.cautions()]
    first, others = view.statement()
    parts.append(paragraph(first, "headline"))
    parts.append(paragraph(others) if others else None)
    if verdict is not None:
        if verdict.fastest_statement:
            parts.append(paragraph(line(verdict.fastest_statement)))
        parts.append(paragraph(view.tolerances(), "small"))
    return section("verdict", "Verdict", *parts)


def _reasons(row: Row) -> list[str]:
    return [line(reason) for reason in row.finding.reasons] if row.finding else []


def _levels(view: View) -> Element:
    found = [
        element(
            "div",
            element("h4", f"{row.name}: {view.finding(row)}"),
            sentences(_reasons(row)),
            id=f"level-{row.place}",
            class_="finding",
        )
        for row in view.levels
    ]
    return section(
        "levels",
        "Levels",
        table(tables.levels(view), "levels"),
        *_unmeasured(view),
        element("h3", "Why"),
        element("div", *found, class_="findings"),
    )


def _unmeasured(view: View) -> list[Child]:
    missing = {
        sentence for row in view.levels if row.level.mcq for sentence in view.unmeasured_languages(row)
    }
    return [paragraph(f"Multiple choice: {sentence}.", "absent") for sentence in sorted(missing)]


def _changes(view: View) -> Element:
    report = view.report
    if not report.baseline_sha256 and not report.changes:
        return section("changes", "Changes since a baseline", paragraph("No older report was compared with."))
    return section(
        "changes",
        "Changes since a baseline",
        sentences([line(change) for change in report.changes]) or paragraph("Nothing changed."),
        paragraph(f"SHA-256 of the baseline's report.json: {line(report.baseline_sha256)}", "small hash"),
    )


def _provenance(view: View) -> Element:
    report = view.report
    skipped: list[Child] = []
    for file in report.files:
        if file.skipped:
            skipped.append(element("h4", f"Left out of {line(file.name)}"))
            skipped.append(sentences([line(row) for row in file.skipped]))
        if file.remarks:
            skipped.append(element("h4", f"Of {line(file.name)}"))
            skipped.append(sentences([line(remark) for remark in file.remarks]))
    return section(
        "provenance",
        "Machine and provenance",
        *(
            paragraph(content) if isinstance(content, str) else table(content)
            for content in provenance.surroundings(view)
        ),
        element("div", table(provenance.files(view)), class_="hash"),
        element("div", table(provenance.asked_files(view)), class_="hash")
        if report.files
        else paragraph("Texts and questions: none recorded."),
        element("h3", "Skipped rows", id="skipped"),
        *(skipped or [paragraph("None.")]),
    )
