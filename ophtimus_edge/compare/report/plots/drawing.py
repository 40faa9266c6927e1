"""What all plots are drawn from: the picture with its text alternative, lines, words, and a mark for each level."""

import math
import unicodedata

from ophtimus_edge.compare.report.elements import Element, element, language_of

FONT = 13.0  # the size of words, in the drawing's units; the page's style says so too
_LONGEST = 30
_MARKS = 8


def picture(
    name: str, width: float, height: float, title: str, words: str, *parts: Element | None
) -> Element:
    """A drawing that is read out as ``words``.

    Args:
        name: of the drawing, for the ids of its title and text; unlike any other in the page.
    """
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", words, id=f"{name}-words"),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-words",
        class_="plot",
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def words(x: float, y: float, text: str, anchor: str = "start", class_: str | None = None) -> Element:
    """Words on one line; ``y`` is their base line."""
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=class_, lang=language_of(text))


def upright(x: float, y: float, text: str) -> Element:
    """Words that are read from below, around their middle."""
    return element(
        "text", text, x=x, y=y, text_anchor="middle", class_="axis-name", transform=f"rotate(-90 {x:g} {y:g})"
    )


def width_of(text: str) -> float:
    """About how wide words are drawn; rather too wide than cut."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return FONT * (wide * 1.0 + (len(text) - wide) * 0.6)


def short(text: str) -> str:
    """A name that fits beside a plot; the tables have it whole."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def mark(place: int, x: float, y: float, size: float = 6.0) -> Element:
    """The mark of a level by its place in the report: it has the same shape and colour in every plot."""
    kind = 0 if place == 0 else (place - 1) % (_MARKS - 1) + 1
    class_ = f"mark s{kind}"
    if kind == 0:
        return element("circle", cx=x, cy=y, r=size * 0.9, class_=class_)
    if kind == 1:
        return element("circle", cx=x, cy=y, r=size, class_=class_)
    if kind == 2:
        return element(
            "rect", x=x - size * 0.9, y=y - size * 0.9, width=size * 1.8, height=size * 1.8, class_=class_
        )
    corners = {
        3: _polygon(3, -90), 4: _polygon(4, -90), 5: _polygon(3, 90), 6: _cross(), 7: _star(),
    }[kind]  # fmt: skip
    points = " ".join(f"{x + size * 1.25 * one:.2f},{y + size * 1.25 * two:.2f}" for one, two in corners)
    return element("polygon", points=points, class_=class_)


def _polygon(corners: int, turned: float, reach: float = 1.0) -> list[tuple[float, float]]:
    angles = [math.radians(turned + 360 * corner / corners) for corner in range(corners)]
    return [(reach * math.cos(angle), reach * math.sin(angle)) for angle in angles]


def _cross() -> list[tuple[float, float]]:
    arm = 0.34
    quarter = [(arm, -arm), (arm, -1.0), (-arm, -1.0)]
    turned = []
    for _ in range(4):
        turned += quarter
        quarter = [(y, -x) for x, y in quarter]
    return turned


def _star() -> list[tuple[float, float]]:
    outer, inner = _polygon(5, -90), _polygon(5, -54, 0.45)
    return [corner for both in zip(outer, inner, strict=True) for corner in both]
