"""The quiz on the screen, driven as a person drives it, with the keyboard and with the mouse."""

from collections.abc import Callable
from pathlib import Path

import pytest
from piloting import until
from quiz_screens import (
    SIZES,
    Host,
    begin,
    begin_from_anywhere,
    own_file,
    question,
    right_digit,
    row,
    rows,
    shown,
    stands,
    wrong_digit,
)
from textual.widgets import Static

from ophtimus_edge.specialties.questions import choice_prompt
from ophtimus_tui.widgets.choice_list import Choice, ChoiceList


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_quiz_from_the_start_page_to_the_score(size: tuple[int, int], language: str) -> None:
    app = Host(language)
    t = app.texts
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await stands(app, t("quiz.none_reviewed"), t("quiz.no_questions_in", language=t("quiz.in_ko")))
        await pilot.press("3", "3")  # ten, twenty, five
        await stands(app, t("quiz.how_many", count=5))
        await begin(app, pilot)
        for number in range(1, 6):
            await until(lambda number=number: f"{number}" in rows(app)[0])  # type: ignore[misc]
            await stands(app, *question(app).options)
            is_right = number != 2
            await pilot.press(right_digit(app) if is_right else wrong_digit(app))
            await until(lambda: app.quiz._state == "marked")
            await stands(
                app,
                "✓" if is_right else "✗",
                t("quiz.right_option", option="").strip(),
                question(app).answer,
                t("quiz.not_reviewed"),
            )
            seen = shown(app)
            await pilot.press("pagedown")  # a long explanation goes on there
            await pilot.pause()
            assert set(question(app).explanation.split()) <= set(f"{seen} {shown(app)}".split())
            await pilot.press("enter")
            await until(lambda: app.quiz._state != "marked")
        await until(lambda: app.quiz._state == "end")
        await stands(app, t("quiz.score", right=4, answered=5, percent=80), t("quiz.again", count=1))
        await pilot.press("1")  # the wrong one once more
        await until(lambda: app.quiz._state == "question")
        await pilot.press(right_digit(app), "enter")
        await until(lambda: app.quiz._state == "end")
        await stands(
            app,
            t("quiz.score", right=4, answered=5, percent=80),
            t("quiz.score_again", right=1, answered=1),
        )
        await pilot.press("escape")
        await until(lambda: app.left)


@pytest.mark.parametrize("size", SIZES)
async def test_arrows_and_enter_answer_and_enter_alone_does_not(size: tuple[int, int]) -> None:
    app = Host()
    async with app.run_test(size=size) as pilot:
        await begin(app, pilot)
        await pilot.press("enter")
        assert app.quiz._state == "question"
        await pilot.press("9", "0")
        assert app.quiz._state == "question"
        await pilot.press(*["down"] * int(right_digit(app)), "enter")
        await until(lambda: app.quiz._state == "marked")
        await stands(app, app.texts("quiz.right"))


@pytest.mark.parametrize("size", SIZES)
async def test_everything_is_done_with_the_mouse(size: tuple[int, int]) -> None:
    app = Host()
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.pause()

        async def click(words: str) -> None:
            """On the first line of the screen that shows these words."""
            await pilot.pause()
            y = next(y for y, line in enumerate(rows(app)) if words in line)
            await pilot.click(offset=(rows(app)[y].index(words) + 1, y))

        await click("Topic:")
        await until(lambda: app.quiz._state == "topics")
        await click("Cataract")
        await until(lambda: app.quiz._state == "menu")
        await click("Begin: 2")
        await until(lambda: app.quiz._state == "question")
        assert question(app).topic == "cataract"
        await click("F5 ask")
        await until(lambda: len(app.asked) == 1)
        place = question(app).letter
        await click(f"{place}) ")
        await until(lambda: app.quiz._state == "marked")
        assert app.quiz._mark
        assert app.quiz._mark.right
        await click("Next question")
        await until(lambda: app.quiz._state == "question")
        await click("Esc leaves")
        await until(lambda: app.quiz._state == "leaving")
        await click("Leave the quiz")  # the heading says the same words, and is no choice
        assert not app.left
        line = max(y for y, text in enumerate(rows(app)) if "Leave the quiz" in text)
        await pilot.click(offset=(6, line))
        await until(lambda: app.left)


async def test_a_double_click_answers_and_does_not_go_on() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await pilot.double_click(app.quiz.query_one("#options", ChoiceList).query(Choice).first())
        await until(lambda: app.quiz._state == "marked")
        await pilot.pause()
        assert app.quiz._state == "marked"


async def test_a_click_beside_the_choices_leaves_the_keys_working() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await pilot.click("#intro")
        await pilot.click("#heading")
        await pilot.press(right_digit(app))
        await until(lambda: app.quiz._state == "marked")


async def test_escape_asks_first_shows_the_score_and_loses_nothing() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await pilot.press(right_digit(app), "enter")
        await until(lambda: app.quiz._state == "question")
        before = question(app)
        await pilot.press("escape")
        await until(lambda: app.quiz._state == "leaving")
        await stands(app, "So far 1 of 1 right, and 9 still to answer.")
        await pilot.press("escape")
        await until(lambda: app.quiz._state == "question")
        assert question(app) is before
        await pilot.press("escape", "enter")  # "go on" comes first
        await until(lambda: app.quiz._state == "question")
        assert not app.left
        await pilot.press("escape", "2")
        await until(lambda: app.left)


async def test_the_model_is_asked_with_the_options_as_they_stand() -> None:
    app = Host()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.press("f5")
        await begin(app, pilot)
        await pilot.press("f5")
        await until(lambda: len(app.asked) == 1)
        assert app.asked == [choice_prompt(question(app))]
        await stands(app, *app.asked[0].splitlines()[4:])  # the screen calls the options by the same letters
        assert app.quiz._state == "question"
        await pilot.press(right_digit(app), "f5")
        await until(lambda: len(app.asked) == 2)
        assert app.asked[0] == app.asked[1]


async def test_another_language_is_there_at_once_and_nothing_else_changes() -> None:
    app = Host("en")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.press("down", "down")

        def english() -> set[str]:
            """What the screen says that Korean says otherwise."""
            said = {
                str(widget.render())
                for widget in app.quiz.query(Static)
                if widget.display and widget.render()
            }
            return {text for text in said if not any("가" <= letter <= "힣" for letter in text)}

        app.texts.switch("ko")
        app.quiz.relabel()
        await stands(app, "문항 수: 10")
        assert app.quiz.query_one("#actions", ChoiceList).at == 2
        assert all(text.strip(" ▸0123456789") == "" for text in english())
        app.texts.switch("en")
        app.quiz.relabel()
        await begin_from_anywhere(app, pilot)
        before = question(app)
        await pilot.press("down", "down")
        app.texts.switch("ko")
        app.quiz.relabel()
        await stands(app, "10문항 중 1번", "F5 모델에 질문")
        assert question(app) is before
        await pilot.press("enter")
        await until(lambda: app.quiz._state == "marked")
        app.texts.switch("en")
        app.quiz.relabel()
        await stands(app, "Not reviewed by a physician.", without=["의사"])
        assert app.quiz._mark
        assert app.quiz._mark.chosen == 1


@pytest.mark.parametrize("size", SIZES)
async def test_long_texts_wrap_and_every_word_can_be_reached(tmp_path: Path, size: tuple[int, int]) -> None:
    def long(name: str) -> str:
        return " ".join(f"{name}{number}" for number in range(120))

    path = own_file(
        tmp_path,
        row(
            question=long("q"), option_a=long("a"), option_b=long("b"), option_c=long("c"), option_d=long("d"),
            option_e="x" * 400, explanation=long("e"), answer="C",
        ),
    )  # fmt: skip
    app = Host("en", path)
    async with app.run_test(size=size) as pilot:
        await begin(app, pilot)

        async def read(first: str, whole: Callable[[str], bool]) -> str:
            """All that passes when one pages down from the top, until nothing is missing."""
            await until(lambda: first in shown(app))
            seen, body = "", app.quiz._body
            for _ in range(100):
                seen += " " + shown(app)
                if whole(seen):
                    break
                before = body.scroll_y
                await pilot.press("pagedown")
                for _ in range(60):  # a busy machine may take seconds to lay out what it scrolls
                    await pilot.pause(0.05)
                    if body.scroll_y != before:
                        break
            return " ".join(seen.split())

        words = {word for name in "qabcd" for word in long(name).split()}
        seen = await read("q0 ", lambda seen: words <= set(seen.split()) and seen.count("x") >= 400)
        assert words <= set(seen.split())
        assert seen.count("x") >= 400
        await pilot.press(right_digit(app))
        await until(lambda: app.quiz._state == "marked")
        said = "Not reviewed by a physician."
        seen = await read(
            "✓ Right.", lambda seen: said in seen and set(long("e").split()) <= set(seen.split())
        )
        assert set(long("e").split()) <= set(seen.split())
        assert said in seen
        assert app.quiz._body.max_scroll_x == 0


async def test_the_smallest_terminal_and_a_changing_one_lose_nothing() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        await begin(app, pilot)
        before = question(app)
        await pilot.press(right_digit(app))
        await until(lambda: app.quiz._state == "marked")
        for size in ((120, 40), (21, 6), (200, 50), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
            await until(lambda size=size: len(rows(app)) == size[1])
        assert app.quiz._mark is not None
        assert app.quiz._mark.question == before
        await until(lambda: "Right." in shown(app))
