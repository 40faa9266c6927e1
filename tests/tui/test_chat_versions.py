"""Answers asked for again, edited questions, answers that go on, turns that are kept or no longer fit."""

import shutil
from pathlib import Path

import msgspec
from piloting import shown, stands, until

from ophtimus_edge.history.demonstration import is_demonstration
from ophtimus_edge.models import store
from ophtimus_edge.models.formats import read_model_folder, write_model_folder
from ophtimus_edge.settings import FIRST_START, Settings
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.set_for_whom import SetForWhom
from ophtimus_tui.widgets.exchange import Exchange

SHORT = Settings(max_tokens=12, details=True, keep_draft=False, first_start_done=FIRST_START)


def exchanges(app: OphtimusApp) -> list[Exchange]:
    return app.chat.exchanges


def done(app: OphtimusApp, count: int) -> bool:
    """Whether so many answers are there, and kept."""
    found = exchanges(app)
    return (
        len(found) == count
        and not app.chat.serving.unfinished
        and all(one.reply and one.reply.finish != "writing" for one in found)
    )


def with_settings(model: Path, settings: Settings = SHORT) -> OphtimusApp:
    app = OphtimusApp(store.choose(str(model)), "en")
    app.set_for = SetForWhom(settings, keeps=False)
    app.chat.apply(settings)
    return app


async def test_an_answer_asked_for_again_is_a_labelled_version_beside_the_first(tiny_model: Path) -> None:
    app = with_settings(tiny_model)
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: done(app, 1))
        first = exchanges(app)[0].answer
        await pilot.press("f5")
        await until(lambda: "‹ 2/2 ›" in shown(app) and done(app, 1))
        second = exchanges(app)[0]
        assert second.reply
        assert second.answer != first
        assert second.reply.provenance.temperature == 0.7
        await stands(app, f"again · temperature 0.7 · seed {second.reply.provenance.seed}")
        await pilot.press("up")
        assert exchanges(app)[0].has_focus
        await pilot.press("left")
        await until(lambda: "‹ 1/2 ›" in shown(app))
        assert exchanges(app)[0].answer == first
        await pilot.click("Exchange KeyLine", offset=(4, 0))
        await until(lambda: "‹ 3/3 ›" in shown(app))


async def test_an_edited_question_is_a_branch_and_the_talk_before_it_stays(tiny_model: Path) -> None:
    app = with_settings(tiny_model)
    async with app.run_test(size=(110, 50)) as pilot:
        for text in ("What is myopia?", "And in children?"):
            app.chat.box.text = text
            await pilot.press("enter")
            await until(lambda text=text: any(one.question == text for one in exchanges(app)))  # type: ignore[misc]
        await until(lambda: done(app, 2))
        await pilot.press("up", "up", "f6")
        assert app.chat.box.text == "What is myopia?"
        await stands(app, "edit the question")
        app.chat.box.text = "What is hyperopia?"
        await pilot.press("enter")
        await until(
            lambda: [one.question for one in exchanges(app)] == ["What is hyperopia?"] and done(app, 1)
        )
        await until(lambda: "‹ 2/2 ›" in shown(app))
        await pilot.press("up", "left")
        await until(lambda: len(exchanges(app)) == 2)
        assert [one.question for one in exchanges(app)] == ["What is myopia?", "And in children?"]
        assert all(one.answer for one in exchanges(app))


async def test_escape_leaves_an_edited_question_as_it_was(tiny_model: Path) -> None:
    app = with_settings(tiny_model)
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: done(app, 1))
        await pilot.press("f6")
        assert app.chat.box.text == "What is glaucoma?"
        await pilot.press("escape")
        assert app.chat.box.text == ""
        app.chat.box.text = "Another"
        await pilot.press("enter")
        await until(lambda: len(exchanges(app)) == 2)


async def test_an_answer_that_was_cut_short_goes_on(tiny_model: Path) -> None:
    app = with_settings(tiny_model)
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: done(app, 1))
        await stands(app, "cut short at the reply limit · F10 goes on")
        reply = exchanges(app)[0].reply
        assert reply
        half, ids = reply.text, list(reply.ids)
        await pilot.press("f10")
        await until(lambda: len(reply.ids) > len(ids) and reply.finish != "writing")
        assert reply.ids[: len(ids)] == ids
        assert reply.text.startswith(half.removesuffix("\ufffd"))
        assert len(exchanges(app)[0].place.replies) == 1  # type: ignore[union-attr]


async def test_turns_that_no_longer_fit_are_said_where_they_were_and_a_kept_one_stays(
    tiny_model: Path,
) -> None:
    app = with_settings(tiny_model, msgspec.structs.replace(SHORT, max_tokens=24))
    async with app.run_test(size=(110, 60)) as pilot:
        for number in range(12):
            app.chat.box.text = f"Question {number}: " + "what can be said of the optic nerve? " * 2
            await pilot.press("enter")
            await until(lambda number=number: done(app, number + 1))  # type: ignore[misc]
            if number == 0:
                await pilot.press("up", "ctrl+k", "enter")
                assert exchanges(app)[0].reply.keep  # type: ignore[union-attr]
        dropped = exchanges(app)[-1].reply.dropped  # type: ignore[union-attr]
        assert dropped
        assert exchanges(app)[0].place.id not in dropped  # type: ignore[union-attr]
        marks = [one._gone_count for one in exchanges(app)]
        assert sum(marks) == len(dropped)
        last = max(index for index, count in enumerate(marks) if count)
        exchanges(app)[last].scroll_visible(animate=False)
        await until(lambda: "no longer fit" in shown(app))


async def test_details_raw_text_and_copy(tiny_model: Path) -> None:
    app = with_settings(tiny_model, msgspec.structs.replace(SHORT, details=False))
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: done(app, 1))
        await stands(app, "cut short at the reply limit", without=["tokens/s ·"])
        await pilot.press("f9")
        await until(lambda: "seed 0" in shown(app) and "Q4_K_M ·" in shown(app))
        await pilot.press("up", "ctrl+c")
        assert app.clipboard == exchanges(app)[0].answer
        exchange = exchanges(app)[0]
        exchange.grow("\n\n```\n```\n\n**녹내장** is here")
        exchange._answer.finish()
        await stands(app, "녹내장 is", without=["**녹내장**"])
        await pilot.press("ctrl+r")
        await until(lambda: "**녹내장**" in shown(app))


async def test_a_new_talk_leaves_the_old_one_in_the_list(tiny_model: Path) -> None:
    app = with_settings(tiny_model)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: done(app, 1))
        answer = exchanges(app)[0].answer
        await pilot.press("ctrl+n")
        await until(lambda: not exchanges(app))
        app.chat.box.text = "What is myopia?"
        await pilot.press("enter")
        await until(lambda: done(app, 1))
        assert exchanges(app)[0].reply.prompt_tokens < 120  # type: ignore[union-attr] - nothing of the other talk
        await pilot.press("f2", "down", "down", "enter")  # the open talk is the first
        await until(lambda: [one.question for one in exchanges(app)] == ["What is glaucoma?"])
        assert exchanges(app)[0].answer == answer
        assert app.chat.box.has_focus


async def test_an_answer_keeps_whether_the_model_that_wrote_it_is_a_demonstration(
    tiny_model: Path, tmp_path: Path
) -> None:
    marked = shutil.copytree(tiny_model, tmp_path / "marked")
    description = read_model_folder(marked)
    description.demonstration = True
    write_model_folder(marked, description)
    for folder, expected in ((tiny_model, False), (marked, True)):
        app = with_settings(folder)
        async with app.run_test(size=(110, 40)) as pilot:
            await pilot.press("enter")
            await until(lambda app=app: done(app, 1))  # type: ignore[misc]
            reply = exchanges(app)[0].reply
            assert reply is not None
            assert is_demonstration(reply.provenance) is expected
