"""The history in the app: whose it is, who can read it, and that what is asked is kept."""

import pytest
from histories import HOW, opened_profile
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
)
from piloting import stands, until
from scripted_engine import ScriptedEngine

from ophtimus_edge import locations, settings
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.draft import Draft
from ophtimus_edge.history.talk import new_talk
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.form import FormScreen


async def test_what_is_asked_is_kept_and_there_at_the_next_start() -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        await ask(app, pilot, "What is uveitis?")
    (profile,) = profiles.list_profiles()
    assert kept(profile) == [("What is uveitis?", "An answer.", "stop")]
    again = app_with()
    async with again.run_test(size=SIZE) as pilot:
        await stands(again, "What is uveitis?", "not a medical record")
        await pilot.press("f2", "down", "enter")
        await until(lambda: [one.answer for one in again.chat.exchanges] == ["An answer."])
        await ask(again, pilot, "And in a child?")
    assert [question for question, _, _ in kept(profile)] == ["What is uveitis?", "And in a child?"]


async def test_a_wrong_passphrase_is_refused_and_the_right_one_opens() -> None:
    profile, _ = locked_profile()
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "The history of Kim is locked")
        await type_in(pilot, "not the passphrase")
        await stands(app, "what was given does not open it")
        assert app.people.opened is None
        await type_in(pilot, PASSPHRASE)
        await stands(app, LOCKED)
        await ask(app, pilot, "What is uveitis?")
    assert kept(profile, PASSPHRASE) == [("What is uveitis?", "An answer.", "stop")]


async def test_the_recovery_key_opens_in_the_same_box_and_one_of_another_history_does_not() -> None:
    _, recovery = locked_profile()
    other = profiles.create("Lee")
    wrong = keys.set_passphrase(other.key_file, PASSPHRASE)
    profiles.remove(other)
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "The history of Kim is locked")
        await type_in(pilot, wrong)
        await stands(app, "what was given does not open it")
        await type_in(pilot, recovery.lower())
        await stands(app, LOCKED, "The recovery key opened the history")


async def test_who_does_not_know_it_goes_on_without_the_history_and_is_told_so() -> None:
    profile, _ = locked_profile()
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "is locked")
        await pilot.press("escape")
        await stands(app, "keeps nothing: the history is closed")
        await ask(app, pilot, "What is uveitis?")
    assert kept(profile, PASSPHRASE) == []


async def test_a_second_program_reads_and_says_that_it_keeps_nothing() -> None:
    first = app_with()
    async with first.run_test(size=SIZE) as pilot:
        await stands(first, OPEN)
        await ask(first, pilot, "What is uveitis?")
        second = app_with()
        async with second.run_test(size=SIZE) as other:
            await stands(second, "read-only: nothing new is kept", "Another window")
            await other.press("f2", "down", "enter")
            await until(lambda: [one.answer for one in second.chat.exchanges] == ["An answer."])
            await ask(second, other, "Of the second window")
            await stands(second, "Of the second window", "complete")
    (profile,) = profiles.list_profiles()
    assert [question for question, _, _ in kept(profile)] == ["What is uveitis?"]


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_a_damaged_history_is_said_and_the_app_goes_on_without_it(language: str) -> None:
    profile = profiles.create("Kim")
    with opened_profile(profile):
        pass
    (profile.folder / "history.db").write_bytes(b"x" * 8192)
    app = app_with(language=language)
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, app.texts("people.state_failed"), app.texts("people.without"))
        await ask(app, pilot, "What is uveitis?")
    assert (profile.folder / "history.db").read_bytes() == b"x" * 8192


async def test_of_several_people_one_is_chosen_by_name() -> None:
    for name in ("Kim", "이서연"):
        profiles.create(name)
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "Whose history", "1 Kim", "2 이서연")
        await pilot.press("2")
        await stands(app, f"이서연 · open: {OPEN}")
        await ask(app, pilot, "What is uveitis?")
    first, second = profiles.list_profiles()
    assert (first.name, kept(first)) == ("Kim", [])
    assert len(kept(second)) == 1


async def test_the_first_start_makes_a_history_behind_a_passphrase() -> None:
    app = OphtimusApp(store.choose(), "en", settings.Settings(language="en"))
    app.people.app = app
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "first start")
        await pilot.press("enter", "enter", "1", "enter")
        await stands(app, "a name for your history".capitalize())
        await pilot.press(*["backspace"] * 20)
        await type_in(pilot, "Kim", "short", "short")
        await stands(app, "passphrase is too short")
        await type_in(pilot, PASSPHRASE, PASSPHRASE + "x")
        await stands(app, "not the same")
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        recovery = await recovery_key(app)
        assert isinstance(app.screen, FormScreen)
        await type_in(pilot, "0000")
        await stands(app, "That is not the last group")
        await pilot.press(*["backspace"] * 4)
        await type_in(pilot, recovery[-4:].lower())
        await stands(app, LOCKED, "asked for at every start", without=["The history of Kim is locked"])
    (profile,) = profiles.list_profiles()
    assert profile.name == "Kim"
    assert keys.unlock(profile.key_file, recovery=recovery) == keys.unlock(profile.key_file, PASSPHRASE)


async def test_a_plain_draft_of_an_earlier_release_is_taken_over_once() -> None:
    Draft(locations.draft_file()).keep("67-year-old woman")
    app = app_with()
    async with app.run_test(size=SIZE):
        await until(lambda: app.chat.box.text == "67-year-old woman")
    assert not locations.draft_file().exists()
    (profile,) = profiles.list_profiles()
    assert b"woman" not in profile.draft_file.read_bytes()
    again = app_with()
    async with again.run_test(size=SIZE):
        await until(lambda: again.chat.box.text == "67-year-old woman")


async def test_in_the_mode_without_record_nothing_is_written_not_the_draft_either() -> None:
    app = app_with(history="nothing")
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "keeps nothing")
        await ask(app, pilot, "What is uveitis?")
        app.chat.box.text = "begun"
        await pilot.pause(0.8)
    assert not locations.history_folder().exists()
    assert not locations.draft_file().exists()


async def test_an_interrupted_answer_is_shown_as_such(home: object) -> None:
    profile = profiles.create("Kim")
    with opened_profile(profile) as history:
        talk = new_talk()
        question = talk.ask("What is uveitis?")
        history.begin(talk)
        reply = talk.begin_reply(question, HOW)
        reply.text = "It is an infl"
        history.keep_reply(talk, question, reply)
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, "What is uveitis?")
        await pilot.press("f2", "down", "enter")
        await stands(app, "It is an infl", "interrupted, as the app ended")


async def test_a_question_typed_before_the_history_is_open_waits_for_it() -> None:
    app = app_with(ScriptedEngine(["Slow ", "but kept."]))
    async with app.run_test(size=SIZE) as pilot:
        app.chat.box.text = "At once"
        await pilot.press("enter")
        await stands(app, "Slow but kept.", "complete")
    (profile,) = profiles.list_profiles()
    assert kept(profile) == [("At once", "Slow but kept.", "stop")]
