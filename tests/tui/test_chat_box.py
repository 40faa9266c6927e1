"""The question box: what a person wrote in it is never lost, whatever is put there or goes wrong."""

import pytest
from histories import kept_draft
from piloting import shown, until
from scripted_engine import ScriptedEngine, scripted

from ophtimus_edge import settings
from ophtimus_edge.history import profiles
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.quiz import QuizScreen

DONE = settings.Settings(first_start_done=settings.FIRST_START)
SIZE = (110, 36)
BEGUN = "A long question that is not finished"


def opened(language: str = "en", chosen: settings.Settings | None = None) -> OphtimusApp:
    app = OphtimusApp(store.choose(), language, chosen)
    scripted(app, ScriptedEngine())
    return app


async def answered(app: OphtimusApp, pilot: object) -> None:
    await pilot.press("enter")  # type: ignore[attr-defined]
    await until(lambda: "An answer." in shown(app) and "complete" in shown(app))


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_what_was_begun_comes_back_when_an_edited_question_is_left_or_sent(key: str) -> None:
    app = opened()
    async with app.run_test(size=SIZE) as pilot:
        await answered(app, pilot)
        app.chat.box.text = BEGUN
        await pilot.press("f6")
        assert app.chat.box.text == "What is glaucoma?"
        await pilot.press(key)
        await until(lambda: app.chat.box.text == BEGUN)
        await until(lambda: "edit the question" not in shown(app))


async def test_what_was_begun_comes_back_after_a_question_of_the_quiz() -> None:
    app = opened()
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "ready" in shown(app))
        app.chat.box.text = BEGUN
        app.action_quiz()
        await until(lambda: isinstance(app.screen, QuizScreen))
        app.screen.post_message(QuizScreen.AskModel("Which layer is torn?"))
        await until(lambda: app.chat.box.text == "Which layer is torn?")
        await pilot.press("enter")
        await until(lambda: app.chat.box.text == BEGUN)
        assert [one.question for one in app.chat.exchanges] == ["Which layer is torn?"]


async def test_an_edited_question_stays_in_the_box_when_another_talk_is_opened() -> None:
    app = opened()
    async with app.run_test(size=SIZE) as pilot:
        await answered(app, pilot)
        await pilot.press("f6")
        app.chat.box.text = "What is glaucoma, in a child?"
        await pilot.press("ctrl+n")
        await until(lambda: not app.chat.exchanges)
        assert app.chat.box.text == "What is glaucoma, in a child?"
        await pilot.press("enter")
        await until(lambda: [one.question for one in app.chat.exchanges] == ["What is glaucoma, in a child?"])


async def test_what_names_a_patient_is_shown_as_it_stands_and_escape_loses_nothing() -> None:
    app = opened(chosen=DONE)
    async with app.run_test(size=SIZE) as pilot:
        app.chat.box.text = "Call 010-1234-5678 or a.b@clinic.kr about the IOP of 21 mmHg"
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await until(lambda: "telephone number: 010-1234-5678" in shown(app))
        assert "e-mail address: a.b@clinic.kr" in shown(app)
        await until(lambda: kept_draft().startswith("Call 010"))  # also while it is asked
        app.chat.box.text = "typed behind it"
        await pilot.press("escape")
        await until(lambda: "typed behind it" in app.chat.box.text and "Call 010" in app.chat.box.text)
        assert not app.chat.exchanges


async def test_the_last_letters_before_leaving_are_kept() -> None:
    app = opened(chosen=DONE)
    async with app.run_test(size=SIZE) as pilot:
        app.chat.box.text = BEGUN
        await pilot.press("ctrl+q")
    assert kept_draft() == BEGUN


async def test_what_was_put_aside_is_kept_with_the_draft() -> None:
    app = opened(chosen=DONE)
    async with app.run_test(size=SIZE) as pilot:
        await answered(app, pilot)
        app.chat.box.text = BEGUN
        await pilot.press("f6")
        app.chat.box.text = "What is glaucoma, in a child?"
        await until(lambda: kept_draft() == f"{BEGUN}\n\nWhat is glaucoma, in a child?")


@pytest.mark.parametrize(("language", "word"), [("en", "is not kept"), ("ko", "저장되지 않습니다")])
async def test_a_draft_that_cannot_be_kept_is_said_and_the_question_is_asked(
    language: str, word: str
) -> None:
    app = opened(language, DONE)
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: app.people.opened is not None)
        (profile,) = profiles.list_profiles()
        profile.draft_file.mkdir()  # a folder where the file should be
        app.chat.box.text = BEGUN
        await until(lambda: any(word in notice.message for notice in app._notifications))
        (notice,) = app._notifications
        assert str(profile.draft_file) in notice.message  # which file, in the error's own words
        await pilot.press("enter")
        await until(lambda: [one.question for one in app.chat.exchanges] == [BEGUN])


async def test_the_row_that_is_written_is_seen_however_long_a_question_grows() -> None:
    app = opened()
    async with app.run_test(size=(60, 24)) as pilot:
        await until(lambda: "ready" in shown(app))
        app.chat.box.text = ""
        missed = []
        for code in range(0xAC01, 0xAC01 + 210):  # two cells each: seven rows, and the box has six
            await pilot.press(chr(code))
            await pilot.pause()
            if chr(code) not in shown(app):
                missed.append(chr(code))
        assert not missed
        assert len(app.chat.box.text) == 210
        assert app.chat.box.wrapped_document.height > app.chat.box.size.height
