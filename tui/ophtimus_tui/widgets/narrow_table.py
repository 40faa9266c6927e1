"""A table as lines: in columns where it fits, and a line for each cell where it does not.

No cell is ever cut. A dose hidden behind an ellipsis is worse than a long list.
"""

from collections.abc import Sequence

from rich.cells import cell_len

from ophtimus_tui.widgets.markdown_blocks import Align, Block
from ophtimus_tui.widgets.markdown_inline import Run, Styled, read_inline

_BETWEEN = " │ "
_CROSS = "─┼─"
_MOST_REPEATED = 100_000  # characters of column names; a table beyond is no text to be read


def table_lines(table: Block, width: int) -> list[tuple[Styled, int]]:
    """The lines of a table at a width in cells, each with the cells by which its wrapped rest is indented.

    A row with more cells than the header keeps them: they form columns without a name.
    """
    columns = max(len(row) for row in table.rows)
    rows = [[read_inline(cell) for cell in row] for row in table.rows]
    heads = [cell.under("key") for cell in rows[0]]
    rows[0] = heads
    if width >= len(_BETWEEN) * (columns - 1) + columns:  # else no need to measure
        widths = [0] * columns
        for row in rows:
            for column, cell in enumerate(row):
                widths[column] = max(widths[column], cell_len(cell.text))
        if sum(widths) + len(_BETWEEN) * (columns - 1) <= width:
            return _in_columns(rows, widths, table.aligns)
    return _by_cells(heads, rows[1:])


def _in_columns(
    rows: Sequence[Sequence[Styled]], widths: Sequence[int], aligns: Sequence[Align]
) -> list[tuple[Styled, int]]:
    lines = []
    nothing = Styled("", [])
    for row in rows:
        cells = [*row, *[nothing] * (len(widths) - len(row))]
        line = nothing
        for column, cell in enumerate(cells):
            spare = widths[column] - cell_len(cell.text)
            align = aligns[column] if column < len(aligns) else "left"
            left = {"left": 0, "center": spare // 2, "right": spare}[align]
            before = line.text + (_BETWEEN if column else "") + " " * left
            moved = cell.moved(before)
            line = Styled(moved.text + " " * (spare - left), [*line.runs, *moved.runs])
        lines.append((Styled(line.text.rstrip(" "), line.runs), 0))
    across = _CROSS.join("─" * width for width in widths)
    lines.insert(1, (Styled(across, []).under("faint"), 0))
    return lines


def _by_cells(heads: Sequence[Styled], rows: Sequence[Sequence[Styled]]) -> list[tuple[Styled, int]]:
    if not rows:
        return [(head, 0) for head in heads]
    if sum(len(head.text) for head in heads) * len(rows) > _MOST_REPEATED:
        return [(_joined(row), 2) for row in (heads, *rows)]
    lines: list[tuple[Styled, int]] = []
    for number, row in enumerate(rows):
        if number:
            lines.append((Styled("", []), 0))
        for column, cell in enumerate(row):
            head = heads[column] if column < len(heads) else Styled("", [])
            if head.text:
                moved = cell.moved(f"{head.text}: ")
                lines.append((Styled(moved.text.rstrip(" "), [*head.runs, *moved.runs]), 2))
            elif cell.text:
                lines.append((cell, 2))
    return lines


def _joined(row: Sequence[Styled]) -> Styled:
    """The cells of a row one behind the other."""
    texts: list[str] = []
    runs: list[Run] = []
    far = 0
    for cell in row:
        runs += [Run(start + far, end + far, names) for start, end, names in cell.runs]
        texts.append(cell.text)
        far += len(cell.text) + len(_BETWEEN)
    return Styled(_BETWEEN.join(texts), runs)
