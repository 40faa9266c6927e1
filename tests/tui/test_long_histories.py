"""A history that takes its time, or holds very much, keeps nobody from typing."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from kept_talks import by_name, open_talk, put_path, with_talks
from piloting import shown, until
from textual.pilot import Pilot

from ophtimus_edge.history.keeping import Forgetting, Head, Hit
from ophtimus_edge.history.talk import Talk, new_talk
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.find import FindScreen
from ophtimus_tui.screens.save_file import SaveFileScreen
from ophtimus_tui.widgets.talk_list import TalkList

pytestmark = pytest.mark.usefixtures("no_places")


class Slow(Forgetting):
    """A history on a slow disk: a test lets it go on, and sees in which threads it was asked.

    Attributes:
        asked: what it was asked, and whether on the thread that draws.
    """

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.may.set()
        self.asked: list[tuple[str, bool]] = []

    def _wait(self, what: str) -> None:
        drawing = threading.current_thread() is threading.main_thread()
        self.asked.append((what, drawing))
        if not drawing:
            self.may.wait(30)

    def heads(self) -> list[Head]:
        self._wait("heads")
        return super().heads()

    def open(self, talk_id: str) -> Talk:
        self._wait("open")
        return super().open(talk_id)

    def talks(self) -> list[Talk]:
        self._wait("talks")
        return super().talks()

    def delete(self, talk_ids: Sequence[str]) -> None:
        self._wait("delete")
        super().delete(talk_ids)

    def search(self, words: str, most: int = 50) -> list[Hit]:
        self._wait("search")
        return super().search(words, most)


def waits(history: Slow, what: str) -> bool:
    return (what, False) in history.asked


async def types_on(app: OphtimusApp, pilot: Pilot[None]) -> None:
    """The screen goes on while the history takes its time."""
    app.chat.box.focus()
    before = len(app.chat.box.text)
    await pilot.press("x", "y")
    await until(lambda: len(app.chat.box.text) == before + 2)


async def test_listing_opening_and_deleting_leave_the_screen_alive() -> None:
    history = Slow()
    app, talks = with_talks(history=history)
    async with app.run_test(size=(120, 32)) as pilot:
        await open_talk(pilot, app, talks[0])
        await until(lambda: "What is myopia?" in shown(app))
        history.may.clear()
        await pilot.press("f2")
        await types_on(app, pilot)
        history.may.set()
        await pilot.press("f2")
        await until(lambda: app.screen.query_one(TalkList).has_focus)
        await pilot.press("f2")
        await by_name(pilot, app, "delete this talk for good")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        history.may.clear()
        await pilot.press("1")
        await until(lambda: waits(history, "delete"))
        await types_on(app, pilot)
        assert len(history._talks) == 3
        history.may.set()
        await until(lambda: len(history._talks) == 2)
    assert not [what for what, drawing in history.asked if drawing]


async def test_searching_and_exporting_leave_the_screen_alive(tmp_path: Path) -> None:
    history = Slow()
    app, talks = with_talks(history=history)
    async with app.run_test(size=(120, 32)) as pilot:
        await open_talk(pilot, app, talks[0])
        await pilot.press("f3")
        await until(lambda: isinstance(app.screen, FindScreen))
        history.may.clear()
        await pilot.press("e", "y", "e")
        await until(lambda: waits(history, "search") or waits(history, "heads"))
        await pilot.press("s")
        await until(lambda: "eyes" in shown(app))
        history.may.set()
        await pilot.press("escape")
        await by_name(pilot, app, "export this talk or all")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("1")
        await until(lambda: "Which talks" in shown(app))
        await pilot.press("2")
        await until(lambda: isinstance(app.screen, SaveFileScreen))
        await put_path(app, tmp_path / "all.md")
        history.may.clear()
        await pilot.press("enter")
        await until(lambda: waits(history, "talks"))
        await until(lambda: "reading the conversations" in shown(app))
        history.may.set()
        await until((tmp_path / "all.md").exists)
    assert not [what for what, drawing in history.asked if drawing]


async def test_a_list_of_thousands_is_drawn_in_parts_and_the_rest_is_one_enter_away() -> None:
    app, _ = with_talks([])
    many = []
    for number in range(20_000):
        talk = new_talk()
        talk.title = f"Talk {number}"
        many.append(talk)
    async with app.run_test(size=(120, 32)) as pilot:
        await until(lambda: app.screen is app.chat and app.chat.history is not None)
        listed = app.screen.query_one(TalkList)
        listed.show(many, many[0])
        drawn = listed.option_count
        assert drawn < 1000
        listed.focus()
        await pilot.press("end")
        await until(lambda: "older ones" in shown(app))
        assert listed.under_cursor is None
        await pilot.press("enter")
        await until(lambda: listed.option_count > drawn)
        assert listed.under_cursor == many[drawn - 2].id  # a heading and the line itself are no talks
        assert listed.option_count < 2000
