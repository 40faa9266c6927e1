"""The quiz on the screen, driven as a person drives it, with the keyboard and with the mouse."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from ophtimus_edge.specialties.questions import ChoiceQuestion, choice_prompt
from ophtimus_tui.screens.quiz import QuizScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.choice_list import Choice, ChoiceList

SIZES = [(60, 20), (80, 24), (120, 40)]


class Host(App[None]):
    """An app that has the quiz and nothing else."""

    def __init__(self, language: str = "en", path: Path | None = None) -> None:
        super().__init__()
        self.texts = Texts(language)
        self.quiz = QuizScreen(self.texts, path)
        self.asked: list[str] = []
        self.left = False

    def on_mount(self) -> None:
        self.push_screen(self.quiz, self._leave)

    def _leave(self, _result: None) -> None:
        self.left = True

    def on_quiz_screen_ask_model(self, message: QuizScreen.AskModel) -> None:
        self.asked.append(message.question_text)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


def rows(app: App[None]) -> list[str]:
    """The screen, line by line, without its scroll bar."""
    strips = app.screen._compositor.render_strips()
    return [re.sub("[▁-█]", " ", "".join(segment.text for segment in strip)) for strip in strips]


def shown(app: App[None]) -> str:
    """Everything on the screen as one line, its wrapping undone."""
    return " ".join(" ".join(rows(app)).split())


def question(app: Host) -> ChoiceQuestion:
    asked = app.quiz._question()
    assert asked is not None
    return asked


def right_digit(app: Host) -> str:
    return str("ABCDE".index(question(app).letter) + 1)


def wrong_digit(app: Host) -> str:
    return "2" if right_digit(app) == "1" else "1"


async def begin(app: Host, pilot: Pilot[None]) -> None:
    """From the start page to the first question, with what stands there."""
    await until(lambda: app.quiz._state == "menu")
    await pilot.press("enter")
    await until(lambda: app.quiz._state == "question")
    await pilot.pause()


def own_file(folder: Path, *questions: dict[str, str]) -> Path:
    path = folder / "own.jsonl"
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions), encoding="utf-8"
    )
    return path


def row(**changes: str) -> dict[str, str]:
    return {
        "question": "Which metal?", "option_a": "Copper", "option_b": "Iron", "explanation": "Because.",
        "answer": "Copper",
    } | changes  # fmt: skip


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_quiz_from_the_start_page_to_the_score(size: tuple[int, int], language: str) -> None:
    app = Host(language)
    t = app.texts
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.pause()
        assert t("quiz.none_reviewed") in shown(app)
        assert t("quiz.no_questions_in", language=t("quiz.in_ko")) in shown(app)
        await pilot.press("3", "3")  # ten, twenty, five
        assert t("quiz.how_many", count=5) in shown(app)
        await begin(app, pilot)
        for number in range(1, 6):
            assert f"{number}" in rows(app)[0]
            for option in question(app).options:
                assert option in shown(app)
            is_right = number != 2
            await pilot.press(right_digit(app) if is_right else wrong_digit(app))
            await until(lambda: app.quiz._state == "marked")
            await pilot.pause()
            assert ("✓" if is_right else "✗") in shown(app)
            assert t("quiz.right_option", option="").strip() in shown(app)
            assert question(app).answer in shown(app)
            assert question(app).explanation in shown(app)
            assert t("quiz.not_reviewed") in shown(app)
            await pilot.press("enter")
            await until(lambda: app.quiz._state != "marked")
        await until(lambda: app.quiz._state == "end")
        await pilot.pause()
        assert t("quiz.score", right=4, answered=5, percent=80) in shown(app)
        assert t("quiz.again", count=1) in shown(app)
        await pilot.press("1")  # the wrong one once more
        await until(lambda: app.quiz._state == "question")
        await pilot.press(right_digit(app), "enter")
        await until(lambda: app.quiz._state == "end")
        await pilot.pause()
        assert t("quiz.score", right=4, answered=5, percent=80) in shown(app)
        assert t("quiz.score_again", right=1, answered=1) in shown(app)
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
        await pilot.pause()
        assert app.texts("quiz.right") in shown(app)


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
        await pilot.pause()
        assert "So far 1 of 1 right, and 9 still to answer." in shown(app)
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
        for line in app.asked[0].splitlines()[4:]:
            assert line in shown(app)  # the screen calls the options by the same letters
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
        await pilot.pause()
        assert "문항 수: 10" in shown(app)
        assert app.quiz.query_one("#actions", ChoiceList).at == 2
        assert all(text.strip(" ▸0123456789") == "" for text in english())
        app.texts.switch("en")
        app.quiz.relabel()
        await begin_from_anywhere(app, pilot)
        before = question(app)
        await pilot.press("down", "down")
        app.texts.switch("ko")
        app.quiz.relabel()
        await pilot.pause()
        assert "10문항 중 1번" in shown(app)
        assert "F5 모델에 질문" in shown(app)
        assert question(app) is before
        await pilot.press("enter")
        await until(lambda: app.quiz._state == "marked")
        app.texts.switch("en")
        app.quiz.relabel()
        await pilot.pause()
        assert "Not reviewed by a physician." in shown(app)
        assert "의사" not in shown(app)
        assert app.quiz._mark
        assert app.quiz._mark.chosen == 1


async def begin_from_anywhere(app: Host, pilot: Pilot[None]) -> None:
    await pilot.press("1")
    await until(lambda: app.quiz._state == "question")
    await pilot.pause()


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

        async def read(first: str) -> str:
            """All that passes when one pages down from the top."""
            await until(lambda: first in shown(app))
            seen = ""
            while True:
                seen += " " + shown(app)
                before = app.quiz._body.scroll_y
                await pilot.press("pagedown")
                await pilot.pause()
                if app.quiz._body.scroll_y == before:
                    return seen

        seen = await read("q0 ")
        for name in "qabcd":
            assert set(long(name).split()) <= set(seen.split())
        assert seen.count("x") >= 400
        await pilot.press(right_digit(app))
        await until(lambda: app.quiz._state == "marked")
        seen = await read("✓ Right.")
        assert set(long("e").split()) <= set(seen.split())
        assert "Not reviewed by a physician." in " ".join(seen.split())
        assert app.quiz._body.max_scroll_x == 0


async def test_bad_rows_are_said_and_shown_and_the_sound_ones_are_asked(tmp_path: Path) -> None:
    path = own_file(tmp_path, row(), row(answer="[red]Zinc[/red]"), row(question="둘 중 어느 금속인가?"))
    app = Host("en", path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.pause()
        assert "1 row of the file cannot be asked. The other 2 can." in shown(app)
        assert "own.jsonl" in shown(app)
        await pilot.press("5")
        await until(lambda: app.quiz._state == "problems")
        await pilot.pause()
        assert "own.jsonl, line 2: its answer, “[red]Zinc[/red]”, is none of its options." in shown(app)
        assert "Write the answer as the text of the right option" in shown(app)
        await pilot.press("escape", "4")  # the language
        await until(lambda: app.quiz._settings is not None and app.quiz._settings.language == "ko")
        await begin_from_anywhere(app, pilot)
        assert question(app).question == "둘 중 어느 금속인가?"
        assert "No topic named" in shown(app)


async def test_a_sound_file_says_nothing_of_bad_rows(tmp_path: Path) -> None:
    app = Host("en", own_file(tmp_path, row(reviewed_by="Dr. Test"), row()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.pause()
        assert "cannot be asked" not in shown(app)
        assert "1 of 2 questions were not reviewed" in shown(app)
        await begin(app, pilot)
        said = set()
        for _ in range(2):
            await pilot.press(right_digit(app))
            await until(lambda: app.quiz._state == "marked")
            await pilot.pause()
            said |= {words for words in ("Reviewed by Dr. Test.", "Not reviewed by") if words in shown(app)}
            await pilot.press("enter")
            await until(lambda: app.quiz._state != "marked")
        assert said == {"Reviewed by Dr. Test.", "Not reviewed by"}


@pytest.mark.parametrize("content", ["", "question,answer\nWhich?,x\n"])
async def test_a_file_without_questions_says_what_to_do_and_the_embedded_ones_are_there(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(content)
    app = Host("en", path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "failed")
        await pilot.pause()
        assert "option_a" in shown(app)
        await pilot.press("1")
        await until(lambda: app.quiz._state == "menu")
        await begin(app, pilot)
        assert question(app).language == "en"


async def test_a_file_of_bad_rows_alone_offers_no_quiz(tmp_path: Path) -> None:
    app = Host("ko", own_file(tmp_path, row(answer="Z")))
    async with app.run_test(size=(60, 20)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.pause()
        assert "출제할 수 있는 행이 없습니다" in shown(app)
        await pilot.press("enter")
        await until(lambda: app.quiz._state == "problems")


async def test_very_many_topics_are_cut_to_those_with_most_questions_and_it_is_said(tmp_path: Path) -> None:
    path = own_file(tmp_path, *(row(topic=f"t{number:03}") for number in range(120)), row(topic="t119"))
    app = Host("en", path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.press("2")
        await until(lambda: app.quiz._state == "topics")
        await pilot.pause()
        assert "21 more topics" in shown(app)
        await pilot.press("up", *["down"] * 99, "enter")
        await until(lambda: app.quiz._state == "menu")
        await pilot.pause()
        assert "Topic: t119 · has 2" in shown(app)
