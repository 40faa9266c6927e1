"""Hiding and locking: nothing of a talk stays on the screen, and nothing of it is lost."""

from pathlib import Path

import pytest
from conftest import Disk
from histories import fill
from people_screens import (
    LOCKED,
    OPEN,
    PASSPHRASE,
    SIZE,
    app_with,
    ask,
    kept,
    locked_profile,
    type_in,
    unlock,
)
from piloting import shown, stands, until
from scripted_engine import ScriptedEngine
from textual.pilot import Pilot

from ophtimus_edge.history import profiles
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.hidden import HiddenScreen


def texts_of_widgets(app: OphtimusApp) -> str:
    """Everything that any widget of any screen holds."""
    return "\n".join(
        str(getattr(widget, "text", "")) + str(widget.render())
        for screen in app.screen_stack
        for widget in screen.query("*")
    )


async def five_minutes_pass(app: OphtimusApp, pilot: Pilot[None]) -> None:
    """As if nobody had touched a key for five minutes."""
    app.people._touched = tuple(clock - 301 for clock in app.people._clocks())  # type: ignore[assignment]
    app.people.look_at_the_clock()
    await pilot.pause(0.3)


async def test_without_a_passphrase_it_is_hidden_not_locked_and_enter_shows_it() -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        await ask(app, pilot, "What is uveitis?")
        await pilot.press("f8")
        await stands(app, "Hidden, not locked")
        assert "uveitis" not in shown(app)
        await pilot.press("enter")
        await stands(app, "What is uveitis?")


async def test_with_a_passphrase_nothing_is_held_until_it_is_unlocked_and_all_is_back_then() -> None:
    locked_profile()
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await unlock(app, pilot)
        await ask(app, pilot, "What is uveitis?")
        app.chat.box.text = "A question that is begun"
        await pilot.press("f8")
        await stands(app, "The history of Kim is locked")
        assert app.people.opened is None
        assert app.chat.history is None
        held = texts_of_widgets(app)
        assert "uveitis" not in held
        assert "begun" not in held
        await pilot.press("f8")  # it is locked already
        await type_in(pilot, "not the passphrase")
        await stands(app, "what was given does not open it")
        await type_in(pilot, PASSPHRASE)
        await stands(app, "What is uveitis?", "An answer.", LOCKED)
        await until(lambda: app.chat.box.text == "A question that is begun")


async def test_a_running_answer_and_what_waits_behind_it_are_stopped_and_kept() -> None:
    profile, _ = locked_profile()
    engine = ScriptedEngine(["It ", "is ", "long."])
    app = app_with(engine)
    async with app.run_test(size=SIZE) as pilot:
        await unlock(app, pilot)
        engine.may_write.clear()
        for count, question in enumerate(("First", "Second"), start=1):
            app.chat.box.text = question
            await pilot.press("enter")
            await until(lambda count=count: len(app.chat.serving.unfinished) == count)  # type: ignore[misc]
        await pilot.press("f8")
        await stands(app, "The history of Kim is locked")
        assert [(question, end) for question, _, end in kept(profile, PASSPHRASE)] == [
            ("First", "cancelled"), ("Second", "cancelled"),
        ]  # fmt: skip
        engine.may_write.set()
        await type_in(pilot, PASSPHRASE)
        await stands(app, "First", "Second", "stopped before it began")
        await ask(app, pilot, "Third")


async def test_a_dialog_over_the_talk_is_closed_too_and_its_question_is_back_afterwards() -> None:
    locked_profile()
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await unlock(app, pilot)
        app.chat.box.text = "Call 010-1234-5678"
        await pilot.press("enter")
        await stands(app, "telephone number: 010-1234-5678")
        await pilot.press("f8")
        await stands(app, "The history of Kim is locked")
        assert "010-1234" not in texts_of_widgets(app)
        await type_in(pilot, PASSPHRASE)
        await until(lambda: app.chat.box.text == "Call 010-1234-5678")
        assert not app.chat.exchanges


@pytest.mark.parametrize("passphrase", [True, False])
async def test_when_nobody_is_there_what_has_a_passphrase_is_locked(passphrase: bool) -> None:
    if passphrase:
        locked_profile()
    app = app_with(lock_after_minutes=5)
    async with app.run_test(size=SIZE) as pilot:
        if passphrase:
            await unlock(app, pilot)
        else:
            await stands(app, OPEN)
        await five_minutes_pass(app, pilot)
        if passphrase:
            await stands(app, "The history of Kim is locked")
        else:
            assert app.screen is app.chat


async def test_an_answer_that_is_written_counts_as_somebody() -> None:
    locked_profile()
    engine = ScriptedEngine()
    app = app_with(engine, lock_after_minutes=5)
    async with app.run_test(size=SIZE) as pilot:
        await unlock(app, pilot)
        engine.may_write.clear()
        await pilot.press("enter")
        await until(lambda: bool(app.chat.serving.unfinished))
        await five_minutes_pass(app, pilot)
        assert app.screen is app.chat
        engine.may_write.set()
        await until(lambda: not app.chat.serving.unfinished)


async def test_a_disk_that_fills_in_mid_answer_ends_nothing_and_loses_nothing(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = disk(tmp_path / "disk", 4)
    monkeypatch.setenv("OPHTIMUS_HOME", str(home))
    engine = ScriptedEngine(["The beginning ", *["and more of it " * 400] * 30, "the end."])
    app = app_with(engine)
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        engine.may_write.clear()
        app.chat.box.text = "Before it was full"
        await pilot.press("enter")
        await until(lambda: bool(app.chat.exchanges) and app.chat.exchanges[0].reply is not None)
        filler = fill(home)
        engine.may_write.set()
        await stands(app, "NOT KEPT just now", "the end.", "it is not kept just now")
        await until(lambda: not app.chat.serving.unfinished)
        app.chat.box.text = "While it is full"
        await pilot.press("enter")
        await until(lambda: len(app.chat.exchanges) == 2)
        filler.unlink()
        await until(lambda: not app.chat.serving.unfinished)
        await stands(app, "Everything is kept again", without=["NOT KEPT"])
    (profile,) = profiles.list_profiles()
    found = kept(profile)
    assert [question for question, _, _ in found] == ["Before it was full", "While it is full"]
    assert all(answer.startswith("The beginning") and answer.endswith("the end.") for _, answer, _ in found)


@pytest.mark.parametrize("key", ["1", "2"])
async def test_a_question_that_cannot_be_kept_is_said_and_goes_back_or_is_asked_all_the_same(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    home = disk(tmp_path / "disk", 4)
    monkeypatch.setenv("OPHTIMUS_HOME", str(home))
    app = app_with(keep_draft=False)
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        filler = fill(home)
        question = "A long question " * 2000
        app.chat.box.text = question.strip()
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await stands(app, "The disk is full", "ask it without keeping it")
        await pilot.press(key)
        if key == "2":
            await until(lambda: app.chat.box.text == question.strip() and not app.chat.exchanges)
            assert app.screen is app.chat
        else:
            await until(lambda: bool(app.chat.exchanges) and app.chat.exchanges[0].answer == "An answer.")
            await stands(app, "NOT KEPT")
            await pilot.press("f8")  # what is kept nowhere is not locked away
            await until(lambda: isinstance(app.screen, HiddenScreen))
            await pilot.press("enter")
            filler.unlink()
            await ask(app, pilot, "And now?")
            await until(lambda: "NOT KEPT" not in shown(app))
    (profile,) = profiles.list_profiles()
    assert [asked.strip() for asked, _, _ in kept(profile)] == (
        [question.strip(), "And now?"] if key == "1" else []
    )
