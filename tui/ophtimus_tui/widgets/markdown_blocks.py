"""Splits a growing Markdown text into blocks, a line at a time.

Answers are read in a subset of Markdown in which each line says by itself what it is, with the lines
before it as the only context. So a finished line is read once and never again, any split of the same
text gives the same blocks, and nothing is nested: 2,000 quotes in one another are 2,000 visible signs.

Consumed, and shown in another form or as a style:

- the hashes of a heading (``# `` to ``###### `` at the start of a line);
- ``-`` and ``*`` of a list item, shown as ``•``; before a digit, a point or a comma the sign stays as
  written, because ``- 5 D`` may be a minus;
- the fence lines of a code block; what follows the opening fence is shown as the block's first line;
- the pipes, and the whole delimiter row, of a table;
- a line of three or more ``-`` only, shown as a line across;
- the marks inside a line that ``markdown_inline`` names, outside of code.

Everything else stays as it is written: ``>`` (which may be "greater than"), ``+`` (which may be a
lens), ``===``, ``***``, ``___``, numbers of lists, single line breaks, reference definitions, HTML. A line of
text above ``---`` stays text. Blank lines in a row become one, except in code, and
one stands before a heading.
"""

import re
from dataclasses import dataclass
from typing import Literal

_HEADING = re.compile(r" {0,3}(#{1,6}) +(\S.*)", re.DOTALL)
_ITEM = re.compile(r"( *)([-*+]|\d{1,9}[.)])( +)(\S.*)", re.DOTALL)
_FENCE = re.compile(r" *(`{3,}|~{3,})(.*)", re.DOTALL)
_PIPE = re.compile(r"(?<!\\)\|")
_DELIMITER = re.compile(r":?-+:?")

Kind = Literal["text", "heading", "item", "code", "verbatim", "rule", "table"]
Align = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Block:
    """One closed block.

    Attributes:
        kind: What it is. "verbatim" is text in which no mark is read; "code" is one line of a code block.
        text: Its text, without what the kind consumed.
        indent: Blanks before it.
        level: Of a heading, 1 to 6.
        marker: Of an item, as it is shown: "•" or as written.
        gap: Whether a blank line stands before it.
        rows: Of a table: the header's cells, then each row's.
        aligns: Of a table, one for each column of the header.
    """

    kind: Kind
    text: str = ""
    indent: int = 0
    level: int = 0
    marker: str = ""
    gap: bool = False
    rows: tuple[tuple[str, ...], ...] = ()
    aligns: tuple[Align, ...] = ()


class MarkdownBlocks:
    """Text in, closed blocks out; what is not closed yet can be seen in ``tail``."""

    def __init__(self, *, raw: bool = False) -> None:
        """Begin; with ``raw`` each line is a verbatim block."""
        self._raw = raw
        self._partial = ""
        self._held: list[str] = []  # a line that may begin a table, or a table so far
        self._table = False
        self._fence = ""  # the opening fence of the code block that is open
        self._list_column: int | None = None  # where the text of the last list item began
        self._gap = False
        self._begun = False

    @property
    def tail(self) -> list[str]:
        """The lines that belong to no closed block yet, as they were written."""
        lines = [*self._held, self._partial] if self._partial.strip() else list(self._held)
        return ["", *lines] if lines and self._gap and self._begun else lines

    def feed(self, text: str) -> list[Block]:
        """The blocks that this text closes."""
        lines = (self._partial + text).split("\n")
        self._partial = lines.pop()
        blocks: list[Block] = []
        for line in lines:
            self._line(line, blocks)
        return blocks

    def close(self) -> list[Block]:
        """The blocks that the end of the text closes."""
        blocks: list[Block] = []
        if self._partial:
            line, self._partial = self._partial, ""
            self._line(line, blocks)
        self._release(blocks)
        return blocks

    def _line(self, line: str, blocks: list[Block]) -> None:
        if self._raw:
            blocks.append(Block("verbatim", line))
        elif self._fence:
            self._code_line(line, blocks)
        elif self._held:
            self._after_held(line, blocks)
        else:
            self._fresh_line(line, blocks)

    def _put(self, blocks: list[Block], block: Block) -> None:
        blocks.append(block)
        self._gap, self._begun = False, True

    @property
    def _apart(self) -> bool:
        return self._gap and self._begun

    def _code_line(self, line: str, blocks: list[Block]) -> None:
        close = line.strip()
        if len(close) >= len(self._fence) and not close.strip(self._fence[0]):
            self._fence = ""
        else:
            self._put(blocks, Block("code", line, gap=self._apart))

    def _after_held(self, line: str, blocks: list[Block]) -> None:
        if self._table:
            if _PIPE.search(line):
                self._held.append(line)
                return
        elif len(self._held) == 1 and _PIPE.search(line):
            aligns = _alignments(line)
            if aligns and len(aligns) == len(cells_of(self._held[0])):
                self._held.append(line)
                self._table = True
                return
        self._release(blocks)
        self._fresh_line(line, blocks)

    def _release(self, blocks: list[Block]) -> None:
        """Close what was held: a table, or a line that turned out to begin none."""
        held, table = self._held, self._table
        self._held, self._table = [], False
        if table:
            rows = tuple(tuple(cells_of(line)) for line in (held[0], *held[2:]))
            self._put(blocks, Block("table", gap=self._apart, rows=rows, aligns=_alignments(held[1])))
            self._list_column = None
        elif held:
            self._put(blocks, self._one_line(held[0]))

    def _fresh_line(self, line: str, blocks: list[Block]) -> None:
        bare = line.strip()
        if not bare:
            self._gap = True
            return
        fence = _FENCE.fullmatch(line)
        if fence and "`" not in fence[2] and not self._is_verbatim(line):
            self._fence = fence[1]
            if fence[2].strip():
                self._put(blocks, Block("code", fence[2].strip(), gap=self._apart))
        elif _PIPE.search(line) and not self._is_verbatim(line):
            self._held = [line]
        else:
            self._put(blocks, self._one_line(line))

    def _is_verbatim(self, line: str) -> bool:
        """Whether a line is indented so far that Markdown takes it for code."""
        indent = len(line) - len(line.lstrip(" "))
        return indent >= 4 and (self._list_column is None or indent >= self._list_column + 4)

    def _one_line(self, line: str) -> Block:
        gap = self._apart
        indent = len(line) - len(line.lstrip(" "))
        item = _ITEM.fullmatch(line)
        if self._is_verbatim(line) and not (item and self._list_column is not None):
            return Block("verbatim", line, gap=gap)
        solid = line.replace(" ", "")
        if len(solid) >= 3 and not solid.strip("-"):
            return Block("rule", gap=gap)
        if not solid.strip("*"):
            item = None  # stars only: a line across, or a mark of significance; it stays
        heading = _HEADING.fullmatch(line)
        if heading:
            self._list_column = None
            return Block("heading", heading[2].rstrip(), level=len(heading[1]), gap=self._begun)
        if item:
            self._list_column = len(item[1]) + len(item[2]) + min(4, len(item[3]))
            signed = item[4][0].isdigit() or item[4][0] in ".,"
            marker = "•" if item[2] in "-*" and not signed else item[2]
            return Block("item", item[4].rstrip(), indent, marker=marker, gap=gap)
        if indent < 2:
            self._list_column = None
        return Block("text", line.strip(), indent, gap=gap)


def cells_of(line: str) -> list[str]:
    """The cells of a table's row; outer pipes make none, and a pipe behind a backslash separates none."""
    parts = _PIPE.split(line.strip())
    if len(parts) > 1 and not parts[0]:
        del parts[0]
    if len(parts) > 1 and not parts[-1]:
        del parts[-1]
    return [part.strip() for part in parts]


def _alignments(line: str) -> tuple[Align, ...]:
    """The alignments that a delimiter row names; empty when it is none."""
    aligns: list[Align] = []
    for cell in cells_of(line):
        if not _DELIMITER.fullmatch(cell):
            return ()
        aligns.append(
            "center"
            if cell[0] == cell[-1] == ":" and len(cell) > 1
            else "right"
            if cell[-1] == ":"
            else "left"
        )
    return tuple(aligns)
