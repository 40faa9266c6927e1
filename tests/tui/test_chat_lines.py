"""Safety lines beside an answer, the draft, the commands around the talk, and the two languages."""

from pathlib import Path

import pytest
from piloting import shown, stands, until
from textual.widgets import OptionList

from ophtimus_edge import locations, settings
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.help import HelpScreen
from ophtimus_tui.screens.models import ModelsScreen
from ophtimus_tui.screens.quiz import QuizScreen

DONE = settings.Settings(first_start_done=settings.FIRST_START)


def drafts() -> list[Path]:
    return list(locations.history_folder().glob("*/draft"))


async def test_an_emergency_is_said_above_the_answer_and_figures_below_it() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(110, 60)) as pilot:
        app.chat.box.text = "Bleach splashed into my eye, what should I do?"
        await pilot.press("enter")
        await stands(app, "This may be an emergency", "not reviewed by a physician", "Rinse the eye now")
        await until(
            lambda: bool(app.chat.exchanges[0].reply) and app.chat.exchanges[0].reply.finish != "writing"
        )
        exchange = app.chat.exchanges[0]
        exchange.reply.text += "\n\nGive 250 mg acetazolamide twice a day."
        exchange.finish()
        await until(lambda: "250 mg" in shown(app).partition("figures to check")[2])
        await pilot.press("ctrl+l")
        await until(lambda: "응급일 수 있습니다" in shown(app) and "확인할 수치" in shown(app))


async def test_a_question_about_bread_has_no_notice_of_an_emergency() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(110, 40)) as pilot:
        app.chat.box.text = "How do I bake bread?"
        await pilot.press("enter")
        await until(lambda: "Not among the questions" in shown(app))
        assert "emergency" not in shown(app)


QUESTION = "환자 900101-2345678, 백내장 수술 후 통증은?"


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("1", "환자 [삭제], 백내장 수술 후 통증은?"),
        ("2", QUESTION),
        ("enter", "환자 [삭제], 백내장 수술 후 통증은?"),
    ],
)
async def test_what_names_a_patient_is_pointed_out_before_it_is_sent(key: str, asked: str) -> None:
    app = OphtimusApp(store.choose(), "ko")
    async with app.run_test(size=(100, 32)) as pilot:
        app.chat.box.text = QUESTION
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await until(lambda: "주민등록번호" in shown(app))
        assert not app.chat.exchanges
        await pilot.press(key)
        await until(lambda: len(app.chat.exchanges) == 1)
        assert app.chat.exchanges[0].question == asked


async def test_escape_takes_a_pointed_out_question_back_into_the_box() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(100, 32)) as pilot:
        app.chat.box.text = "Call 010-1234-5678 about the IOP of 21/22 mmHg"
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("escape")
        await until(lambda: app.chat.box.text == "Call 010-1234-5678 about the IOP of 21/22 mmHg")
        assert not app.chat.exchanges


async def test_a_draft_outlives_the_app_and_goes_with_its_question() -> None:
    app = OphtimusApp(store.choose(), "en", DONE)
    async with app.run_test(size=(100, 32)):
        app.chat.box.text = "A long question about"
        await until(lambda: bool(drafts()))
    app = OphtimusApp(store.choose(), "en", DONE)
    async with app.run_test(size=(100, 32)) as pilot:
        await until(lambda: app.chat.box.text == "A long question about")
        await pilot.press("enter")
        await until(lambda: len(app.chat.exchanges) == 1 and not drafts())
    app = OphtimusApp(store.choose(), "en", DONE)
    async with app.run_test(size=(100, 32)):
        await until(lambda: app.chat.box.text == "What is glaucoma?")


async def test_who_chose_to_keep_nothing_leaves_no_draft(home: Path) -> None:
    app = OphtimusApp(
        store.choose(), "en", settings.Settings(first_start_done=settings.FIRST_START, history="nothing")
    )
    async with app.run_test(size=(100, 32)) as pilot:
        app.chat.box.text = "A question of somebody else"
        await pilot.pause(1.0)
    assert not list(home.rglob("draft*"))
    assert not locations.history_folder().exists()


async def test_language_and_theme_change_at_once_and_stay(home: Path) -> None:
    app = OphtimusApp(store.choose(), "en", DONE)
    async with app.run_test(size=(110, 32)) as pilot:
        await until(lambda: "ready" in shown(app))
        await pilot.press("ctrl+l")
        await stands(app, "준비됨", "의사의 판단을 돕는 도구", without=["DEMONSTRATION"])
        assert app.current_theme.dark
        await pilot.press("ctrl+t")
        assert not app.current_theme.dark
    assert settings.read().language == "ko"
    assert settings.read().theme == "light"


async def test_every_command_is_in_the_palette_in_the_language_that_is_spoken() -> None:
    app = OphtimusApp(store.choose(), "ko")
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("ctrl+p")
        await until(lambda: "모든 명령" not in shown(app) and "도움말" in shown(app))
        for letter in "퀴즈":
            await pilot.press(letter)
        await until(lambda: "객관식" in shown(app))
        await pilot.press("down", "enter")
        await until(lambda: isinstance(app.screen, QuizScreen))


async def test_help_models_and_roles_have_their_keys() -> None:
    app = OphtimusApp(store.choose(), "en", DONE)
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("f1")
        await until(lambda: isinstance(app.screen, HelpScreen) and "edit the chosen question" in shown(app))
        await pilot.press("f1")
        await until(lambda: app.screen is app.chat)
        await pilot.press("f4")
        await until(lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)
        await pilot.press("f12")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("2")
        await until(lambda: app.screen is app.chat and "patient counselling" in shown(app))
        assert settings.read().role == "counselling"


async def test_a_level_is_switched_in_place_and_the_talk_stays(tiny_model: Path) -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: "complete" in shown(app))
        before = app.chat.exchanges[0].answer
        app.chat.open_model(store.choose(str(tiny_model)))
        await until(lambda: "tiny" in shown(app) and "ready" in shown(app))
        app.chat.box.text = "And now?"
        await pilot.press("enter")
        await until(lambda: len(app.chat.exchanges) == 2 and bool(app.chat.exchanges[1].answer))
        assert app.chat.exchanges[0].answer == before
        assert app.chat.exchanges[1].reply.provenance.model == "tiny"


async def test_the_first_start_asks_and_is_not_asked_again() -> None:
    chosen, problem = settings.read_or_defaults()
    assert problem is None
    app = OphtimusApp(store.choose(), "en", chosen)
    async with app.run_test(size=(100, 32)) as pilot:
        await until(lambda: "first start" in shown(app))
        await pilot.press("enter", "enter", "down", "enter")
        await until(lambda: app.screen is app.chat and "keeps nothing" in shown(app))
        assert "What is glaucoma?" in app.chat.box.text
    kept = settings.read()
    assert kept.first_start_done == settings.FIRST_START
    assert kept.history == "nothing"
    app = OphtimusApp(store.choose(), "en", kept)
    async with app.run_test(size=(100, 32)):
        await until(lambda: app.screen is app.chat)


async def test_arrows_go_from_the_box_to_the_answers_and_typing_comes_back() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: "complete" in shown(app))
        await pilot.press("up")
        assert app.chat.exchanges[0].has_focus
        await stands(app, "F5 again")
        await pilot.press("n", "e", "w")
        assert app.chat.box.has_focus
        assert app.chat.box.text == "new"


async def test_a_base_model_completes_in_the_free_role(base_model: Path) -> None:
    app = OphtimusApp(store.choose(str(base_model)), "en")
    async with app.run_test(size=(110, 40)) as pilot:
        await until(lambda: "base model" in shown(app) and "ready" in shown(app))
        app.chat.box.text = "Glaucoma is"
        await pilot.press("enter")
        await until(lambda: bool(app.chat.exchanges) and bool(app.chat.exchanges[0].answer))


async def test_a_question_list_takes_the_mouse_too() -> None:
    app = OphtimusApp(store.choose(), "en", DONE)
    async with app.run_test(size=(110, 40)) as pilot:
        await until(lambda: "ready" in shown(app))
        await pilot.click("#role")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.click(OptionList, offset=(6, 2))
        await until(lambda: app.screen is app.chat and "teaching" in shown(app))
