"""An answer with the passages marked that differ; not a letter of it is left out or changed."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from ophtimus_edge.compare.report.elements import Element, add, element, language_of
from ophtimus_edge.compare.report.view import left_out
from ophtimus_edge.models.report import CriticalDifference, MarkedPassage

Side = Literal["reference", "answer"]


class Piece(NamedTuple):
    """A part of an answer.

    Attributes:
        kinds: of the differences that it belongs to, in their order; empty for a part that does not differ.
        numbers: of the differences whose passage ends with this part, from 1.
    """

    text: str
    kinds: tuple[str, ...]
    numbers: tuple[int, ...]


def pieces(text: str, differences: Sequence[CriticalDifference], side: Side) -> list[Piece]:
    """An answer in pieces, which together are the whole of it; passages may overlap."""
    found = [
        (number, difference.kind, passage)
        for number, difference in enumerate(differences, 1)
        for passage in passages(difference, side)
        if is_there(text, passage)
    ]
    edges = sorted({0, len(text), *(edge for _, _, one in found for edge in (one.start, one.end))})
    made = []
    for start, end in pairwise(edges):
        here = [(number, kind) for number, kind, one in found if one.start <= start and end <= one.end]
        last = {number for number, _, one in found if one.end == end and one.start <= start}
        kinds = tuple(dict.fromkeys(kind for _, kind in here))
        made.append(Piece(text[start:end], kinds, tuple(sorted(last))))
    return made


def passages(difference: CriticalDifference, side: Side) -> list[MarkedPassage]:
    """What differs on one side."""
    return difference.reference if side == "reference" else difference.answer


def is_there(text: str, passage: MarkedPassage) -> bool:
    """Whether a passage stands in an answer where it is said to."""
    return 0 <= passage.start < passage.end and text[passage.start : passage.end] == passage.text


def words(text: str, differences: Sequence[CriticalDifference] = (), side: Side = "answer") -> list[Element]:
    """What somebody wrote, to the letter, its differences marked; and what could not be shown of it.

    A mark's number is drawn by the page's style, so that the text itself stays as it was.
    """
    # The first line end inside <pre> is dropped by every reader of HTML, so one of our own stands there.
    written = element("pre", "\n", class_="words", lang=language_of(text), dir="auto")
    for piece in pieces(text, differences, side):
        if piece.kinds:
            numbers = ", ".join(map(str, piece.numbers))
            class_ = " ".join(["difference", *(f"is-{kind}" for kind in piece.kinds)])
            add(written, element("mark", piece.text, class_=class_, data_n=numbers or None))
        else:
            add(written, piece.text)
    lost = left_out(text)
    if not lost:
        return [written]
    note = f"{lost:,} control character{'s' if lost > 1 else ''} in this text cannot be shown."
    return [written, element("p", note, class_="small")]
