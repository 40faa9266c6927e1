"""What the sections of the HTML page are made of: headings, tables, figures, and sentences for what is missing."""

from collections.abc import Sequence

from ophtimus_edge.compare.report.cells import NOT_MEASURED, Cell
from ophtimus_edge.compare.report.elements import Child, Element, element, language_of
from ophtimus_edge.compare.report.tables import Table

_ONE_LINE = 16  # characters of a figure with its unit, which are not broken


def section(place: str, title: str, *parts: Child) -> Element:
    """A section of the page.

    Args:
        place: its id, that links point to.
    """
    return element("section", element("h2", title), *parts, id=place)


def paragraph(text: str, class_: str | None = None) -> Element:
    """A paragraph of plain words."""
    return element("p", text, class_=class_, lang=language_of(text))


def sentences(texts: Sequence[str]) -> Element | None:
    """A list of sentences; None where there are none."""
    if not texts:
        return None
    return element("ul", *(element("li", text, lang=language_of(text)) for text in texts))


def table(content: Table, class_: str | None = None) -> Element:
    """A table that can be scrolled sideways where the window is narrow."""
    head = element("tr", *(element("th", name, scope="col", lang=language_of(name)) for name in content.head))
    body = [
        element(
            "tr",
            element("th", *_inside(row[0]), scope="row", lang=language_of(row[0].text)),
            *map(_cell, row[1:]),
        )
        for row in content.rows
    ]
    made = element(
        "table",
        element("caption", content.caption),
        element("thead", head),
        element("tbody", *body),
        class_=class_,
    )
    # A part that scrolls is reached with the keyboard only where it can have the focus.
    return element("div", made, class_="wide", role="region", aria_label=content.caption, tabindex=0)


def _name(cell: Cell) -> Element:
    return element("th", *_inside(cell), scope="row", lang=language_of(cell.text))


def _cell(cell: Cell) -> Element:
    absent = cell.text.startswith(NOT_MEASURED)
    return element("td", *_inside(cell), class_="absent" if absent else None, lang=language_of(cell.text))


def _inside(cell: Cell) -> list[Child]:
    figure_alone = bool(cell.interval) or (len(cell.text) < _ONE_LINE and cell.text[:1].isdigit())
    shown: Child = element("span", cell.text, class_="value") if figure_alone else cell.text
    if cell.target:
        shown = element("a", shown, href=f"#{cell.target}")
    return [shown, " ", element("span", cell.interval, class_="interval")] if cell.interval else [shown]


def figure(drawing: Element | None, caption: str) -> Element | None:
    """A plot with its caption; None without a plot."""
    return None if drawing is None else element("figure", drawing, element("figcaption", caption))


def link(text: str, target: str) -> Element:
    """A link to a place of the page."""
    return element("a", text, href=f"#{target}", lang=language_of(text))
