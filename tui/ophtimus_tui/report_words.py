"""A report of a comparison as the app shows it: the verdict, and a table of the levels, as Markdown."""

from collections.abc import Callable

from ophtimus_edge.compare.naming import names_of
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import LevelReport, Report
from ophtimus_edge.text import sanitize
from ophtimus_tui.blind_words import percent
from ophtimus_tui.model_rows import line
from ophtimus_tui.sizes import divergence, size, speed
from ophtimus_tui.texts import Texts

Cell = Callable[[LevelReport], str]


def page(texts: Texts, report: Report) -> str:
    """The whole page, top to bottom. Sentences of the comparison stand as it wrote them."""
    parts = [
        f"# {_cell(f'{report.model} {report.version}')}",
        *([texts("comparison.demonstration")] if report.demonstration else []),
        _verdict(texts, report),
        _table(texts, report),
        _remarks(texts, report),
    ]
    return "\n\n".join(part for part in parts if part)


def _verdict(texts: Texts, report: Report) -> str:
    verdict = report.verdict
    if verdict is None:
        return texts("comparison.no_verdict")
    if verdict.only_embedded:
        first = texts("comparison.only_embedded")
    elif verdict.level:
        first = texts("comparison.recommended", level=_cell(verdict.level))
    else:
        first = texts("comparison.none_recommended")
    sentences = [first, _written(verdict.statement), _written(verdict.fastest_statement)]
    for finding in verdict.findings:
        found = texts(f"comparison.finding_{finding.finding.replace(' ', '_')}")
        said = texts("comparison.finding", level=_cell(finding.level), finding=found)
        reasons = " ".join(_written(reason) for reason in finding.reasons)
        sentences.append(f"- {said} {reasons}".rstrip())
    return "\n".join(sentence for sentence in sentences if sentence)


def _table(texts: Texts, report: Report) -> str:
    rows = [report.reference, *(one for one in report.levels if one.sha256 != report.reference.sha256)]
    columns: list[tuple[str, Cell]] = [
        ("level", lambda row: _name(texts, report, row)),
        ("size", lambda row: size(row.size_bytes)),
        ("kl", lambda row: _between(row.divergence.kl_mean, divergence) if row.divergence else ""),
        ("same_top", lambda row: _share(row.divergence.same_top) if row.divergence else ""),
        ("accuracy", lambda row: _accuracy(row)),
        ("essay", lambda row: _essay(row)),
        ("critical", lambda row: _critical(row)),
        ("votes", lambda row: _votes(texts, row)),
        ("speed", lambda row: speed(row.speed.generated_tokens_per_s.value) if row.speed else ""),
        ("ttft", lambda row: f"{row.speed.ttft_s.value:.1f}" if row.speed else ""),
        ("memory", lambda row: size(int(row.speed.peak_memory_bytes.value)) if row.speed else ""),
    ]
    filled = [(name, [cell(row) for row in rows]) for name, cell in columns]
    filled = [(name, cells) for name, cells in filled if any(cells)]  # a part that was left out has no column
    lines = [[texts(f"comparison.column_{name}") for name, _ in filled]]
    lines += [[cells[place] or "–" for _, cells in filled] for place in range(len(rows))]
    marks = [":--" if name == "level" else "--:" for name, _ in filled]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (lines[0], marks, *lines[1:]))


def _remarks(texts: Texts, report: Report) -> str:
    sentences = [texts("comparison.intervals")]
    if report.made_at:
        sentences.append(texts("comparison.made", moment=_cell(report.made_at).replace("T", " ")))
    sentences += [f"{_cell(name)}: {_cell(value)}" for name, value in report.machine.items()]
    sentences += [
        texts(
            "comparison.file_of",
            part=file.part,
            name=_cell(file.name),
            used=file.used,
            available=file.available,
        )
        for file in report.files
    ]
    sentences += [_written(change) for change in report.changes]
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _name(texts: Texts, report: Report, row: LevelReport) -> str:
    every = [report.reference, *report.levels]
    own = next(name for name, level in zip(names_of(every), every, strict=True) if level is row)
    name = _cell(own)
    if row.sha256 == report.reference.sha256:
        return name + " " + texts("comparison.reference")
    verdict = report.verdict
    recommended = verdict is not None and (
        verdict.sha256 == row.sha256 if verdict.sha256 else verdict.level in (row.level, own)
    )
    return f"★ {name}" if recommended and report.verdict and not report.verdict.only_embedded else name


def _between(found: Statistic, said: Callable[[float], str]) -> str:
    return f"{said(found.value)} [{said(found.low)}, {said(found.high)}]"


def _share(found: Statistic) -> str:
    return _between(found, percent)


def _accuracy(row: LevelReport) -> str:
    if row.mcq is None:
        return ""
    return _share(row.mcq.accuracy or row.mcq.likelihood_accuracy)


def _essay(row: LevelReport) -> str:
    found = row.essay.scores.get("paper", {}).get("rouge_l") if row.essay else None
    return _between(found, lambda value: f"{value:.3f}") if found else ""


def _critical(row: LevelReport) -> str:
    return f"{len(row.critical.differences)} / {row.critical.answers}" if row.critical else ""


def _votes(texts: Texts, row: LevelReport) -> str:
    if row.votes is None:
        return ""
    parts = [_share(row.votes.preferred)] if row.votes.preferred else []
    if sure := sum(one.confirmed for one in row.votes.unsafe):
        parts.append(texts("comparison.unsafe", count=sure))
    return " · ".join(parts) or texts("comparison.votes", count=row.votes.votes)


def _written(sentence: str) -> str:
    """A sentence of the file in one line, so that none of it is read as a row of the table."""
    return line(sanitize(sentence))


def _cell(text: str) -> str:
    return line(text).replace("|", "/")
