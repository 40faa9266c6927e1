"""Nothing that the app says in its corner stays, or comes, over a hidden screen."""

import threading
from pathlib import Path

import pytest
from kept_talks import by_name, notes, open_talk, put_path, with_talks
from people_screens import LOCKED, OPEN, PASSPHRASE, SIZE, app_with, locked_profile, stands, type_in
from piloting import shown, until

from ophtimus_edge.history import saving
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens import exporting
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.hidden import HiddenScreen
from ophtimus_tui.screens.save_file import SaveFileScreen

SAID = "Written: /media/stick/Kim, cataract.md"


def toasts(app: OphtimusApp) -> int:
    """How many notes any screen holds."""
    return sum(len(screen.query("Toast")) for screen in app.screen_stack)


async def test_what_stands_in_the_corner_goes_and_what_comes_waits_until_it_is_shown_again() -> None:
    app = app_with()
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await stands(app, OPEN)
        app.notify(SAID, markup=False, timeout=600)
        await stands(app, "Kim, cataract")
        await pilot.press("f8")
        await stands(app, "Hidden, not locked")
        await until(lambda: toasts(app) == 0)
        assert "cataract" not in shown(app)
        app.notify("Written: a second file", markup=False, timeout=600)
        await pilot.pause(0.3)
        assert "second file" not in shown(app)
        assert toasts(app) == 0
        await pilot.press("enter")
        await stands(app, "second file")
        assert "cataract" not in shown(app)


async def test_under_a_dialog_too() -> None:
    app = app_with()
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await stands(app, OPEN)
        app.notify(SAID, markup=False, timeout=600)
        await stands(app, "Kim, cataract")
        await pilot.press("f12")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("f8")
        await stands(app, "Hidden, not locked")
        await until(lambda: toasts(app) == 0)


@pytest.mark.parametrize("idle", [True, False])
@pytest.mark.parametrize("back", [True, False])
async def test_a_locked_screen_says_nothing_and_only_whom_it_concerns_hears_of_it_later(
    idle: bool, back: bool
) -> None:
    locked_profile()
    app = app_with(lock_after_minutes=5)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await stands(app, "is locked")
        await type_in(pilot, PASSPHRASE)
        await stands(app, LOCKED)
        app.notify(SAID, markup=False, timeout=600)
        await stands(app, "Kim, cataract")
        if idle:
            app.people._touched = tuple(clock - 301 for clock in app.people._clocks())  # type: ignore[assignment]
            app.people.look_at_the_clock()
        else:
            await pilot.press("f8")
        await stands(app, "The history of Kim is locked")
        app.notify("Written: a second file", markup=False, timeout=600)
        await pilot.pause(0.3)
        assert "cataract" not in shown(app)
        assert "second file" not in shown(app)
        assert toasts(app) == 0
        if back:
            await type_in(pilot, PASSPHRASE)
            await stands(app, LOCKED, "second file")
        else:
            await pilot.press("escape")
            await stands(app, "the history is closed")
            app.notify("to whoever is there", markup=False, timeout=600)
            await stands(app, "to whoever is there")
            assert "second file" not in shown(app)


async def test_a_file_that_is_written_meanwhile_shows_nothing_until_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def late(path: Path, content: bytes, overwrite: bool = False) -> None:
        goes_on.wait(30)
        saving.save(path, content, overwrite)

    monkeypatch.setattr(exporting, "save", late)
    monkeypatch.setattr("ophtimus_tui.local_pages.can_be_opened", lambda: False)
    app, talks = with_talks()
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await open_talk(pilot, app, talks[0])
        await by_name(pilot, app, "export this talk or all")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("1")
        await stands(app, "Which talks")
        await pilot.press("1")
        await until(lambda: isinstance(app.screen, SaveFileScreen))
        await put_path(app, tmp_path / "talk.md")
        await pilot.press("enter")
        await stands(app, app.texts("save.working_keys"))
        await pilot.press("f8")
        await until(lambda: isinstance(app.screen, HiddenScreen))
        goes_on.set()
        await until((tmp_path / "talk.md").exists)
        await pilot.pause(0.5)
        assert isinstance(app.screen, HiddenScreen)  # a dialog that ends underneath does not take it away
        await pilot.press("enter")
        await until(lambda: app.screen is app.chat and "Written: " in notes(app))
