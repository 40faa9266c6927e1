"""Blocks as lines, and lines as the rows of a page of a certain width.

A *line* is what stands between two line breaks; a *row* is the part of a line that fits the width. Rows
of closed blocks are made once; of the open tail only the last row is made again when text arrives.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

from ophtimus_tui.widgets.markdown_blocks import Block
from ophtimus_tui.widgets.markdown_inline import Run, Styled, read_inline
from ophtimus_tui.widgets.narrow_table import table_lines

_WORD = re.compile("[^ \u3000]+[ \u3000]*|[ \u3000]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is shown.

    Attributes:
        text: Its characters.
        runs: Its styled stretches.
        hang: Cells by which its second and later rows are indented.
        lead: Characters at its start (a list's sign) that are never left alone on a row.
        fill: The style that its rows have up to the full width, or nothing.
    """

    text: str
    runs: list[Run] = field(default_factory=list)
    hang: int = 0
    lead: int = 0
    fill: str = ""


class Row(NamedTuple):
    """The characters ``start`` to ``end`` of the line with this number."""

    line: int
    start: int
    end: int


def lines_of(block: Block, width: int) -> list[Line]:
    """A closed block as lines for a page of so many cells."""
    lines = [Line("")] if block.gap else []
    indent = " " * min(block.indent, width // 2)
    if block.kind == "table":
        lines += [Line(styled.text, styled.runs, hang) for styled, hang in table_lines(block, width)]
    elif block.kind == "heading":
        name = "title" if block.level <= 2 else "heading"
        lines.append(Line(*read_inline(block.text).under(name)))
    elif block.kind == "item":
        lead = f"{indent}{block.marker} "
        styled = read_inline(block.text).moved(lead)
        mark = Run(len(indent), len(lead) - 1, ("marker",))
        lines.append(Line(styled.text, [mark, *styled.runs], min(cell_len(lead), width // 2), len(lead)))
    elif block.kind == "text":
        lines.append(Line(*read_inline(block.text).moved(indent), len(indent), len(indent)))
    elif block.kind == "code":
        lines.append(Line(*Styled(block.text, []).under("code"), fill="code"))
    elif block.kind == "rule":
        lines.append(Line(*Styled("─" * width, []).under("faint")))
    else:
        lines.append(Line(block.text))
    return lines


def wrap(line: Line, width: int, start: int = 0) -> list[int]:
    """Where the rows of a line begin, from a row that is known to begin at ``start``.

    Words move whole to the next row; a word that no row holds is folded between its characters. The
    beginning of a row depends on nothing that stands after it, so a line that grew is wrapped again from
    its last row only.

    Args:
        line: The line.
        width: Cells of the page.
        start: A character at which a row begins.
    """
    text = line.text
    starts = [start]
    room = max(2, width - (line.hang if start else 0))
    at, used = start, 0
    if not start and line.lead:
        at, used = line.lead, cell_len(text[: line.lead])
    alone = True  # no word is on this row yet
    for match in _WORD.finditer(text, at):
        word = match[0].rstrip(" \u3000")
        cells, blanks = cell_len(word), cell_len(match[0][len(word) :])
        if used + cells > room and not alone:
            starts.append(match.start())
            room, used = max(2, width - line.hang), 0
        if used + cells > room:
            for begin, _, size in split_graphemes(word)[0]:
                if used + size > room and (used or begin):
                    starts.append(match.start() + begin)
                    room, used = max(2, width - line.hang), 0
                used += size
        else:
            used += cells
        used += blanks
        alone = False
    return starts


class Page:
    """The lines and rows of a text at one width; the closed part first, then the open tail."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[Line] = []
        self.rows: list[Row] = []
        self._closed = (0, 0)
        self._tail: list[str] = []

    def close(self, blocks: Iterable[Block]) -> int:
        """Take the tail away and put closed blocks in its place; the number of the first row that changed."""
        lines, rows = self._closed
        del self.lines[lines:]
        del self.rows[rows:]
        self._tail = []
        for block in blocks:
            for line in lines_of(block, self.width):
                self._append(line)
        self._closed = (len(self.lines), len(self.rows))
        return rows

    def open(self, tail: list[str]) -> int:
        """Show what is not closed yet, as it is written; the number of the first row that changed."""
        same = len(self._tail) - 1
        if same >= 0 and same < len(tail) and tail[:same] == self._tail[:same]:
            grown = tail[same].startswith(self._tail[same])
        else:
            grown = False
        if not grown:
            lines, first = self._closed
            del self.lines[lines:]
            del self.rows[first:]
            for text in tail:
                self._append(Line(text))
        else:
            first = self._grow(tail[same])
            for text in tail[same + 1 :]:
                self._append(Line(text))
        self._tail = list(tail)
        return first

    def _append(self, line: Line) -> None:
        self.lines.append(line)
        self._wrap(line, 0)

    def _grow(self, text: str) -> int:
        """Replace the last line by a longer one that begins with it."""
        line = self.lines[-1] = Line(text)
        first = len(self.rows) - 1
        self._wrap(line, self.rows.pop().start)
        return first

    def _wrap(self, line: Line, start: int) -> None:
        number = len(self.lines) - 1
        starts = wrap(line, self.width, start)
        self.rows += [
            Row(number, begin, end) for begin, end in zip(starts, [*starts[1:], len(line.text)], strict=True)
        ]
