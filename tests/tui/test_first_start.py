"""The first start as a person goes through it: with the keys, with the mouse, and away from it at once."""

import asyncio

import pytest
from piloting import shown, stands, until
from textual.app import App
from textual.widgets import Static

from ophtimus_tui.screens.first_start import FirstChoices, FirstStartScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.themes import THEMES
from ophtimus_tui.widgets.choice_list import Choice


class Small(App[FirstChoices]):
    """An app that is nothing but the first start."""

    def __init__(self, language: str = "en") -> None:
        super().__init__()
        self.texts = Texts(language)
        self.chosen: FirstChoices | None = None

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.push_screen(FirstStartScreen(self.texts), self.take)

    def take(self, chosen: FirstChoices | None) -> None:
        self.chosen = chosen


@pytest.mark.parametrize(("language", "first"), [("en", "▸ 2 English"), ("ko", "▸ 1 한국어")])
async def test_enter_takes_the_default_of_every_page(language: str, first: str) -> None:
    app = Small(language)
    async with app.run_test(size=(100, 32)) as pilot:
        await until(lambda: first in shown(app))
        await pilot.press("enter")
        await until(lambda: Texts(language)("first_start.about_read") in shown(app))
        await pilot.press("enter")
        await until(lambda: Texts(language)("first_start.history_open") in shown(app))
        await pilot.press("enter")
        await until(lambda: app.chosen is not None)
        assert app.chosen == FirstChoices(language, "open")


@pytest.mark.parametrize("entered", [0, 1, 2])
async def test_escape_takes_the_defaults_of_all_that_remain(entered: int) -> None:
    app = Small("ko")
    async with app.run_test(size=(100, 32)) as pilot:
        for number in range(entered):
            await until(lambda number=number: f"3단계 중 {number + 1}단계" in shown(app))
            await pilot.press("enter")
        await until(lambda: f"3단계 중 {entered + 1}단계" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.chosen is not None)
        assert app.chosen == FirstChoices("ko", "open")


@pytest.mark.parametrize("keys", [("1",), ("up",), ("up", "up", "up"), ("1", "9", "3")])
async def test_a_language_is_spoken_as_soon_as_it_is_marked(keys: tuple[str, ...]) -> None:
    app = Small("en")
    async with app.run_test(size=(100, 32)) as pilot:
        await until(lambda: "first start" in shown(app))
        await pilot.press(*keys)
        await stands(app, "처음 시작", "▸ 1 한국어", "Enter 다음", without=["In which language"])
        await pilot.press("enter")
        await until(lambda: "의사의 판단을 돕는 도구이며" in shown(app))
        await pilot.press("enter")
        await until(lambda: "무엇을 보관할까요" in shown(app))
        await pilot.press("3", "enter")
        await until(lambda: app.chosen is not None)
        assert app.chosen == FirstChoices("ko", "nothing")
        assert app.texts.language == "ko"


async def test_what_is_marked_when_escape_is_pressed_is_what_was_seen() -> None:
    """A person who marked "keep nothing" and leaves at once must not find something kept."""
    app = Small("en")
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press("enter", "enter")
        await until(lambda: "What shall be kept" in shown(app))
        await pilot.press("down", "escape")
        await until(lambda: app.chosen is not None)
        assert app.chosen == FirstChoices("en", "nothing")


async def test_a_page_can_be_gone_back_to_and_keeps_what_was_marked() -> None:
    app = Small("en")
    async with app.run_test(size=(100, 32)) as pilot:
        await pilot.press("enter", "enter")
        await until(lambda: "What shall be kept" in shown(app))
        await pilot.press("3", "left", "left", "left")
        await until(lambda: "1 of 3" in shown(app))
        await pilot.press("enter", "enter")
        await until(lambda: "▸ 3 Keep nothing" in shown(app))


async def test_the_mouse_does_all_of_it() -> None:
    app = Small("en")
    async with app.run_test(size=(100, 32)) as pilot:
        await until(lambda: "▸ 2 English" in shown(app))
        await pilot.click(next(iter(app.screen.query(Choice))))
        await until(lambda: "처음 시작" in shown(app))
        await pilot.click("#enter")
        await until(lambda: "읽었습니다" in shown(app))
        await pilot.click("#back")
        await until(lambda: "3단계 중 1단계" in shown(app))
        await pilot.click("#escape")
        await until(lambda: app.chosen is not None)
        assert app.chosen == FirstChoices("ko", "open")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", [(120, 32), (60, 24), (60, 16)])
async def test_question_answers_and_keys_are_in_sight_at_every_size(
    language: str, size: tuple[int, int]
) -> None:
    app = Small(language)
    texts = Texts(language)
    squeezed = lambda text: "".join(text.split())  # noqa: E731 - wrapping may fall between any two syllables
    async with app.run_test(size=size) as pilot:
        for page, answers in (
            ("language", ["language_ko", "language_en"]),
            ("about", ["about_read"]),
            ("history", ["history_passphrase", "history_open", "history_nothing"]),
        ):
            for key in (f"{page}_question", *answers, "enter"):
                sentence = squeezed(texts(f"first_start.{key}"))
                await until(lambda sentence=sentence: sentence in squeezed(shown(app)))
            seen = shown(app)
            for _ in range(6):  # and the whole text can be read
                await pilot.press("pagedown")
                await asyncio.sleep(0.05)
                seen += shown(app)
            if page != "language":
                last = texts(f"first_start.{page}_text").split()[-1]
                await until(lambda last=last, seen=seen: last in seen + shown(app))
            await pilot.press("enter")


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_it_says_what_a_clinic_must_know_before_the_first_question(language: str) -> None:
    app = Small(language)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        words = {
            "en": ["does not replace", "do not wait", "not for clinical use", "leaves this computer"],
            "ko": ["대신하지 않습니다", "기다리지 말고", "진료에 사용할 수 없으며", "밖으로 나가지 않습니다"],
        }[language]
        await until(lambda: all(word in shown(app) for word in words))


async def test_relabel_writes_the_page_in_the_language_of_the_app() -> None:
    app = Small("en")
    async with app.run_test(size=(100, 32)):
        await until(lambda: "first start" in shown(app))
        app.texts.switch("ko")
        assert isinstance(app.screen, FirstStartScreen)
        app.screen.relabel()
        await until(lambda: "처음 시작" in shown(app))
        assert all("first start" not in str(one.render()) for one in app.screen.query(Static))


async def test_the_smallest_terminal_and_a_changing_one_ask_the_same() -> None:
    app = Small("en")
    async with app.run_test(size=(20, 5)) as pilot:
        await until(lambda: isinstance(app.screen, FirstStartScreen))
        await pilot.press("1", "enter", "enter", "3")
        for size in ((120, 40), (21, 6), (200, 50), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
        await until(lambda: "▸ 3 아무것도 보관하지 않습니다" in shown(app))
        await pilot.press("enter")
        await until(lambda: app.chosen is not None)
        assert app.chosen == FirstChoices("ko", "nothing")
