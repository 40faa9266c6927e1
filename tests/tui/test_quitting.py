"""Leaving the app: what is kept nowhere is said once, and quitting again or confirming it ends the app."""

from pathlib import Path

import pytest
from conftest import Disk
from people_screens import OPEN, SIZE, app_with, ask, kept, stands
from piloting import shown, until

from ophtimus_edge.history import profiles
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.confirm import ConfirmScreen


async def warned(app: OphtimusApp, *keys: str) -> None:
    """Wait until the app says what would be lost."""
    await until(lambda: isinstance(app.screen, ConfirmScreen))
    await stands(app, app.texts("people.quit_lost"), *keys)
    assert app.is_running


def left(app: OphtimusApp) -> bool:
    return app._exit


@pytest.mark.parametrize("how", ["1", "ctrl+q"])
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_without_a_record_the_talks_and_the_draft_are_named_before_they_are_lost(
    language: str, how: str
) -> None:
    app = app_with(language=language, history="nothing")
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, app.texts("people.state_nothing"))
        await ask(app, pilot, "What is uveitis?")
        await pilot.press("ctrl+q")
        await warned(app, app.texts("people.quit_talks", count=1))
        assert app.texts("people.quit_question") not in shown(app)
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)
        assert not left(app)
        app.chat.box.text = "A question that is begun"
        await pilot.press("ctrl+q")
        await warned(app, app.texts("people.quit_talks", count=1), app.texts("people.quit_question"))
        await pilot.press("enter")  # the careful answer is under the cursor
        await until(lambda: app.screen is app.chat)
        assert app.chat.box.text == "A question that is begun"
        await pilot.press("ctrl+q")
        await warned(app)
        await pilot.press(how)
        await until(lambda: left(app))


async def test_a_draft_alone_counts_and_an_untouched_app_is_left_at_once() -> None:
    app = app_with(history="nothing")
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "keeps nothing")
        app.chat.box.text = "Begun"
        await pilot.press("ctrl+q")
        await warned(app, app.texts("people.quit_question"))
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)
        app.chat.box.text = ""
        await pilot.press("ctrl+q")
        await until(lambda: left(app))
    untouched = app_with(history="nothing")
    async with untouched.run_test(size=SIZE) as pilot:
        await stands(untouched, "keeps nothing")
        await pilot.press("ctrl+q")  # the example in the box is nobody's
        await until(lambda: left(untouched))


async def test_what_is_kept_is_left_without_a_word() -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        await ask(app, pilot, "What is uveitis?")
        app.chat.box.text = "Begun"
        await pilot.press("ctrl+q")
        await until(lambda: left(app))
    (profile,) = profiles.list_profiles()
    assert len(kept(profile)) == 1
    assert profile.draft_file.exists()


async def test_the_second_window_says_that_it_keeps_nothing_before_it_closes() -> None:
    first = app_with()
    async with first.run_test(size=SIZE):
        await stands(first, OPEN)
        second = app_with()
        async with second.run_test(size=SIZE) as pilot:
            await stands(second, "read-only: nothing new is kept")
            await ask(second, pilot, "Of the second window")
            await pilot.press("ctrl+q")
            await warned(second, second.texts("people.quit_talks", count=1))
            await pilot.press("1")
            await until(lambda: left(second))


async def test_a_full_disk_is_tried_once_more_and_said(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = disk(tmp_path / "disk", 4)
    monkeypatch.setenv("OPHTIMUS_HOME", str(home))
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        with (home / "filler").open("ab", buffering=0) as file:
            for size in (1 << 16, 4096, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass
        app.chat.box.text = "A long question " * 2000
        await pilot.press("enter")
        await stands(app, "ask it without keeping it")
        await pilot.press("1")
        await stands(app, "NOT KEPT")
        await until(lambda: not app.chat.serving.unfinished)
        await pilot.press("ctrl+q")
        await warned(app, app.texts("people.quit_talks", count=1))
        await pilot.press("escape")
        (home / "filler").unlink()
        await until(lambda: app.screen is app.chat)
        await pilot.press("ctrl+q")
        await until(lambda: left(app))
    (profile,) = profiles.list_profiles()
    assert len(kept(profile)) == 1
