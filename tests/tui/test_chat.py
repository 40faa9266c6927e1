"""The chat screen on the real engine, driven as a person drives it."""

import os
import signal
from pathlib import Path

import pytest
from engines import workers
from piloting import shown, until
from textual import events

from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.widgets.exchange import Exchange


def exchanges(app: OphtimusApp) -> list[Exchange]:
    return list(app.screen.query(Exchange))


@pytest.mark.parametrize("size", [(120, 32), (60, 24)])
async def test_the_example_is_answered_with_enter(size: tuple[int, int]) -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=size) as pilot:
        assert "What is glaucoma?" in app.chat.box.text
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and "complete" in shown(app))
        (exchange,) = exchanges(app)
        assert exchange.answer
        # The talk follows its end with the next drawing, which is a moment later.
        await until(lambda: exchange.answer.split()[-1] in shown(app))
        screen = shown(app)
        assert "DEMONSTRATION" in screen
        assert "tokens/s" not in screen  # details are one key away
        await pilot.press("f9")
        await until(lambda: "tokens/s" in shown(app))
        assert "doctor's judgement" in screen


def typed(app: OphtimusApp, text: str) -> None:
    """Keys as a terminal sends them, faster than any hand."""
    for letter in text:
        name = {"\r": "enter", "\n": "ctrl+j"}.get(letter, letter)
        app.post_message(events.Key(name, letter))


async def test_what_is_typed_in_haste_is_asked_whole() -> None:
    """A fast hand, or a slow machine: Enter waits behind the letters before it."""
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(100, 32)):
        app.chat.box.clear()
        typed(app, "What is a cataract, and when is it operated on?\r")
        await until(lambda: len(exchanges(app)) == 1)
        assert exchanges(app)[0].question == "What is a cataract, and when is it operated on?"
        typed(app, "What is myopia?\r")
        await until(lambda: len(exchanges(app)) == 2)
        assert exchanges(app)[1].question == "What is myopia?"
        assert app.chat.box.text == ""


@pytest.mark.parametrize("late", ["요", "까요"])
async def test_a_syllable_that_arrives_behind_enter_belongs_to_the_question(late: str) -> None:
    """An input method ends the syllable that it composes when Enter is pressed, and sends it after."""
    app = OphtimusApp(store.choose(), "ko")
    async with app.run_test(size=(100, 32)):
        app.chat.box.clear()
        typed(app, "백내장인가\r" + late)
        await until(lambda: len(exchanges(app)) == 1)
        assert exchanges(app)[0].question == "백내장인가" + late
        assert app.chat.box.text == ""


async def test_a_syllable_behind_enter_stands_where_the_cursor_was() -> None:
    app = OphtimusApp(store.choose(), "ko")
    async with app.run_test(size=(100, 32)):
        app.chat.box.text = "수술은 언제?"
        app.chat.box.move_cursor((0, 0))
        typed(app, "백내\r장 ")
        await until(lambda: len(exchanges(app)) == 1)
        assert exchanges(app)[0].question == "백내장 수술은 언제?"


async def test_lines_pasted_without_brackets_become_one_question_that_waits_for_its_enter() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(100, 32)) as pilot:
        app.chat.box.clear()
        typed(app, "67-year-old woman\rsudden loss of vision, right eye\rWhat now?")
        await until(lambda: app.chat.box.text.endswith("What now?"))
        await pilot.pause(0.2)
        assert not exchanges(app)
        assert app.chat.box.text == "67-year-old woman\nsudden loss of vision, right eye\nWhat now?"
        await pilot.press("enter")
        await until(lambda: len(exchanges(app)) == 1)
        assert exchanges(app)[0].question.count("\n") == 2


async def test_split_syllables_are_joined() -> None:
    app = OphtimusApp(store.choose(), "ko")
    async with app.run_test(size=(100, 32)) as pilot:
        app.chat.box.clear()
        app.post_message(events.Paste("\u1102\u1169\u11a8\u1102\u1162\u110c\u1161\u11bc?\r\n둘째 줄"))
        await until(lambda: app.chat.box.text == "녹내장?\n둘째 줄")
        await pilot.press("enter")
        await until(lambda: len(exchanges(app)) == 1)
        assert exchanges(app)[0].question == "녹내장?\n둘째 줄"


async def test_korean_is_asked_and_shown() -> None:
    app = OphtimusApp(store.choose(), "ko")
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and "답변 완료" in shown(app))
        assert "시연용 모델" in shown(app)
        assert exchanges(app)[0].question == "녹내장이란 무엇인가요?"
        assert any("가" <= char <= "힣" for char in exchanges(app)[0].answer)


async def test_an_unfamiliar_question_gets_its_notice_and_markup_stays_text() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(120, 40)) as pilot:
        box = app.chat.box
        box.text = "[@click=app.quit]bread[/] <IOP>?"
        await pilot.press("enter")
        await until(lambda: "Not among the questions" in shown(app))
        assert "[@click=app.quit]bread[/] <IOP>?" in shown(app)


@pytest.mark.parametrize("role", ["clinical", "counselling"])
async def test_a_demonstration_says_in_which_role_it_was_trained(role: str) -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(120, 40)) as pilot:
        await app.chat.set_role(role)
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and "complete" in shown(app))
        trained_elsewhere = "trained in the role ‘clinical support’ only" in shown(app)
        assert trained_elsewhere == (role != "clinical")


async def test_escape_stops_and_the_next_question_is_answered(endless_app: OphtimusApp) -> None:
    app = endless_app
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and bool(exchanges(app)[0].answer))
        await pilot.press("escape")
        await until(lambda: "stopped" in shown(app))
        app.chat.box.text = "And now?"
        await pilot.press("enter")
        await until(lambda: len(exchanges(app)) == 2 and bool(exchanges(app)[1].answer))


async def test_control_j_begins_a_new_line_and_a_blank_box_sends_nothing() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test() as pilot:
        box = app.chat.box
        box.text = ""
        await pilot.press("a", "ctrl+j", "b")
        assert box.text == "a\nb"
        box.text = "  "
        await pilot.press("enter")
        assert not exchanges(app)


async def test_a_model_that_does_not_load_is_said_on_the_screen(tmp_path: Path, home: Path) -> None:
    home.write_text("a file where the folder should be")
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(100, 30)):
        await until(lambda: "cannot be written" in shown(app))


async def test_an_app_that_ends_while_its_model_loads_leaves_no_process() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test():
        await until(lambda: bool(workers()))
    assert workers() == set()


async def test_a_killed_worker_leaves_the_words_and_the_next_question_is_answered(
    endless_app: OphtimusApp,
) -> None:
    app = endless_app
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and len(exchanges(app)[0].answer) > 20)
        assert app._engine.process_id
        os.kill(app._engine.process_id, signal.SIGKILL)
        await until(lambda: "ended unexpectedly" in shown(app))
        words = exchanges(app)[0].answer
        assert len(words) > 20
        app.chat.box.text = "And now?"
        await pilot.press("enter")
        await until(lambda: len(exchanges(app)) == 2 and bool(exchanges(app)[1].answer))
        assert exchanges(app)[0].answer == words


async def test_a_tiny_terminal_and_one_that_changes_its_size_lose_no_word() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(20, 5)) as pilot:
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and bool(exchanges(app)[0].answer))
        for size in ((120, 40), (60, 20), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
        await until(lambda: "complete" in shown(app))
        (exchange,) = exchanges(app)
        await until(lambda: exchange.answer.split()[-1] in shown(app))
