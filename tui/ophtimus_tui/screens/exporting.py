"""Talks written out: in which format, this one or all, and where; and a handout of one answer."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import App

from ophtimus_edge.history import export, handout
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.saving import save
from ophtimus_edge.history.talk import Question, Reply, Talk, now
from ophtimus_tui import local_pages
from ophtimus_tui.file_names import file_name
from ophtimus_tui.model_rows import line
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.handout import HandoutScreen
from ophtimus_tui.screens.save_file import SaveFileScreen, Show
from ophtimus_tui.texts import Texts

# The functions wait for a person: they have to be called from a worker.


async def export_talks(app: App[Any], texts: Texts, history: History, talk: Talk | None) -> None:
    """Ask what is written in which format, write it, and say where it is.

    Args:
        talk: this talk; None where there is none to export by itself.
    """
    kind = await app.push_screen_wait(
        ChooseScreen(
            partial(texts, "export.format"),
            {name: partial(texts, f"export.format_{name}") for name in export.FORMATS},
        )
    )
    if kind is None:
        return
    scopes: dict[str, Callable[[], str]] = {"all": partial(texts, "export.all")}
    if talk is not None:
        title = line(talk.title) or texts("history.untitled")
        scopes = {"this": lambda: texts("export.this", title=title), **scopes}
    scope = await app.push_screen_wait(ChooseScreen(partial(texts, "export.scope"), scopes))
    if scope is None:
        return
    language, at = texts.language, now()
    one = talk if scope == "this" else None

    def write(path: Path, replace: bool, show: Show) -> None:
        show("reading the conversations", 0, 0)
        talks = [one] if one else history.talks()
        show("writing the file", 0, 0)
        save(path, export.render(talks, kind, language, at), replace)

    name = one.title if one else texts("export.file_all")
    path = await app.push_screen_wait(
        SaveFileScreen(
            texts,
            partial(texts, "export.save_title"),
            file_name(name, (one.begun_at if one else at).date(), kind),
            write,
            partial(texts, "save.writing"),
        )
    )
    if path is not None:
        await _written(app, texts, path, opens=kind == "html")


async def hand_out(app: App[Any], texts: Texts, talk: Talk, question: Question, reply: Reply) -> None:
    """Have a copy of an answer corrected and signed, and write it as a page; refused with its reason."""
    if why := handout.refusal(reply):
        app.notify(texts(f"handout.refused_{why}"), severity="warning", markup=False)
        return
    path = await app.push_screen_wait(HandoutScreen(texts, handout.draft_of(talk, reply)))
    if path is not None:
        await _written(app, texts, path, opens=True)


async def _written(app: App[Any], texts: Texts, path: Path, *, opens: bool) -> None:
    """Say where the file is, and open a page in the browser if that is wanted."""
    where = line(str(path))
    if not opens or not local_pages.can_be_opened():
        app.notify(texts("save.done", path=where), markup=False, timeout=20)
        return
    wanted = await app.push_screen_wait(
        ConfirmScreen(
            lambda: texts("save.done_open", path=where),
            partial(texts, "save.open"),
            partial(texts, "save.open_not"),
        )
    )
    if wanted and not await asyncio.to_thread(local_pages.open_page, path):
        app.notify(texts("save.no_browser", path=where), severity="warning", markup=False)
