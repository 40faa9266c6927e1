"""Settings of a person's own: they hold while that person's history is open, and the computer's otherwise."""

import pytest
from kept_talks import by_name
from people_screens import LOCKED, OPEN, PASSPHRASE, SIZE, app_with, ask, locked_profile, stands, type_in
from piloting import shown, until

from ophtimus_edge import locations, settings
from ophtimus_edge.history import profiles
from ophtimus_edge.settings import Settings
from ophtimus_tui.app import OphtimusApp

KOREAN_OPEN = "이 PC를 쓰는 누구나 볼 수 있음"


def own(profile: profiles.Profile) -> Settings:
    return settings.read_own(profile.settings_file, Settings())


async def test_two_people_keep_their_own_language_and_theme() -> None:
    kim, lee = profiles.create("Kim"), profiles.create("Lee")
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "Whose history")
        await pilot.press("1")
        await stands(app, "Kim · open")
        await pilot.press("ctrl+l", "ctrl+t")
        await stands(app, KOREAN_OPEN)
        await by_name(pilot, app, app.texts("people.command_choose"))
        await stands(app, "누구의 기록을 열까요?")
        await pilot.press("2")
        await stands(app, "Lee · open")
        assert app.current_theme.dark
        await by_name(pilot, app, "open another person")
        await stands(app, "Whose history")
        await pilot.press("1")
        await stands(app, "Kim", KOREAN_OPEN)
        assert not app.current_theme.dark
    assert (own(kim).language, own(kim).theme) == ("ko", "light")
    assert not lee.settings_file.exists()
    assert not locations.settings_file().exists()  # nothing was set for the computer
    again = app_with()
    async with again.run_test(size=SIZE) as pilot:
        await stands(again, "Whose history")
        await pilot.press("1")
        await stands(again, "Kim", KOREAN_OPEN)


async def test_one_person_alone_finds_the_computer_as_they_left_it() -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        await pilot.press("ctrl+l", "f12")
        await stands(app, app.texts("chat.roles"))
        await pilot.press("2")
        await until(lambda: app.screen is app.chat)
        await until(lambda: settings.read().role == "counselling")
    (profile,) = profiles.list_profiles()
    for found in (own(profile), settings.read()):
        assert (found.language, found.role) == ("ko", "counselling")


async def test_where_the_history_is_locked_the_computers_settings_hold() -> None:
    profile, _ = locked_profile()
    settings.write_own(profile.settings_file, language="ko", theme="light", lock_after_minutes=3)
    app = app_with(theme="dark")
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "The history of Kim is locked")
        assert app.current_theme.dark
        await type_in(pilot, PASSPHRASE)
        await stands(app, "비밀번호로 보호됨")
        assert not app.current_theme.dark
        assert app.chosen.lock_after_minutes == 3
        await pilot.press("f8")
        await stands(app, "The history of Kim is locked")
        assert app.current_theme.dark
        await pilot.press("ctrl+t")  # before anybody's history is open it is the computer's
        assert not app.current_theme.dark
        await pilot.press("escape")
        await stands(app, "keeps nothing: the history is closed")
    assert own(profile).language == "ko"
    assert settings.read() == app.set_for.computer
    assert (settings.read().language, settings.read().theme) == ("en", "light")


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_damaged_settings_are_said_kept_and_gone_on_without(language: str) -> None:
    profile = profiles.create("Kim")
    profile.settings_file.write_text("theme = light", "utf-8")
    app = app_with(language=language)
    async with app.run_test(size=(220, 36)) as pilot:
        await stands(app, app.texts("errors.own_settings_error"), app.texts("chat.own_settings_broken"))
        assert str(profile.settings_file) in shown(app)
        assert app.current_theme.dark
        await ask(app, pilot, "What is uveitis?")
        assert profile.settings_file.read_text("utf-8") == "theme = light"
        await pilot.press("ctrl+t")
        await until(lambda: own(profile).theme == "light")
    broken = profile.settings_file.with_name("settings.toml.broken")
    assert broken.read_text("utf-8") == "theme = light"


async def test_who_keeps_nothing_keeps_it_for_themselves_and_the_other_goes_on_being_kept() -> None:
    kim, lee = profiles.create("Kim"), profiles.create("Lee")
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "Whose history")
        await pilot.press("1")
        await stands(app, "Kim · open")
        await by_name(pilot, app, "keep nothing from now on")
        await stands(app, "keeps nothing")
        await by_name(pilot, app, "open another person")
        await stands(app, "Whose history")
        await pilot.press("2")
        await stands(app, "Lee · open")
    assert (own(kim).history, own(lee).history) == ("nothing", "keep")
    assert not locations.settings_file().exists()
    again = app_with()
    async with again.run_test(size=SIZE) as pilot:
        await stands(again, "Whose history")
        await pilot.press("1")
        await stands(again, "keeps nothing")
        assert again.people.opened is None
        await by_name(pilot, again, "keep conversations in")
        await stands(again, "Kim · open")
    assert own(kim).history == "keep"


async def test_where_the_computer_keeps_nothing_nobodys_history_is_opened() -> None:
    profile = profiles.create("Kim")
    settings.write_own(profile.settings_file, history="keep")
    app: OphtimusApp = app_with(history="nothing")
    async with app.run_test(size=SIZE):
        await stands(app, "keeps nothing")
        assert app.people.opened is None


async def test_settings_travel_with_a_locked_persons_own_role_and_limits() -> None:
    profile, _ = locked_profile()
    settings.write_own(profile.settings_file, role="teaching", max_tokens=77, temperature=0.5)
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "is locked")
        await type_in(pilot, PASSPHRASE)
        await stands(app, LOCKED)
        assert app.chat.serving.role == "teaching"
        assert (app.chat.serving.settings.max_tokens, app.chat.serving.settings.temperature) == (77, 0.5)
        await pilot.press("f8")
        await stands(app, "is locked")
        assert app.chat.serving.role == "clinical"
        assert app.chat.serving.settings.max_tokens == 1024
