"""Flags on answers: said what is amiss, corrected, left out of what the model remembers, taken away."""

from pathlib import Path

import pytest
from histories import opened
from kept_talks import TEXTS, hold_an_answer, notes, open_talk, with_history, with_talks
from piloting import click, shown, stands, until
from scripted_engine import ScriptedEngine, scripted

from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import answered, earlier
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.flag import FlagScreen
from ophtimus_tui.widgets.answer import Answer
from ophtimus_tui.widgets.editor import Editor


def flagging(app: OphtimusApp) -> bool:
    return isinstance(app.screen, FlagScreen)


def struck(app: OphtimusApp, words: str) -> bool:
    """Whether a line is drawn through these words wherever they stand."""
    found = [
        bool(segment.style and segment.style.strike)
        for strip in app.screen._compositor.render_strips()
        for segment in strip
        if words in segment.text
    ]
    return bool(found) and all(found)


@pytest.mark.parametrize("size", [(100, 40), (60, 20)])
@pytest.mark.parametrize(("digit", "kind"), [("1", "wrong"), ("2", "unsafe"), ("3", "incomplete")])
async def test_an_answer_is_flagged_and_corrected(size: tuple[int, int], digit: str, kind: str) -> None:
    app, talks = with_talks()
    async with app.run_test(size=size) as pilot:
        await open_talk(pilot, app, talks[0])
        assert not struck(app, "optic nerve")
        await pilot.press("f7")
        await until(lambda: flagging(app))
        await pilot.press(digit, "tab")
        await until(lambda: app.screen.query_one(Editor).has_focus)
        await pilot.press("[", "b", "]", "1", "enter", "2", "f2")
        await until(lambda: app.screen is app.chat)
        await stands(app, f"✕ Flagged as {kind}", "Correction by a person: [b]1 2")
        reply = talks[0].path()[0].reply
        assert reply
        assert reply.flag
        assert (reply.flag.kind, reply.flag.correction) == (kind, "[b]1\n2")
        app.chat.exchanges[0].query_one(Answer).scroll_visible(
            animate=False
        )  # above it, where the screen is low
        await until(lambda: struck(app, "optic nerve"))
        assert app.chat.exchanges[0].answer == TEXTS[0][1]
        assert answered(talks[0].path()) == []
        assert earlier(talks[0].path(), "tiny", "1") == []


async def test_a_flag_is_kept_on_the_disk_and_taken_away_again(store: Store) -> None:
    app, talks = with_talks(history=store)
    async with app.run_test(size=(100, 40)) as pilot:
        await open_talk(pilot, app, talks[0])
        await pilot.press("f7")
        await until(lambda: flagging(app))
        await pilot.press("2", "enter")
        await until(lambda: app.screen is app.chat and struck(app, "optic nerve"))
        kept = store.open(talks[0].id).path()[0].reply
        assert kept
        assert kept.flag
        assert (kept.flag.kind, kept.flag.correction) == ("unsafe", "")
        await pilot.press("f7")
        await until(lambda: flagging(app) and "take the flag away" in shown(app))
        await pilot.press("4", "enter")
        await until(lambda: app.screen is app.chat and not struck(app, "optic nerve"))
        kept = store.open(talks[0].id).path()[0].reply
        assert kept
        assert kept.flag is None
        await stands(app, "optic nerve", without=["Flagged"])


async def test_the_raw_view_is_struck_too_and_the_source_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    app, talks = with_talks([("Q", "**bold** words")])
    monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
    async with app.run_test(size=(100, 40)) as pilot:
        await open_talk(pilot, app, talks[0])
        await pilot.press("f7")
        await until(lambda: flagging(app))
        await pilot.press("enter")
        await until(lambda: app.screen is app.chat and struck(app, "bold"))
        await pilot.press("ctrl+r")
        await until(lambda: struck(app, "**bold** words"))
        await pilot.press("up", "ctrl+c")
        await until(lambda: copied == ["**bold** words"])


async def test_what_was_written_is_asked_about_before_it_is_left() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(100, 40)) as pilot:
        await open_talk(pilot, app, talks[0])
        await pilot.press("f7")
        await until(lambda: flagging(app))
        await pilot.press("escape")  # nothing was written: nothing to ask
        await until(lambda: app.screen is app.chat)
        await pilot.press("f7")
        await until(lambda: flagging(app))
        await pilot.press("tab", "a", "escape")
        await until(lambda: "not kept yet" in shown(app))
        await pilot.press("escape")
        await until(lambda: flagging(app) and app.screen.query_one(Editor).text == "a")
        await pilot.press("escape")
        await until(lambda: "not kept yet" in shown(app))
        await pilot.press("1")
        await until(lambda: app.screen is app.chat)
        assert "Flagged" not in shown(app)


async def test_an_answer_that_is_being_written_is_flagged_after_its_end() -> None:
    app, _ = with_talks([])
    async with app.run_test(size=(100, 40)) as pilot:
        engine = await hold_an_answer(pilot, app)
        await pilot.press("f7")
        await until(lambda: "still being written" in notes(app))
        assert app.screen is app.chat
        engine.may_write.set()
        await until(lambda: app.chat.exchanges[0].answer == "An answer." and not app.chat.serving.unfinished)
        await pilot.press("f7")
        await until(lambda: flagging(app))


async def test_a_flagged_answer_is_not_told_to_the_model_again() -> None:
    app, talks = with_talks()
    told: list[list[str]] = []

    class Listening(ScriptedEngine):
        async def render(self, turns):  # type: ignore[no-untyped-def]
            told.append([str(turn) for turn in turns])
            return await super().render(turns)

    scripted(app, Listening())
    async with app.run_test(size=(100, 40)) as pilot:
        await open_talk(pilot, app, talks[0])
        await pilot.press("f7")
        await until(lambda: flagging(app))
        await pilot.press("enter")
        await until(lambda: app.screen is app.chat and struck(app, "optic nerve"))
        app.chat.box.text = "And then?"
        app.chat.box.focus()
        await pilot.press("enter")
        await until(lambda: len(app.chat.exchanges) == 2 and bool(app.chat.exchanges[1].answer))
        assert not any("optic nerve" in turn for turns in told for turn in turns)


async def test_the_mouse_flags_too() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(110, 40)) as pilot:
        await open_talk(pilot, app, talks[0])
        await click(app, pilot, "F7 flag")
        await until(lambda: flagging(app))
        await click(app, pilot, "unsafe:")
        await click(app, pilot, "F2 keeps it")
        await until(lambda: "Flagged as unsafe" in shown(app))


async def test_where_there_is_no_answer_it_is_said() -> None:
    app, _ = with_talks([])
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f7")
        await until(lambda: "no answer here yet" in notes(app))


async def test_a_history_that_can_only_be_read_says_so_and_is_found_in(store: Store, folder: Path) -> None:
    _, talks = with_talks(history=store)
    with opened(folder) as reading:
        assert reading.read_only
        app = with_history(reading)
        async with app.run_test(size=(100, 30)) as pilot:
            await open_talk(pilot, app, reading.open(talks[0].id))
            await pilot.press("f7")
            await until(lambda: "can be read and not changed" in notes(app))
            assert app.screen is app.chat
            await pilot.press("f3", "n", "e", "r", "v", "e")
            await until(lambda: "Found: 1" in shown(app))


async def test_a_line_that_is_struck_is_drawn_without_it_once_the_flag_is_gone() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(100, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        answer = app.screen.query_one(Answer)
        answer.struck = True
        await until(lambda: struck(app, "optic nerve"))
        answer.struck = False
        await until(lambda: not struck(app, "optic nerve") and "optic nerve" in shown(app))


async def test_on_the_smallest_terminal_what_has_the_cursor_is_seen() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(20, 5)) as pilot:
        await open_talk(pilot, app, talks[0])
        await pilot.press("f7")
        await until(lambda: flagging(app) and "▸ 1" in shown(app))
        await pilot.press("down", "tab")
        await until(lambda: app.screen.query_one(Editor).has_focus)
        await pilot.press("m", "i", "n", "e")
        await until(lambda: "mine" in shown(app))
        await pilot.press("f7")
        await until(lambda: app.screen is app.chat)
        reply = talks[0].path()[0].reply
        assert reply
        assert reply.flag
        assert (reply.flag.kind, reply.flag.correction) == ("unsafe", "mine")
