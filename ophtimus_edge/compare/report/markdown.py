"""The report in short as GitHub Markdown: the same tables, and both answers wherever they differ critically.

What people and models wrote stands in fences that are longer than any run of backticks in it, or on one line with
every mark escaped; nothing of it can become markup.
"""

import re
from collections.abc import Iterator

from ophtimus_edge.compare.report import cells, provenance, tables
from ophtimus_edge.compare.report.cells import Cell
from ophtimus_edge.compare.report.tables import Table
from ophtimus_edge.compare.report.view import KINDS, Pair, Row, View, kinds, left_out, line
from ophtimus_edge.models.report import CriticalDifference, MarkedPassage, Report
from ophtimus_edge.text import sanitize

_BACKTICKS = re.compile("`+")
# A parenthesis means something after a bracket only, and a "_" inside of a word, as in Q4_K_M, means nothing.
_MARKS = re.compile(r"([\\`*\[\]<>&~#|$]|(?<![^\W_])_|_(?![^\W_]))")
_LINKS = re.compile(r"(https?|ftp|xmpp|mailto)(:)|(www)(\.)", re.IGNORECASE)
_LISTS = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=])")


def render(report: Report) -> bytes:
    """The Markdown of a report."""
    return (sanitize("\n\n".join(_parts(View(report)))) + "\n").encode()


def _parts(view: View) -> Iterator[str]:
    report = view.report
    yield f"# {_line(view.title)}"
    made = f", made at {report.made_at}" if report.made_at else ""
    yield _line(f"Reference: {view.reference.name}{made}. The whole report, with every answer: report.html.")
    yield from (f"**{_line(one)}**" for one in view.cautions())
    first, others = view.statement()
    yield f"## Verdict\n\n**{_line(first)}** {_line(others)}".rstrip()
    yield from _verdict(view)
    yield f"## Levels\n\n{_table(tables.levels(view))}"
    yield f"## Divergence from the reference\n\n{_divergence(view)}"
    yield "## Multiple-choice questions"
    yield from _choices(view)
    yield "## Essay questions"
    yield from _essays(view)
    yield "## Critical differences"
    yield from _critical(view)
    yield "## Blind votes"
    yield from _votes(view)
    measured = any(row.level.speed for row in view.rows)
    yield f"## Speed and memory\n\n{_table(tables.speed(view)) if measured else _absent('Speed and memory')}"
    yield "## Changes since a baseline"
    if report.baseline_sha256 or report.changes:
        yield _list(report.changes) or "Nothing changed."
        yield f"SHA-256 of the baseline's report.json: {_line(report.baseline_sha256)}"
    else:
        yield "No older report was compared with."
    yield "## Machine and provenance"
    yield from _provenance(view)


def _absent(part: str) -> str:
    return f"{part}: {cells.NOT_MEASURED}."


def _verdict(view: View) -> Iterator[str]:
    verdict = view.report.verdict
    if verdict is None:
        return
    if verdict.fastest_statement:
        yield _line(verdict.fastest_statement)
    found = []
    for row in view.levels:
        found.append(f"- **{_line(row.name)}**: {_line(view.finding(row))}")
        found += [f"  - {_line(reason)}" for reason in (row.finding.reasons if row.finding else [])]
    yield "\n".join(found)
    yield _line(view.tolerances())


def _divergence(view: View) -> str:
    if not any(row.level.divergence for row in view.levels):
        return _absent("Divergence from the reference")
    return _table(tables.divergence(view))


def _choices(view: View) -> Iterator[str]:
    if not any(row.level.mcq for row in view.rows):
        yield _absent("Multiple-choice questions")
        return
    yield _table(tables.choices(view))
    yield _table(tables.groups(view, "languages"))
    topics = tables.groups(view, "topics")
    yield _table(topics) if topics.rows else _absent("Topics")
    yield _table(tables.flips(view))
    for row in view.levels:
        flips = row.level.mcq.flips if row.level.mcq else None
        if flips is not None and (flips.lost or flips.won):
            lost = ", ".join(map(_line, flips.lost)) or "none"
            won = ", ".join(map(_line, flips.won)) or "none"
            yield f"**{_line(row.name)}**, right → wrong: {lost}; wrong → right: {won}."


def _essays(view: View) -> Iterator[str]:
    asked = [row.level.essay for row in view.rows if row.level.essay]
    if not asked:
        yield _absent("Essay questions")
    yield from map(_table, tables.essays(view))
    notes = dict.fromkeys(note for one in asked for note in one.notes)
    yield from map(_table, tables.essay_languages(view))
    if missing := tables.essays_not_measured_in(view):
        yield f"Essay questions: {', '.join(missing)}."
    if notes:
        yield _list(list(notes))
    published = tables.published(view)
    yield _table(published) if published.rows else "Published scores of this model: none are known."


def _critical(view: View) -> Iterator[str]:
    if not any(row.level.critical for row in view.levels):
        yield _absent("Critical differences")
        return
    yield _table(tables.critical(view))
    for row in view.levels:
        for pair in view.pairs(row):
            yield from _pair(view, row, pair)


def _pair(view: View, row: Row, pair: Pair) -> Iterator[str]:
    counts = kinds({kind: sum(one.kind == kind for one in pair.differences) for kind in KINDS})
    yield f"### {_line(row.name)}, question {_line(pair.question_id)}: {counts}"
    if pair.shown is not None:
        yield _fenced(pair.shown.question)
    yield "\n".join(f"- {_difference(view, row, one)}" for one in pair.differences)
    for one in (view.reference, row):
        answer = view.answer(pair.shown, one)
        written = "This answer is not kept in the report." if answer is None else _fenced(answer)
        yield f"{_line(one.name)}:\n\n{written}"


def _difference(view: View, row: Row, difference: CriticalDifference) -> str:
    there, here = _passages(difference.reference), _passages(difference.answer)
    return (
        f"{KINDS[difference.kind]}: {_line(view.reference.name)} says {there}; {_line(row.name)} says {here}"
    )


def _passages(passages: list[MarkedPassage]) -> str:
    return ", ".join(f"“{_line(passage.text)}”" for passage in passages) or "nothing of it"


def _votes(view: View) -> Iterator[str]:
    if not any(row.level.votes for row in view.rows):
        yield _absent("Blind votes")
        return
    yield _table(tables.votes(view))
    for row in view.rows:
        for vote in row.level.votes.unsafe if row.level.votes else []:
            sure = "confirmed" if vote.confirmed else "not confirmed"
            by = _line(vote.rater) or "somebody without a name"
            when = f", {_line(vote.rated_at)}" if vote.rated_at else ""
            head = f"**Unsafe: {_line(row.name)}, {sure}**, question {_line(vote.question_id)}, by {by}{when}"
            yield f"{head}:\n\n{_fenced(vote.note)}" if vote.note else f"{head}."


def _provenance(view: View) -> Iterator[str]:
    report = view.report
    for content in provenance.surroundings(view):
        yield content if isinstance(content, str) else _table(content)
    yield _table(provenance.files(view))
    yield _table(provenance.asked_files(view)) if report.files else "Texts and questions: none recorded."
    for file in report.files:
        if file.skipped:
            yield f"Left out of {_line(file.name)}:\n\n{_list(file.skipped)}"
        if file.remarks:
            yield f"Of {_line(file.name)}:\n\n{_list(file.remarks)}"


def _table(table: Table) -> str:
    """A table of GitHub's; its name stands above it."""
    rows = [
        f"**{_line(table.caption)}**",
        "",
        _row([_line(name) for name in table.head]),
        _row(["---"] * len(table.head)),
        *(_row(list(map(_cell, row))) for row in table.rows),
    ]
    return "\n".join(rows)


def _cell(cell: Cell) -> str:
    # An interval is of our own making: its brackets are no link, as the page defines none.
    return f"{_line(cell.text)} {cell.interval}" if cell.interval else _line(cell.text)


def _row(parts: list[str]) -> str:
    return f"| {' | '.join(part or ' ' for part in parts)} |"


def _list(texts: list[str]) -> str:
    return "\n".join(f"- {_line(text)}" for text in texts)


def _fenced(text: str) -> str:
    """A text in a fence that is longer than any in it, and what could not be shown of it."""
    lost = left_out(text)
    text = sanitize(text)  # first: without what is between them, two runs of backticks are one
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    note = (
        f"\n\n{lost:,} control character{'s' if lost > 1 else ''} in this text cannot be shown."
        if lost
        else ""
    )
    return f"{fence}text\n{text}\n{fence}{note}"


def _line(text: str) -> str:
    """A text on one line, of which a renderer takes nothing for a mark, a list or a link."""
    escaped = _MARKS.sub(r"\\\1", line(text))
    escaped = _LINKS.sub(lambda found: f"{found[1] or found[3]}\\{found[2] or found[4]}", escaped)
    return _LISTS.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", escaped)
