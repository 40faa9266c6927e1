"""The installed models, a row for each level; where the columns do not fit, they fold under the level."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ophtimus_tui.model_rows import Cells, Judged, Row, cells, heading
from ophtimus_tui.texts import Texts

_GAP = 2
_INDENT = "    "


class _Levels(OptionList):
    """The rows. A click moves the cursor; one on the row under the cursor chooses it."""

    class Resized(Message):
        """The rows have another width."""

    async def _on_click(self, event: events.Click) -> None:
        clicked = event.style.meta.get("option")
        if clicked is not None and clicked != self.highlighted:
            event.prevent_default()
            event.stop()
            if not self.get_option_at_index(clicked).disabled:
                self.highlighted = clicked

    def scroll_to_highlight(self, top: bool = False) -> None:
        """Show the row under the cursor, and above a model's first row what the model is."""
        super().scroll_to_highlight(top)
        at = self.highlighted
        if at and self.get_option_at_index(at - 1).disabled and at in self._index_to_line:
            first, end = self._index_to_line[at - 1], self._index_to_line[at] + self._heights[at]
            if first < self.scroll_offset.y and end - first <= self.size.height:
                self.scroll_to(y=first, animate=False, immediate=True)

    def on_resize(self) -> None:
        """Tell the table, which decides between columns and lines."""
        self.post_message(self.Resized())


class ModelTable(Vertical):
    """Headings and rows; keeps the cursor on its row when what the rows say changes."""

    DEFAULT_CSS = """
    ModelTable { height: 1fr; min-height: 3; }
    ModelTable > #headings { height: auto; padding: 0 1; color: $text-muted; display: none; }
    ModelTable > #headings.columns { display: block; }
    ModelTable > _Levels {
        height: 1fr; border: none; padding: 0 1; scrollbar-gutter: stable; scrollbar-size-vertical: 1;
    }
    ModelTable > _Levels:focus { border: none; background-tint: $foreground 0%; }
    ModelTable > _Levels > .option-list--option-disabled { color: $foreground; text-style: bold; }
    """

    @dataclass
    class Moved(Message):
        """The cursor is on another row, or what it is on was read anew."""

        row: Row

    @dataclass
    class Wanted(Message):
        """A row was chosen."""

        row: Row

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._rows: Sequence[Row] = ()
        self._judged = Judged()
        self._at: list[Row | None] = []  # the row of each option, None for a model's heading
        self._headings = Static("", id="headings", markup=False)
        self._levels = _Levels(markup=False)
        self._width = 0

    @property
    def row(self) -> Row | None:
        """The row that the cursor is on."""
        at = self._levels.highlighted
        return self._at[at] if at is not None and at < len(self._at) else None

    def compose(self) -> ComposeResult:
        """Headings over rows."""
        yield self._headings
        yield self._levels

    def focus_rows(self) -> None:
        """Give the rows the keys."""
        self._levels.focus()

    def show(self, rows: Sequence[Row], judged: Judged, cursor: tuple[str, str] | None = None) -> None:
        """Show rows.

        Args:
            cursor: the key of the row to put the cursor on; None to leave it where it is.
        """
        kept = cursor or (self.row.key if self.row else None)
        self._rows, self._judged = rows, judged
        self._fill(kept)

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        self.show(self._rows, self._judged)

    @on(_Levels.Resized)
    def _fit(self, event: _Levels.Resized) -> None:
        event.stop()
        if self._levels.scrollable_content_region.width != self._width:
            self._fill(self.row.key if self.row else None)

    @on(OptionList.OptionHighlighted)
    def _tell_moved(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if self.row is not None:
            self.post_message(self.Moved(self.row))

    @on(OptionList.OptionSelected)
    def _tell_wanted(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if row := self._at[event.option_index]:
            self.post_message(self.Wanted(row))

    def _fill(self, cursor: tuple[str, str] | None) -> None:
        texts, self._width = self._texts, self._levels.scrollable_content_region.width
        names = Cells(
            "  " + texts("models.col_level"), texts("models.col_file"), texts("models.col_quality"),
            texts("models.col_speed"), texts("models.col_memory"), texts("models.col_here"),
        )  # fmt: skip
        said = {row.key: cells(texts, row, self._judged) for row in self._rows}
        table = [names, *(said[row.key] for row in self._rows if row.level is not None)]
        widths = [max(cell_len(one[at]) for one in table) for at in range(len(names))]
        columns = sum(widths) + _GAP * (len(widths) - 1) <= self._width
        self._headings.set_class(columns, "columns")
        self._headings.update(_in_columns(names, widths))
        options: list[Option] = []
        self._at = []
        for _, of_model in groupby(self._rows, key=lambda row: (row.name, row.left is not None)):
            alike = list(of_model)
            options.append(Option(Content(heading(texts, alike[0])), disabled=True))
            self._at.append(None)
            for row in alike:
                one = said[row.key]
                if row.level is None:
                    text = "  ".join(cell for cell in one if cell)
                else:
                    text = _in_columns(one, widths) if columns else _folded(one, names, self._width)
                options.append(Option(Content(text)))
                self._at.append(row)
        self._levels.set_options(options)
        places = [at for at, row in enumerate(self._at) if row is not None]
        keys = [row.key if row else None for row in self._at]
        known = cursor is not None and cursor in keys  # a heading's key is None too
        self._levels.highlighted = keys.index(cursor) if known else min(places, default=None)


def _in_columns(one: Cells, widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(one, widths, strict=True)]
    return (" " * _GAP).join(padded).rstrip()


def _folded(one: Cells, names: Cells, width: int) -> str:
    """The level, its size and how it does here; under it the other cells with their names, as they fit."""
    rest = [f"{name} {cell}" for name, cell in zip(names[2:5], one[2:5], strict=True) if cell]
    lines = [one.level]
    for part in (one.file, one.here):
        _put(lines, part, width)
    lines.append(_INDENT + rest[0])
    for part in rest[1:]:
        _put(lines, part, width)
    return "\n".join(lines)


def _put(lines: list[str], part: str, width: int) -> None:
    """Put a part behind the last line, or on one of its own."""
    joined = f"{lines[-1]} · {part}"
    if cell_len(joined) <= width:
        lines[-1] = joined
    else:
        lines.append(_INDENT + part)
