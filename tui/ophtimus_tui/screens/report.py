"""The report of a comparison: its verdict and its table of levels; the page itself opens in a browser."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Static

from ophtimus_edge.compare.report.files import read_report
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models.report import Report
from ophtimus_tui import local_pages
from ophtimus_tui.error_texts import said
from ophtimus_tui.model_rows import line
from ophtimus_tui.report_words import page
from ophtimus_tui.screens.pick import PickScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.answer import Answer
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.place_tree import PlaceTree, reports


class OpenReportScreen(PickScreen[tuple[Path, Report]]):
    """Dismissed with a report that was read, or with None; one that cannot be read is said and asked for again."""

    def __init__(self, texts: Texts) -> None:
        self._problem: OphtimusError | None = None
        self._said = Static("", id="said", markup=False)
        super().__init__(
            texts,
            reports,
            self._said,
            title="comparison.open_title",
            placeholder="comparison.open_placeholder",
            nothing="comparison.tree_empty",
            take=("quiz.key_open", "screen.open"),
        )

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        super().relabel()
        self._said.update(said(self._problem, self._texts) if self._problem else "")
        self._said.display = self._problem is not None

    @on(Input.Submitted)
    def action_open(self) -> None:
        """Read what the box names."""
        if self._box.value.strip():
            self._open(self._box.path)

    @on(PlaceTree.Picked)
    def _open_pick(self, picked: PlaceTree.Picked) -> None:
        self._box.take(picked.path)
        self._open(picked.path)

    @work(exclusive=True)
    async def _open(self, path: Path) -> None:
        path = path / "report.json" if await asyncio.to_thread(_is_folder, path) else path
        try:
            report = await asyncio.to_thread(read_report, path)
        except OphtimusError as error:
            self._problem = error
            self.relabel()
        else:
            self.dismiss((path, report))


class ReportScreen(Screen[bool]):
    """A report. Dismissed with whether another one is wanted.

    Args:
        path: of the ``report.json``; ``report.html`` lies beside it.
    """

    DEFAULT_CSS = """
    ReportScreen { background: $background; color: $text; }
    ReportScreen > .line { height: auto; padding: 0 1; }
    ReportScreen > #title { background: $panel; text-style: bold; }
    ReportScreen > VerticalScroll { height: 1fr; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("enter,f5", "browse", show=False),
        Binding("f2", "another", show=False),
    ]

    def __init__(self, texts: Texts, path: Path, report: Report) -> None:
        super().__init__()
        self._texts, self._path, self._report = texts, path, report
        self._said_key = ""
        self._title = Static("", id="title", classes="line", markup=False)
        self._answer = Answer()
        self._scroll = VerticalScroll(self._answer)
        self._said = Static("", classes="line", markup=False)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """Title, page, what came of a key, keys."""
        yield from (self._title, self._scroll, self._said, self._keys)

    def on_mount(self) -> None:
        """Write it; the arrows scroll."""
        self.relabel()
        self._scroll.focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._title.update(texts("comparison.title", path=line(str(self._path))))
        self._answer.replace(page(texts, self._report))
        self._answer.finish()
        self._said.update(texts(self._said_key, path=line(str(self._html))) if self._said_key else "")
        self._said.display = bool(self._said_key)
        self._keys.show(
            [
                (texts("comparison.key_browse"), "screen.browse"),
                (texts("comparison.key_another"), "screen.another"),
                (texts("blind.key_scroll"), ""), (texts("blind.key_back"), "screen.leave"),
            ]
        )  # fmt: skip

    @property
    def _html(self) -> Path:
        return self._path.with_name("report.html")

    @work(exclusive=True)
    async def action_browse(self) -> None:
        """Open the page in the browser of this computer; where that cannot be, say where it lies."""
        if not await asyncio.to_thread(self._html.is_file):
            self._said_key = "comparison.no_page"
        elif not local_pages.can_be_opened():
            self._said_key = "comparison.page_is"
        elif not await asyncio.to_thread(local_pages.open_page, self._html):
            self._said_key = "save.no_browser"
        else:
            self._said_key = "comparison.opened"
        self.relabel()

    def action_another(self) -> None:
        """Choose another report."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(False)


async def open_report(app: App[Any], texts: Texts) -> None:
    """Ask for a report and show it, until no other one is wanted; has to be called from a worker."""
    wanted: bool | None = True
    while wanted:
        opened = await app.push_screen_wait(OpenReportScreen(texts))
        if opened is None:
            return
        wanted = await app.push_screen_wait(ReportScreen(texts, *opened))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
