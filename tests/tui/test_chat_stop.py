"""Escape stops at any phase, by key and by mouse; nothing that was asked or written is lost by it."""

import asyncio
from typing import Literal

from piloting import click, shown, until
from scripted_engine import ScriptedEngine, scripted

from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp

SIZE = (120, 36)
WORDS = ["Raised ", "pressure ", "harms ", "the optic nerve."]


def opened(language: str = "en") -> tuple[OphtimusApp, ScriptedEngine]:
    app = OphtimusApp(store.choose(), language)
    return app, scripted(app, ScriptedEngine(WORDS))


def waiting(app: OphtimusApp) -> list[str]:
    """The questions that are on their way to the model."""
    return [job.exchange.question for job in app.chat.serving.unfinished]


async def test_a_question_is_stopped_while_the_model_loads_and_asked_later_as_it_was() -> None:
    app, engine = opened()
    engine.may_load.clear()
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "loading 40 %" in shown(app))
        for text in ("What is glaucoma?", "What is a cataract?"):
            app.chat.box.text = text
            await pilot.press("enter")
        await until(lambda: waiting(app) == ["What is glaucoma?", "What is a cataract?"])
        assert "waiting for its turn" in shown(app)
        await pilot.press("escape")
        await until(lambda: shown(app).count("stopped before it began") == 2)
        engine.may_load.set()
        await until(lambda: "ready" in shown(app))
        assert not engine.asked
        await pilot.press("f5")
        await until(lambda: "".join(WORDS) in shown(app) and "complete" in shown(app))
        last = app.chat.exchanges[-1]
        assert last.question == "What is a cataract?"
        assert last.place
        assert len(last.place.replies) == 1  # no empty version beside it
        assert engine.asked[-1].temperature == 0.0
        assert "again ·" not in shown(app)


async def test_a_question_is_stopped_while_the_history_is_still_opened() -> None:
    """It is not sent when the history is there, and stands in it as a question that was stopped."""
    app, engine = opened()
    may_open, open_it = asyncio.Event(), app.people.go_on_without

    async def open_late(why: Literal["nothing", "failed", "shut"]) -> None:
        await may_open.wait()
        await open_it(why)

    app.people.go_on_without = open_late  # type: ignore[method-assign]
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "ready" in shown(app))
        await pilot.press("enter")
        await until(lambda: waiting(app) == ["What is glaucoma?"])
        await pilot.press("escape")
        await until(lambda: "it gets its place as soon as the history is open" in shown(app))
        app.chat.box.text = "What is a cataract?"  # sent after the key: this one is answered
        await pilot.press("enter")
        await until(lambda: "What is a cataract?" in waiting(app))
        may_open.set()
        await until(lambda: "stopped before it began" in shown(app) and "".join(WORDS) in shown(app))
        assert len(engine.asked) == 1
        path = app.chat.open_talk.talk.path()
        assert [place.text for place in path] == ["What is glaucoma?", "What is a cataract?"]
        assert [place.reply and place.reply.text for place in path] == ["", "".join(WORDS)]


async def test_a_question_is_stopped_while_it_is_read() -> None:
    app, engine = opened()
    engine.may_read.clear()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter")
        await until(lambda: "reading the question 40 %" in shown(app))
        await pilot.press("escape")
        await until(lambda: "stopped before it began" in shown(app) and "ready" in shown(app))
        engine.may_read.set()
        await click(app, pilot, "F5 asks again")
        await until(lambda: "".join(WORDS) in shown(app))
        assert app.chat.exchanges[0].place
        assert len(app.chat.exchanges[0].place.replies) == 1


async def test_an_answer_that_is_stopped_while_it_is_written_keeps_its_words_and_goes_on() -> None:
    app = OphtimusApp(store.choose(), "en")
    engine = scripted(app, ScriptedEngine(["Half an answer "] * 3, [" and the rest."]))
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "ready" in shown(app))
        begun = app.chat.serving._tell

        def told(key: str, *more: object, **values: object) -> None:
            begun(key, *more, **values)  # type: ignore[arg-type]
            if key == "chat.writing":
                engine.may_write.clear()  # hold it behind the first piece

        app.chat.serving._tell = told  # type: ignore[method-assign]
        await pilot.press("enter")
        await until(lambda: "writing" in shown(app) and "Half an answer" in shown(app))
        await click(app, pilot, "Esc stops")
        await until(lambda: "stopped · F10 goes on" in shown(app))
        half = app.chat.exchanges[0].answer
        assert half.startswith("Half an answer ")
        engine.may_write.set()
        await click(app, pilot, "F10 goes on")
        await until(lambda: "and the rest." in shown(app) and "complete" in shown(app))
        assert app.chat.exchanges[0].answer == half + " and the rest."


async def test_only_what_is_under_way_is_stopped_and_the_next_question_is_answered() -> None:
    app, engine = opened()
    engine.may_read.clear()
    async with app.run_test(size=SIZE) as pilot:
        for text in ("What is glaucoma?", "What is a cataract?"):
            app.chat.box.text = text
            await pilot.press("enter")
            await until(
                lambda text=text: bool(app.chat.exchanges) and app.chat.exchanges[-1].question == text
            )  # type: ignore[misc]
        await until(lambda: "reading the question" in shown(app))
        await pilot.press("escape")
        await until(lambda: "stopped before it began" in shown(app))
        engine.may_read.set()
        await until(lambda: app.chat.exchanges[1].answer == "".join(WORDS))


async def test_an_answer_goes_on_while_another_talk_is_open_and_is_whole_when_one_comes_back() -> None:
    app, engine = opened()
    engine.may_read.clear()
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "ready" in shown(app))
        await pilot.press("enter")
        await until(lambda: "reading the question" in shown(app))
        app.chat.box.text = "And a second one?"
        await pilot.press("enter")
        await until(lambda: len(app.chat.exchanges) == 2)
        await pilot.press("ctrl+n")
        await until(lambda: not app.chat.exchanges)
        await pilot.pause(0.2)  # the new talk takes the cursor at last
        await pilot.press("f2", "down", "enter")
        await until(lambda: len(app.chat.exchanges) == 2)
        engine.may_read.set()
        await until(lambda: shown(app).count("".join(WORDS)) == 2)
        assert [one.question for one in app.chat.exchanges] == ["What is glaucoma?", "And a second one?"]


async def test_the_mouse_sends_the_question() -> None:
    app, _ = opened("ko")
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "준비됨" in shown(app))
        await click(app, pilot, "Enter 보내기")
        await until(lambda: "".join(WORDS) in shown(app))
