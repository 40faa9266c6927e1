"""Quizzes from files of one's own: opening them, what is wrong in them, very large ones."""

import re
from pathlib import Path

import pytest
from piloting import until
from quiz_screens import (
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
)
from textual.widgets import Input

from ophtimus_edge.specialties.quiz_problems import FILES, ROWS
from ophtimus_tui.screens.open_quiz import OpenQuizScreen
from ophtimus_tui.texts import LANGUAGES, Texts

HOSTILE = "[@click=app.quit]x[/] \x1b]52;c;aGk=\x07\u202eeno [/foo] \x9b2J"
HEADER = "question,option_a,option_b,explanation,answer\n"


async def test_bad_rows_are_said_and_shown_and_the_sound_ones_are_asked(tmp_path: Path) -> None:
    path = own_file(tmp_path, row(), row(answer="[red]Zinc[/red]"), row(question="둘 중 어느 금속인가?"))
    app = Host("en", path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await stands(app, "1 row of the file cannot be asked. The other 2 can.", "own.jsonl")
        await pilot.press("5")
        await until(lambda: app.quiz._state == "problems")
        await stands(
            app,
            "In own.jsonl",
            "Line 2: Its answer, “[red]Zinc[/red]”, is none of its options.",
            "Write the answer as the text of the right option",
        )
        await pilot.press("escape", "4")  # the language
        await until(lambda: app.quiz._settings is not None and app.quiz._settings.language == "ko")
        await begin_from_anywhere(app, pilot)
        assert question(app).question == "둘 중 어느 금속인가?"
        await stands(app, "No topic named")


async def test_a_sound_file_says_nothing_of_bad_rows(tmp_path: Path) -> None:
    app = Host("en", own_file(tmp_path, row(reviewed_by="Dr. Test"), row()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await stands(app, "1 of 2 questions were not reviewed", without=["cannot be asked"])
        await begin(app, pilot)
        said = set()
        for _ in range(2):
            await pilot.press(right_digit(app))
            await until(lambda: app.quiz._state == "marked")
            await until(lambda: "eviewed by" in shown(app))
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
        await stands(app, "option_a")
        await pilot.press("1")
        await until(lambda: app.quiz._state == "menu")
        await begin(app, pilot)
        assert question(app).language == "en"


async def test_a_file_of_bad_rows_alone_offers_no_quiz(tmp_path: Path) -> None:
    app = Host("ko", own_file(tmp_path, row(answer="Z")))
    async with app.run_test(size=(60, 20)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await stands(app, "출제할 수 있는 행이 없습니다")
        await pilot.press("enter")
        await until(lambda: app.quiz._state == "problems")


async def test_very_many_topics_are_cut_to_those_with_most_questions_and_it_is_said(tmp_path: Path) -> None:
    names = [f"t{number:03}" for number in range(120)]
    path = own_file(tmp_path, *(row(topic=name) for name in (*names, *names[21:])))
    app = Host("en", path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.press("2")
        await until(lambda: app.quiz._state == "topics")
        await stands(app, "21 more topics")
        assert app.quiz._settings is not None
        assert app.quiz._settings.listed_topics == names[21:]
        await pilot.press("up", "down", "enter")
        await until(lambda: app.quiz._state == "menu")
        await stands(app, "Topic: t021 · has 2")


def test_every_problem_is_said_in_both_languages_with_the_values_that_it_has() -> None:
    for language in LANGUAGES:
        texts = Texts(language)
        for kind, problems in (("file", FILES), ("row", ROWS)):
            for name, sentences in problems.items():
                values = dict.fromkeys(re.findall(r"(?<!{){(\w+)}", "".join(sentences)), "7")
                for key in (f"quiz.bad_{kind}_{name}", f"quiz.bad_{kind}_{name}_do"):
                    assert texts(key, **values)
                assert texts(f"quiz.bad_{kind}_{name}", **values).count("7") == sentences[0].count("{")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Row 3: It has no answer.", "Row 4: Its language is “fr”.", "none of its options"]),
        (
            "ko",
            [
                "3행: 정답이 없습니다.",
                "4행: 언어가 ‘fr’(으)로 적혀 있습니다.",
                "5행: 정답 ‘아연’이(가) 보기에 없습니다.",
            ],
        ),
    ],
)
async def test_bad_rows_are_said_in_the_language_of_the_app(
    tmp_path: Path, language: str, said: list[str]
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "question,option_a,option_b,answer,language\n"
        "무엇?,철,구리,철,\n무엇?,철,구리,,\n무엇?,철,구리,철,fr\n무엇?,철,구리,아연,\n",
        encoding="cp949",  # as Korean Excel writes it
    )
    app = Host(language, path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.press("5")
        await until(lambda: app.quiz._state == "problems")
        for sentence in said:
            await until(lambda sentence=sentence: sentence in shown(app))
        app.texts.switch("ko")
        app.quiz.relabel()
        await stands(app, "3행: 정답이 없습니다.", without=["Row"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"caf\xe9,option_a\n", "1번째 줄부터 UTF-8도, 한글 CP949도 아닙니다"),
        (b"PK\x03\x04", "Excel 통합 문서"),
        (b"question,answer\n?,x\n", "없는 열: option_a, option_b"),
        (b"", "문항이 없습니다"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_in_the_language_of_the_app(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    app = Host("ko", path)
    async with app.run_test(size=(120, 40)):
        await stands(app, said, "own.csv")


@pytest.mark.usefixtures("no_places")
@pytest.mark.parametrize("how", ["path", "tree", "mouse"])
async def test_a_file_of_ones_own_is_opened_from_the_start_page(tmp_path: Path, how: str) -> None:
    path = own_file(tmp_path, row(question="Which of these two?"))
    app = Host()

    async def click(words: str) -> None:
        await until(lambda: any(words in line for line in rows(app)))
        await pilot.pause()
        y = next(y for y, line in enumerate(rows(app)) if words in line)
        await pilot.click(offset=(rows(app)[y].index(words) + 1, y))

    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        if how == "mouse":
            await click("Open a question file of your own")
        else:
            await pilot.press("5")
        await until(lambda: isinstance(app.screen, OpenQuizScreen))
        await until(lambda: "home folder" in shown(app))
        if how == "path":
            app.screen.query_one(Input).value = f"'{path}'"
            await pilot.press("enter")
        elif how == "tree":
            await pilot.press("tab", "down", "enter")
            await until(lambda: "own.jsonl" in shown(app))
            await pilot.press("down", "enter")
        else:
            await click("home folder")
            await click("own.jsonl")
        await until(lambda: app.screen is app.quiz and "From the file own.jsonl." in shown(app))
        await begin(app, pilot)
        assert question(app).question == "Which of these two?"


@pytest.mark.usefixtures("no_places")
async def test_opening_no_file_leaves_the_page_as_it_was(tmp_path: Path) -> None:
    app = Host()
    async with app.run_test(size=(60, 20)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await pilot.press("5")
        await until(lambda: isinstance(app.screen, OpenQuizScreen))
        await pilot.press("enter", "escape")  # an empty box opens nothing
        await until(lambda: app.screen is app.quiz)
        assert app.quiz._state == "menu"
        await pilot.press("5")
        await until(lambda: isinstance(app.screen, OpenQuizScreen))
        app.screen.query_one(Input).value = str(tmp_path / "no such file.csv")
        await pilot.press("enter")
        await until(lambda: "no such file.csv does not exist." in shown(app))
        await pilot.press("1")  # the questions of the program
        await begin(app, pilot)


async def test_hostile_texts_are_shown_as_the_text_that_they_are(tmp_path: Path) -> None:
    path = own_file(
        tmp_path,
        row(question=HOSTILE, option_b=HOSTILE, topic=HOSTILE, explanation=HOSTILE, reviewed_by=HOSTILE),
        row(answer=HOSTILE),
        row(question=HOSTILE, language=HOSTILE),
    )
    path = path.rename(tmp_path / "own[b]\x1b[2J.jsonl")
    app = Host("en", path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        seen = shown(app)
        await pilot.press("5")
        await until(lambda: app.quiz._state == "problems" and "Line 3" in shown(app))
        seen += shown(app)
        await pilot.press("escape")
        await begin(app, pilot)
        seen += shown(app)
        await pilot.click(app.quiz.query_one("#intro"))
        await pilot.press(right_digit(app))
        await until(lambda: app.quiz._state == "marked")
        await pilot.pause()
        seen += shown(app)
        assert not set(seen) & set("\x1b\x07\x9b\u202e")
        assert seen.count("[@click=app.quit]x[/]") >= 6
        assert "own[b][2J.jsonl" in seen
        assert app.is_running


async def test_a_hundred_thousand_rows_are_drawn_from_and_the_bad_ones_counted(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows_of = (f"Question {number}?,yes,no,,{'yes' if number % 2 else ''}\n" for number in range(100_000))
    path.write_text(HEADER + "".join(rows_of))
    app = Host("en", path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.quiz._state == "menu")
        await until(lambda: "50000 rows of the file cannot be asked. The other 50000 can." in shown(app))
        await pilot.press("5")
        await until(lambda: app.quiz._state == "problems")
        await pilot.press("end")
        await pilot.press("escape")
        await begin(app, pilot)
        assert question(app).answer == "yes"
