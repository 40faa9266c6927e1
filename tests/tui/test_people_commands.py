"""The commands around a person's history, as they are found in the palette and gone through with the keys."""

import datetime
import threading

import pytest
from histories import opened_profile, talk_of
from people_screens import (
    LOCKED,
    OPEN,
    PASSPHRASE,
    SIZE,
    app_with,
    ask,
    kept,
    locked_profile,
    recovery_key,
    type_in,
    unlock,
)
from piloting import shown, stands, until
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge import locations, settings
from ophtimus_edge.errors import HistoryLockedError
from ophtimus_edge.history import keys, profiles
from ophtimus_tui.app import OphtimusApp


async def command(app: OphtimusApp, pilot: Pilot[None], words: str) -> None:
    """Run a command of the palette by its name."""
    await pilot.press("ctrl+p")
    await until(lambda: isinstance(app.screen, CommandPalette))
    app.screen.query_one(Input).insert_text_at_cursor(words)
    await stands(app, words)
    await until(lambda: "No matches" not in shown(app))
    await pilot.press("down", "enter")
    await until(lambda: not isinstance(app.screen, CommandPalette))


def opens(profile: profiles.Profile, passphrase: str) -> bool:
    try:
        keys.unlock(profile.key_file, passphrase)
    except HistoryLockedError:
        return False
    return True


async def test_a_passphrase_is_set_changed_and_removed() -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        (profile,) = profiles.list_profiles()
        await command(app, pilot, "passphrase")
        await stands(app, "Several words that others would not guess")
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        recovery = await recovery_key(app)
        await type_in(pilot, recovery[-4:])
        await stands(app, LOCKED)
        assert keys.unlock(profile.key_file, recovery=recovery)

        await command(app, pilot, "passphrase")
        await pilot.press("1")
        await stands(app, "Passphrase, or the recovery key")
        await type_in(pilot, "not the passphrase", "another of words", "another of words")
        await stands(app, "what was given does not open it")
        assert opens(profile, PASSPHRASE)
        await type_in(pilot, PASSPHRASE, "another of words", "another of words")
        await stands(app, "The recovery key opens the history")
        await pilot.press("escape")
        await stands(app, "was not checked against your paper")
        assert opens(profile, "another of words")
        assert not opens(profile, PASSPHRASE)

        await command(app, pilot, "passphrase")
        await pilot.press("2")
        await stands(app, "Without a passphrase anyone")
        await type_in(pilot, "another of words")
        await stands(app, OPEN)
    assert not profile.locked


async def test_another_person_is_added_and_gone_back_from() -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        await ask(app, pilot, "Of the first person")
        await command(app, pilot, "add another")
        await stands(app, "A history of an own")
        await type_in(pilot, "Zoe", "", "")
        await stands(app, f"Zoe · open: {OPEN}")
        assert "Of the first person" not in shown(app)
        await ask(app, pilot, "Of the second person")
        await command(app, pilot, "open another")
        await stands(app, "Whose history")
        await pilot.press("1")
        await stands(app, "Of the first person")
        assert "Of the second person" not in shown(app)
    first, second = profiles.list_profiles()
    assert second.name == "Zoe"
    assert [kept(one)[0][0] for one in (first, second)] == ["Of the first person", "Of the second person"]


async def test_a_person_is_renamed_but_not_to_the_name_of_another() -> None:
    profiles.create("Kim")
    profiles.create("Lee")
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "Whose history")
        await pilot.press("1")
        await stands(app, "Kim · open")
        await command(app, pilot, "rename this")
        await stands(app, "The name of this history")
        await pilot.press(*["backspace"] * 3)
        await type_in(pilot, "lee")
        await until(lambda: "There is a profile" in shown(app) or "profile" in shown(app))
        await pilot.press(*["backspace"] * 3)
        await type_in(pilot, "Park")
        await stands(app, "Park · open")
    assert [profile.name for profile in profiles.list_profiles()] == ["Lee", "Park"]


async def test_only_who_can_open_a_history_deletes_it_and_types_its_name() -> None:
    profile, _ = locked_profile()
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await unlock(app, pilot)
        await command(app, pilot, "delete this person")
        await stands(app, "Nobody can bring it back")
        await type_in(pilot, "Lee", PASSPHRASE)
        await stands(app, "That is not the name")
        await pilot.press("up", *["backspace"] * 3)
        await type_in(pilot, "Kim", "not the passphrase")
        await stands(app, "what was given does not open it")
        assert profile.folder.is_dir()
        await type_in(pilot, PASSPHRASE)
        await until(lambda: not profile.folder.exists())
        await stands(app, OPEN)  # a new one of the account's name
    assert [one.name for one in profiles.list_profiles()] != ["Kim"]


async def test_a_history_that_takes_long_to_delete_says_so_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    profile, go_on, remove = profiles.create("Kim"), threading.Event(), profiles.remove

    def slowly(one: profiles.Profile) -> None:
        go_on.wait(60)
        remove(one)

    monkeypatch.setattr(profiles, "remove", slowly)
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        await command(app, pilot, "delete this person")
        await stands(app, "Nobody can bring it back")
        await type_in(pilot, "Kim")
        await stands(app, "Deleting the history of Kim")
        assert profile.folder.is_dir()
        go_on.set()
        await stands(app, OPEN)
        assert "Deleting" not in shown(app)
    assert not profile.folder.exists()


async def test_from_now_on_nothing_is_kept_and_then_again() -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        app._keeps_settings = True
        await ask(app, pilot, "Kept")
        await command(app, pilot, "keep nothing")
        await stands(app, "keeps nothing")
        (profile,) = profiles.list_profiles()
        assert settings.read_own(profile.settings_file, settings.Settings()).history == "nothing"
        await ask(app, pilot, "Not kept")
        app.chat.box.text = "A draft"
        await command(app, pilot, "keep conversations")
        await stands(app, "is kept nowhere")
        await pilot.press("1")
        await stands(app, OPEN)
        assert "Not kept" not in shown(app)
    (profile,) = profiles.list_profiles()
    assert [question for question, _, _ in kept(profile)] == ["Kept"]
    assert not locations.draft_file().exists()


async def test_what_is_too_old_is_named_and_deleted_only_when_that_is_chosen() -> None:
    profile = profiles.create("Kim")
    with opened_profile(profile) as history:
        for title, days, held in (("old", 40, False), ("held", 40, True), ("new", 3, False)):
            talk = talk_of(title, "an answer")
            at = datetime.datetime.now().astimezone() - datetime.timedelta(days=days)
            talk.begun_at = talk.questions[0].asked_at = talk.questions[0].replies[0].begun_at = at
            talk.held = held
            history.begin(talk)
    for key, left in (("escape", {"old", "held", "new"}), ("1", {"held", "new"})):
        app = app_with(retention_days=30)
        async with app.run_test(size=SIZE) as pilot:
            await stands(app, "1 conversations were last changed more than 30 days ago")
            await pilot.press(key)
            await until(lambda app=app: app.screen is app.chat and not app.people.flow.locked())
        assert {question for question, _, _ in kept(profile)} == left
