"""Talks deleted for good, named, pinned and held: by name in the palette, and with keys in the list."""

from pathlib import Path

import pytest
from histories import opened, plain_bytes
from kept_talks import TEXTS, by_name, hold_an_answer, notes, open_talk, with_history, with_talks
from piloting import click, shown, stands, until
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Talk
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.chat import ChatScreen
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.name_talk import NameTalkScreen
from ophtimus_tui.widgets.talk_list import TalkList


async def in_list(pilot: Pilot[None], app: OphtimusApp, talk: Talk) -> None:
    """Put the cursor of the list on a talk."""
    await until(lambda: app.screen is app.chat)
    await pilot.press("f2")
    listed = app.screen.query_one(TalkList)
    await until(lambda: listed.has_focus)
    for _ in range(20):
        if listed.under_cursor == talk.id:
            return
        await pilot.press("down")
    raise AssertionError("the talk is not in the list")


def titles(app: OphtimusApp) -> str:
    """The lines of the list, the headings among them."""
    listed = app.screen.query_one(TalkList)
    return "\n".join(str(listed.get_option_at_index(at).prompt) for at in range(listed.option_count))


async def test_a_talk_is_deleted_after_a_question_and_nothing_of_it_is_left(
    store: Store, folder: Path
) -> None:
    app, talks = with_talks(history=store)
    async with app.run_test(size=(110, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        await by_name(pilot, app, "delete this talk for good")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await stands(app, "What is glaucoma?", "every branch and version: 2")
        await pilot.press("enter")  # the careful answer is under the cursor
        await until(lambda: app.screen is app.chat)
        assert len(store.heads()) == 3
        await by_name(pilot, app, "delete this talk for good")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("1")
        await until(lambda: "deleted for good" in notes(app))
        assert {head.id for head in store.heads()} == {talk.id for talk in talks[1:]}
        assert not app.chat.exchanges
        await until(lambda: "glaucoma" not in titles(app))
    store.close()
    assert b"optic nerve" not in plain_bytes(folder)
    assert b"Near-sightedness" in plain_bytes(folder)


async def test_the_delete_key_on_the_list_deletes_the_talk_under_its_cursor() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(110, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        await in_list(pilot, app, talks[2])
        await until(lambda: "Del delete" in shown(app))  # the line of keys is that of the list
        await pilot.press("delete")
        await until(lambda: isinstance(app.screen, ChooseScreen) and "What is myopia?" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)
        assert len(app.chat.history.heads()) == 3
        await click(app, pilot, "Del delete")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("up", "enter")
        await until(lambda: len(app.chat.history.heads()) == 2)
        assert {head.id for head in app.chat.history.heads()} == {talks[0].id, talks[1].id}
        assert app.chat.open_talk.talk is talks[0]  # the one that is open stays
        await until(lambda: "What is myopia?" not in shown(app))


async def test_a_talk_that_is_being_answered_is_not_deleted() -> None:
    app, _ = with_talks([])
    async with app.run_test(size=(110, 30)) as pilot:
        engine = await hold_an_answer(pilot, app)
        await by_name(pilot, app, "delete this talk for good")
        await until(lambda: "still being written" in notes(app))
        assert len(app.chat.history.heads()) == 1
        engine.may_write.set()
        await until(lambda: not app.chat.serving.unfinished)
        await by_name(pilot, app, "delete this talk for good")
        await until(lambda: isinstance(app.screen, ChooseScreen))


async def test_a_talk_gets_another_title_and_never_none() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(110, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        await by_name(pilot, app, "give this talk another title")
        await until(lambda: isinstance(app.screen, NameTalkScreen))
        app.screen.query_one(Input).value = "  "
        await pilot.press("enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, NameTalkScreen)
        app.screen.query_one(Input).value = "[b]녹내장  상담\x1b"
        await pilot.press("f2")
        await until(lambda: app.screen is app.chat and "[b]녹내장 상담" in shown(app))
        assert talks[0].title == "[b]녹내장 상담"
        await in_list(pilot, app, talks[1])
        await pilot.press("f6")
        await until(lambda: isinstance(app.screen, NameTalkScreen))
        assert app.screen.query_one(Input).value == talks[1].title
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)
        assert talks[1].title == TEXTS[1][0]


async def test_pinned_talks_stand_first_and_held_ones_are_kept_as_held(store: Store) -> None:
    app, talks = with_talks(history=store)
    async with app.run_test(size=(110, 30)) as pilot:
        await in_list(pilot, app, talks[0])
        await pilot.press("insert")
        await until(lambda: store.open(talks[0].id).pinned)
        await until(lambda: "Pinned" in notes(app))
        listed = app.screen.query_one(TalkList)
        await until(lambda: titles(app).startswith("pinned\n"))
        assert listed.get_option_at_index(1).id == talks[0].id
        await until(lambda: listed.under_cursor == talks[0].id)
        await pilot.press("ctrl+k")
        await until(lambda: store.open(talks[0].id).held)
        await until(lambda: "held" in str(listed.get_option_at_index(1).prompt))
        await pilot.press("insert")
        await until(lambda: not store.open(talks[0].id).pinned)
        assert store.open(talks[0].id).held
        await open_talk(pilot, app, talks[1])
        await by_name(pilot, app, "hold this talk")
        await until(lambda: store.open(talks[1].id).held)
        await by_name(pilot, app, "pin this talk")
        await until(lambda: store.open(talks[1].id).pinned)


@pytest.mark.parametrize(
    "command",
    ["delete this talk for good", "give this talk another title", "pin this talk", "hold this talk"],
)
async def test_where_there_is_no_talk_or_it_can_only_be_read_it_is_said(
    command: str, store: Store, folder: Path
) -> None:
    _, talks = with_talks(history=store)
    with opened(folder) as reading:
        app = with_history(reading)
        async with app.run_test(size=(110, 30)) as pilot:
            await open_talk(pilot, app, reading.open(talks[0].id))
            await by_name(pilot, app, command)
            await until(lambda: "can be read and not changed" in notes(app))
            assert app.screen is app.chat
    app = with_history(store)
    async with app.run_test(size=(110, 30)) as pilot:
        await by_name(pilot, app, command)
        await until(lambda: "nothing in this talk yet" in notes(app))
    assert len(store.heads()) == 3


@pytest.mark.parametrize("command", ["find words in all talks", "export this talk or all", "pin this talk"])
async def test_while_the_history_is_not_open_it_is_said(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = with_talks()
    async with app.run_test(size=(110, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        monkeypatch.setattr(ChatScreen, "history", None)
        await by_name(pilot, app, command)
        await until(lambda: "not open yet" in notes(app))
        assert app.screen is app.chat
