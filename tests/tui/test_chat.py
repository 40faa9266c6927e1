"""The chat screen on the real engine, driven as a person drives it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events

from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.widgets.ask_box import AskBox
from ophtimus_tui.widgets.exchange import Exchange


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that the engine's process brings about."""
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


def shown(app: OphtimusApp) -> str:
    """Everything on the screen as one line, its wrapping undone."""
    strips = app.screen._compositor.render_strips()
    return " ".join(" ".join("".join(segment.text for segment in strip) for strip in strips).split())


def exchanges(app: OphtimusApp) -> list[Exchange]:
    return list(app.screen.query(Exchange))


@pytest.mark.parametrize("size", [(120, 32), (60, 24)])
async def test_the_example_is_answered_with_enter(size: tuple[int, int]) -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=size) as pilot:
        assert "What is glaucoma?" in app.screen.query_one(AskBox).text
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and "complete" in shown(app))
        (exchange,) = exchanges(app)
        assert exchange.answer
        # The talk follows its end with the next drawing, which is a moment later.
        await until(lambda: exchange.answer.split()[-1] in shown(app))
        screen = shown(app)
        assert "DEMONSTRATION" in screen
        assert "tokens/s" in screen
        assert "doctor's judgement" in screen


async def test_what_is_typed_in_haste_is_asked_whole() -> None:
    """A fast hand, or a slow machine: Enter waits behind the letters before it, and takes none after it."""
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(100, 32)):
        app.screen.query_one(AskBox).clear()
        for text in ("What is a cataract, and when is it operated on?", "What is myopia?"):
            for letter in text:
                app.post_message(events.Key(letter, letter))
            app.post_message(events.Key("enter", "\r"))
        app.post_message(events.Key("n", "n"))
        await until(lambda: len(exchanges(app)) == 2 and app.screen.query_one(AskBox).text != "")
        asked = [exchange.question for exchange in exchanges(app)]
        assert asked == ["What is a cataract, and when is it operated on?", "What is myopia?"]
        assert app.screen.query_one(AskBox).text == "n"


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
        box = app.screen.query_one(AskBox)
        box.text = "[@click=app.quit]bread[/] <IOP>?"
        await pilot.press("enter")
        await until(lambda: "Not among the questions" in shown(app))
        assert "[@click=app.quit]bread[/] <IOP>?" in shown(app)


async def test_escape_stops_and_the_next_question_is_answered(tiny_model: Path) -> None:
    app = OphtimusApp(store.choose(str(tiny_model)), "en")
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press("enter")
        await until(lambda: bool(exchanges(app)) and bool(exchanges(app)[0].answer))
        await pilot.press("escape")
        await until(lambda: "stopped" in shown(app))
        app.screen.query_one(AskBox).text = "And now?"
        await pilot.press("enter")
        await until(lambda: len(exchanges(app)) == 2 and bool(exchanges(app)[1].answer))


async def test_control_j_begins_a_new_line_and_a_blank_box_sends_nothing() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test() as pilot:
        box = app.screen.query_one(AskBox)
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
