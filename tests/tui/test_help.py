"""Help shows the keys that it is handed, and says what the app's lines mean, in both languages."""

import pytest
from piloting import shown, stands, until
from textual.app import App

from ophtimus_edge import locations
from ophtimus_tui.keys import Key
from ophtimus_tui.screens.help import HelpScreen, key_name
from ophtimus_tui.texts import Texts

KEYS = {
    "help.keys_title": (Key("enter", "", "first_start.about_read"), Key("ctrl+j", "", "chat.ready")),
    "help.quiz_title": (Key("pageup,pagedown", "", "chat.waiting"),),
}


class Small(App[None]):
    """An app that opens the help."""

    def __init__(self, language: str = "en") -> None:
        super().__init__()
        self.texts = Texts(language)
        self.closed = False

    def on_mount(self) -> None:
        self.push_screen(HelpScreen(self.texts, KEYS), self.close)

    def close(self, _result: None) -> None:
        self.closed = True


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_keys_that_are_handed_in_are_what_is_shown(language: str) -> None:
    app = Small(language)
    async with app.run_test(size=(120, 60)):
        for name, key in (("Enter", "first_start.about_read"), ("PgUp, PgDn", "chat.waiting"),
                          ("Ctrl+J", "chat.ready")):  # fmt: skip
            await until(lambda name=name, key=key: f"{name} {app.texts(key)}" in shown(app))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["No notice means nothing", "without a physician's review", "Figures to check", "registration number",
                "not wait for the answer", "ophtimus doctor --bundle", "does not replace"]),
        ("ko", ["알림이 없다는 것은 아무 의미가 없습니다", "의사의 검토를 받지 않았습니다", "확인할 수치",
                "주민등록번호", "기다리지 말고", "ophtimus doctor --bundle", "대신하지 않습니다"]),
    ],
)  # fmt: skip
async def test_it_says_what_the_lines_mean_and_how_to_report_a_fault(language: str, words: list[str]) -> None:
    app = Small(language)
    async with app.run_test(size=(130, 70)):
        await until(lambda: all(word in shown(app) for word in words))


async def test_it_says_where_things_are_stored_on_this_computer() -> None:
    app = Small()
    async with app.run_test(size=(250, 70)):
        for path in (locations.settings_file(), locations.models_folder(), locations.engine_log()):
            await until(lambda path=path: "".join(str(path).split()) in "".join(shown(app).split()))
        assert "for themselves is in settings.toml" in shown(app)


@pytest.mark.parametrize("how", ["escape", "f1", "#close"])
async def test_it_is_closed_with_either_key_and_with_the_mouse(how: str) -> None:
    app = Small()
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: "Keys" in shown(app))
        await (pilot.click(how) if how.startswith("#") else pilot.press(how))
        await until(lambda: app.closed)


@pytest.mark.parametrize("key", ["down", "pagedown"])
async def test_a_small_screen_scrolls_to_the_end(key: str) -> None:
    app = Small()
    async with app.run_test(size=(60, 20)) as pilot:
        await until(lambda: "Keys" in shown(app))
        assert "what you saw" not in shown(app)
        for _ in range(80):
            await pilot.press(key)
            if "what you saw" in shown(app):
                break
        await until(lambda: "what you saw" in shown(app))


async def test_the_smallest_terminal_and_a_changing_one_can_be_read_to_the_end() -> None:
    app = Small()
    async with app.run_test(size=(20, 5)) as pilot:
        await until(lambda: "Keys" in shown(app))
        for size in ((120, 40), (21, 6), (200, 50), (20, 5)):
            await pilot.resize_terminal(*size)
        await pilot.press("end")
        await until(lambda: "saw." in shown(app))
        await pilot.press("escape")
        await until(lambda: app.closed)


async def test_relabel_writes_it_in_the_other_language() -> None:
    app = Small("en")
    async with app.run_test(size=(120, 60)):
        await until(lambda: "No notice means nothing" in shown(app))
        app.texts.switch("ko")
        assert isinstance(app.screen, HelpScreen)
        app.screen.relabel()
        await stands(app, "단축키", without=["No notice means nothing"])


@pytest.mark.parametrize(
    ("keys", "name"),
    [("f1", "F1"), ("ctrl+q", "Ctrl+Q"), ("escape", "Esc"), ("shift+tab", "Shift+Tab"), ("up,down", "↑, ↓")],
)
def test_keys_are_named_as_they_are_printed(keys: str, name: str) -> None:
    assert key_name(keys) == name
