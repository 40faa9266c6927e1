"""The page's sections on answers: critical differences side by side, blind votes, and every answer that is held."""

from ophtimus_edge.compare.report import tables
from ophtimus_edge.compare.report.elements import Child, Element, element, said
from ophtimus_edge.compare.report.marking import Side, is_there, passages, words
from ophtimus_edge.compare.report.sections import link, paragraph, section, table
from ophtimus_edge.compare.report.view import KINDS, Pair, Row, View, kinds, line
from ophtimus_edge.models.formats import UnsafeVote
from ophtimus_edge.models.report import CriticalDifference, ShownQuestion

_HOW_FOUND = (
    "Found mechanically: figures with their units, eyes (right, left, both), negations, and names of drugs. Each is "
    "for a person to judge. That none is listed says nothing of the rest of an answer. The list of drugs has the "
    "field's generic names and its best-known trade names, in English and Korean; a trade name counts as its "
    "substances. A drug that is not on the list is not seen."
)


def critical(view: View) -> Element:
    """Critical differences, with both answers to each question side by side."""
    title = "Critical differences"
    if not any(row.level.critical for row in view.levels):
        return section("critical", title, paragraph("Critical differences: not measured."))
    legend = element(
        "p",
        "Marked in the answers, with the number of the difference: ",
        *(_legend(kind) for kind in KINDS),
        class_="legend",
    )
    body = [part for row in view.levels for part in _level(view, row)]
    return section("critical", title, paragraph(_HOW_FOUND), table(tables.critical(view)), legend, *body)


def _legend(kind: str) -> Element:
    return element("mark", KINDS[kind], class_=f"difference is-{kind}")


def _level(view: View, row: Row) -> list[Child]:
    heading = element("h3", f"{row.name} against {view.reference.name}", id=row.critical_id)
    if row.level.critical is None:
        return [heading, paragraph("Critical differences: not measured.")]
    pairs = view.pairs(row)
    if not pairs:
        return [heading, paragraph(f"No difference was found in {row.level.critical.answers:,} answers.")]
    listed = element("ol", class_="pairs")
    for pair in pairs:
        counts = kinds({kind: sum(one.kind == kind for one in pair.differences) for kind in KINDS})
        name = element("a", said(line(pair.question_id)), href=f"#{row.pair_id(pair.number)}")
        listed.append(element("li", name, f": {counts}"))
    return [heading, listed, *(_pair(view, row, pair) for pair in pairs)]


def _pair(view: View, row: Row, pair: Pair) -> Element:
    there, here = view.answer(pair.shown, view.reference), view.answer(pair.shown, row)
    return element(
        "article",
        element("h4", f"{pair.number}. ", said(line(pair.question_id)), f" · {row.name}"),
        *_question(pair.shown),
        element(
            "div",
            _side(f"{view.reference.name} (the reference)", there, pair, "reference"),
            _side(row.name, here, pair, "answer"),
            class_="sides",
        ),
        element(
            "ol",
            *(_difference(view, row, one, (there, here)) for one in pair.differences),
            class_="differences",
        ),
        id=row.pair_id(pair.number),
        class_="pair",
    )


def _question(shown: ShownQuestion | None) -> list[Child]:
    if shown is None:
        return [paragraph("The question and its answers are not kept in this report; only what differs is.")]
    asked: list[Child] = [element("h5", "Question"), *words(shown.question)]
    if shown.expected:
        asked += [element("h5", "Expected"), *words(shown.expected)]
    return asked


def _side(title: str, text: str | None, pair: Pair, side: Side) -> Element:
    if text is None:
        return element("div", element("h5", title), paragraph("This answer is not kept in this report."))
    if not text:
        return element("div", element("h5", title), paragraph("The answer is empty."))
    return element("div", element("h5", title), *words(text, pair.differences, side))


def _difference(
    view: View, row: Row, difference: CriticalDifference, texts: tuple[str | None, str | None]
) -> Element:
    said_there = _passages(difference, "reference", texts[0])
    said_here = _passages(difference, "answer", texts[1])
    kind = element("b", KINDS[difference.kind])
    return element("li", kind, f": {view.reference.name} ", *said_there, f"; {row.name} ", *said_here)


def _passages(difference: CriticalDifference, side: Side, text: str | None) -> list[Child]:
    found = passages(difference, side)
    if not found:
        return ["says nothing of it"]
    shown: list[Child] = ["says "]
    for number, passage in enumerate(found):
        shown += [", " if number else "", "“", said(line(passage.text)), "”"]
        if text is not None and not is_there(text, passage):
            shown.append(" (not at its place in the answer, so not marked)")
    return shown


def votes(view: View) -> Element:
    """Blind votes, and every answer that somebody found unsafe."""
    title = "Blind votes"
    if not any(row.level.votes for row in view.rows):
        return section("votes", title, paragraph("Blind votes: not measured."))
    unsafe = [(row, vote) for row in view.rows if row.level.votes for vote in row.level.votes.unsafe]
    heading = element("h3", "Answers found unsafe", id="unsafe")
    parts: list[Child] = [_unsafe(view, row, vote) for row, vote in unsafe]
    return section(
        "votes",
        title,
        paragraph(
            f"Each vote is between an answer of the level and one of {view.reference.name}, by a person who did not "
            "know which was which. Preferred is of the votes that preferred one; its interval is exact binomial."
        ),
        table(tables.votes(view)),
        heading,
        *(parts or [paragraph("None.")]),
    )


def _unsafe(view: View, row: Row, vote: UnsafeVote) -> Element:
    target = view.question_ids.get(vote.question_id)
    name: Child = said(line(vote.question_id))
    name = element("a", name, href=f"#{target}") if target else name
    sure = "confirmed" if vote.confirmed else "not confirmed"
    by = said(line(vote.rater)) if line(vote.rater) else "somebody without a name"
    when: list[Child] = [", ", line(vote.rated_at)] if vote.rated_at else []
    head = element("p", element("b", f"{row.name}, {sure}"), ", question ", name, ", by ", by, *when)
    return element("div", head, *(words(vote.note) if vote.note else []), class_="unsafe")


def everything(view: View) -> Element:
    """Every question that the report holds, with all answers."""
    title = "Every answer"
    asked = view.report.questions
    if not asked:
        return section("answers", title, paragraph("No answers are kept in this report."))
    differing: dict[str, list[tuple[str, str]]] = {}
    for row in view.levels:
        for pair in view.pairs(row):
            differing.setdefault(pair.question_id, []).append((row.name, row.pair_id(pair.number)))
    made = [
        _everything(number, shown, differing.get(shown.question_id, []))
        for number, shown in enumerate(asked, 1)
    ]
    return section("answers", title, paragraph(f"{len(asked):,} questions, the reference first."), *made)


def _everything(number: int, shown: ShownQuestion, differing: list[tuple[str, str]]) -> Element:
    see = [part for name, place in differing for part in (", ", link(name, place))][1:]
    answers = [
        element(
            "div",
            element("h5", line(answer.level)),
            *(words(answer.text) if answer.text else [paragraph("The answer is empty.")]),
        )
        for answer in shown.answers
    ]
    return element(
        "article",
        element("h4", f"{number}. ", said(line(shown.question_id))),
        element("p", "Critical differences: ", *see, class_="small") if see else None,
        *_question(shown),
        element("div", *answers, class_="sides"),
        id=f"question-{number}",
    )
