"""The page's sections on what was measured: speed, divergence, multiple choice, essays."""

from ophtimus_edge.compare.report import cells, tables
from ophtimus_edge.compare.report.elements import Child, Element, element, said
from ophtimus_edge.compare.report.plots import intervals, reliability, scatter
from ophtimus_edge.compare.report.plots.intervals import Limit, Measured
from ophtimus_edge.compare.report.sections import figure, paragraph, section, sentences, table
from ophtimus_edge.compare.report.view import Row, View, line
from ophtimus_edge.models.formats import Statistic

_SHORT_ID = 40  # characters of an id that is not broken


def speed(view: View) -> Element:
    """Speed and memory."""
    if not any(row.level.speed for row in view.rows):
        return section("speed", "Speed and memory", paragraph("Speed and memory: not measured."))
    stated = view.report.verdict.tolerances.generated_tokens_per_s if view.report.verdict else None
    generated, prompts, memory = [], [], []
    for row in view.rows:
        one = row.level.speed
        made = one.generated_tokens_per_s if one else None
        read = one.prompt_tokens_per_s if one else None
        generated.append(Measured(row.place, row.name, made, cells.rate(made)))
        prompts.append(Measured(row.place, row.name, read, cells.rate(read)))
        peak = one.peak_memory_bytes if one else None
        memory.append(Measured(row.place, row.name, _in_gib(peak), cells.size(peak)))
    limits = [Limit(stated, f"stated speed {stated:g}")] if stated else []
    return section(
        "speed",
        "Speed and memory",
        paragraph(
            "By llama-bench's method, on the machine named below: the levels in turn, each time after a "
            "warm-up; medians with 95 % intervals."
        ),
        figure(
            intervals.draw(
                "plot-generated", "Speed of answers", "generated tokens per second", generated, limits, True
            ),
            "Speed of answers: further right is faster.",
        ),
        figure(
            intervals.draw(
                "plot-prompt", "Speed of reading", "prompt tokens per second", prompts, from_zero=True
            ),
            "Speed of reading a question: further right is faster.",
        ),
        figure(
            intervals.draw("plot-memory", "Peak memory", "peak memory (GiB)", memory, from_zero=True),
            "Memory that the model's process takes: further left is less.",
        ),
        table(tables.speed(view)),
    )


def _in_gib(measured: Statistic | None) -> Statistic | None:
    if measured is None:
        return None
    gib = 1 << 30
    return Statistic(measured.value / gib, measured.low / gib, measured.high / gib)


def divergence(view: View) -> Element:
    """Divergence from the reference."""
    name = view.reference.name
    measured = [(row, row.level.divergence) for row in view.levels]
    points = [
        scatter.Point(row.place, row.name, row.level.size_bytes, one.kl_mean) for row, one in measured if one
    ]
    if not points:
        return section(
            "divergence",
            "Divergence from the reference",
            paragraph("Divergence from the reference: not measured."),
        )
    tolerance = view.report.verdict.tolerances.kl_mean if view.report.verdict else None
    texts = {one.text_sha256 for _, one in measured if one and one.text_sha256}
    missing = [row.name for row, one in measured if one is None]
    return section(
        "divergence",
        "Divergence from the reference",
        paragraph(
            f"How far each level predicts otherwise than {name} on the same text. 0 means that every next token is "
            "expected alike. Intervals are a bootstrap's over windows of text."
        ),
        figure(
            scatter.draw("plot-size", points, tolerance),
            "Size against divergence: further left is smaller, further down is more faithful.",
        ),
        paragraph(f"Not measured: {', '.join(missing)}.") if missing else None,
        table(tables.divergence(view)),
        *(paragraph(f"SHA-256 of the text's windows: {line(text)}", "small hash") for text in sorted(texts)),
    )


def choices(view: View) -> Element:
    """Multiple choice: accuracy, what turned, calibration, topics and languages."""
    title = "Multiple-choice questions"
    if not any(row.level.mcq for row in view.rows):
        return section("choices", title, paragraph("Multiple-choice questions: not measured."))
    accuracy, difference = [], []
    generated = any(row.level.mcq and row.level.mcq.accuracy for row in view.rows)
    how = "generated and parsed" if generated else "of the likeliest letter"
    for row in view.rows:
        one = row.level.mcq
        right = (one.accuracy if generated else one.likelihood_accuracy) if one else None
        accuracy.append(Measured(row.place, row.name, _times_hundred(right), cells.percent(right)))
        if not row.is_reference:
            found = one.flips.difference if one and one.flips else None
            difference.append(Measured(row.place, row.name, _times_hundred(found), cells.points(found)))
    return section(
        "choices",
        title,
        paragraph(
            "Asked in the trained form; what could not be parsed counts as wrong. Wilson intervals; the difference "
            "to the reference is paired, question by question."
        ),
        figure(
            intervals.draw("plot-accuracy", "Accuracy of each level", "accuracy (%)", accuracy),
            f"Accuracy, {how}: further right is better.",
        ),
        figure(
            _difference(view, difference),
            "Difference of accuracy to the reference: a level is within tolerance where the whole interval lies "
            "right of the dashed line of the tolerance.",
        ),
        table(tables.choices(view)),
        *_groups(view),
        *_flips(view),
        *_reliability(view),
    )


def _difference(view: View, rows: list[Measured]) -> Element | None:
    limits = [Limit(0.0, "the reference")]
    if view.report.verdict:
        may = view.report.verdict.tolerances.accuracy * 100
        limits.append(Limit(-may, f"tolerance −{may:g}"))
    axis = f"points against {view.reference.name}"
    return intervals.draw("plot-difference", "Difference of accuracy", axis, rows, limits)


def _times_hundred(measured: Statistic | None) -> Statistic | None:
    if measured is None:
        return None
    return Statistic(measured.value * 100, measured.low * 100, measured.high * 100)


def _groups(view: View) -> list[Child]:
    topics = tables.groups(view, "topics")
    return [
        element("h3", "Languages", id="languages"),
        table(tables.groups(view, "languages")),
        element("h3", "Topics", id="topics"),
        table(topics) if topics.rows else paragraph("Topics: not measured; the questions name none."),
    ]


def _flips(view: View) -> list[Child]:
    parts: list[Child] = [
        element("h3", "Flipped questions", id="flips"),
        paragraph(
            f"Questions that {view.reference.name} answered right and a level wrong, or the other way round."
        ),
        table(tables.flips(view)),
    ]
    for row in view.levels:
        found = row.level.mcq.flips if row.level.mcq else None
        if found is not None and (found.lost or found.won):
            parts.append(element("h4", row.name, id=f"flips-{row.place}"))
            parts.append(_ids(view, "right → wrong", found.lost))
            parts.append(_ids(view, "wrong → right", found.won))
    return parts


def _ids(view: View, title: str, ids: list[str]) -> Element | None:
    if not ids:
        return None
    listed = element("p", f"{title}: ", class_="ids")
    for number, one in enumerate(ids):
        target = view.question_ids.get(one)
        named = said(line(one), class_="value" if len(line(one)) < _SHORT_ID else None)
        listed.append(element("a", named, href=f"#{target}") if target else named)
        listed[-1].tail = ", " if number + 1 < len(ids) else "."
    return listed


def _reliability(view: View) -> list[Child]:
    drawn: list[Element] = []
    for row in view.rows:
        if row.level.mcq and row.level.mcq.reliability:
            bins = row.level.mcq.reliability
            made = reliability.draw(f"plot-reliability-{row.place}", row.place, row.name, bins)
            drawn += [made] if made is not None else []
    heading = element("h3", "Reliability", id="reliability")
    if not drawn:
        return [heading, paragraph("Reliability: not measured.")]
    caption = (
        "Reliability: on the dashed line a level is as often right as it is sure; below it, it is too sure. "
        "Larger marks stand for more questions; bars are 95 % intervals."
    )
    return [
        heading,
        element("figure", element("div", *drawn, class_="panels"), element("figcaption", caption)),
    ]


def essays(view: View) -> Element:
    """Essay questions, with published scores."""
    title = "Essay questions"
    asked = [row for row in view.rows if row.level.essay]
    published = tables.published(view)
    beside = (
        [table(published)]
        if published.rows
        else [paragraph("Published scores of this model: none are known.")]
    )
    if not asked:
        return section("essays", title, paragraph("Essay questions: not measured."), *beside)
    notes = dict.fromkeys(line(note) for row in asked if row.level.essay for note in row.level.essay.notes)
    return section(
        "essays",
        title,
        sentences([_essay(row) for row in view.rows]),
        *(table(one) for one in (*tables.essays(view), *tables.essay_languages(view))),
        *(
            paragraph(f"Essay questions: {missing}.", "absent")
            for missing in tables.essays_not_measured_in(view)
        ),
        sentences(list(notes)),
        *beside,
    )


def _essay(row: Row) -> str:
    one = row.level.essay
    if one is None:
        return f"{row.name}: {cells.NOT_MEASURED}."
    cut = cells.percent(one.cut_short).whole
    return f"{row.name}: {one.questions:,} questions; answers that ended at the length limit: {cut}."
