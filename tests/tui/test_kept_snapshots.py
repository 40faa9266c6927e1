"""How the screens on kept talks look, in both languages; looked at by a person when they change."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from histories import HOW, talk_of
from piloting import lines, shown, until
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from ophtimus_edge import locations
from ophtimus_edge.history import talk as talks
from ophtimus_edge.history.keeping import Forgetting
from ophtimus_edge.history.talk import Flag
from ophtimus_tui import themes
from ophtimus_tui.file_names import file_name
from ophtimus_tui.screens.find import FindScreen
from ophtimus_tui.screens.flag import FlagScreen
from ophtimus_tui.screens.handout import HandoutScreen
from ophtimus_tui.screens.name_talk import NameTalkScreen
from ophtimus_tui.screens.passphrase_boxes import SecretScreen
from ophtimus_tui.screens.restore import RestoreScreen
from ophtimus_tui.screens.save_file import SaveFileScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.exchange import Exchange

NOW = datetime.datetime(2026, 11, 23, 9, 41, tzinfo=datetime.UTC)
ANSWERS = {
    "en": (
        "What is glaucoma?", "Damage of the optic nerve, often with high pressure in the eye.",
        "Does eye pressure alone make the diagnosis?", "No: the nerve and the visual field are examined too.",
    ),
    "ko": (
        "녹내장이란 무엇인가요?", "시신경이 손상되는 병으로, 안압이 높은 경우가 많습니다.",
        "안압만으로 진단하나요?", "아니요. 시신경과 시야도 함께 검사합니다.",
    ),
}  # fmt: skip
WORDS = {"en": "pressure eye", "ko": "안압"}
Compare = Callable[..., bool]
Make = Callable[[Texts], Screen[object]]
looks = pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("ko", "light")])


@pytest.fixture(autouse=True)
def one_place(monkeypatch: pytest.MonkeyPatch, no_places: None) -> None:
    """Clock and paths are the same everywhere."""
    monkeypatch.setattr(talks, "now", lambda: NOW)
    monkeypatch.setattr(locations, "documents_folder", lambda: Path("/home/clinic/documents"))
    monkeypatch.setattr(Path, "home", lambda: Path("/home/clinic"))


class Picture(App[None]):
    """One screen and nothing else."""

    def __init__(self, language: str, theme: str, make: Make) -> None:
        super().__init__()
        self.texts = Texts(language)
        for one in themes.THEMES:
            self.register_theme(one)
        self.theme = themes.theme_named(theme)
        self._make = make

    def on_mount(self) -> None:
        self.push_screen(self._make(self.texts))


async def still(pilot: Pilot[None], *words: str) -> None:
    """Until the words are there, no cursor blinks, and nothing moves any more."""
    await until(lambda: all(word in shown(pilot.app) for word in words))
    before: list[str] = []
    while before != (before := lines(pilot.app)) or pilot.app.screen.focused:
        pilot.app.screen.set_focus(None)
        await pilot.pause(0.3)


def look(compare: Compare, language: str, theme: str, make: Make, *words: str) -> bool:
    return compare(
        Picture(language, theme, make), terminal_size=(80, 24), run_before=lambda pilot: still(pilot, *words)
    )


def history_of(language: str) -> Forgetting:
    history = Forgetting()
    asked = ANSWERS[language]
    history.begin(talk_of(*asked[:2]))
    pinned = talk_of(*asked[2:])
    pinned.pinned = True
    history.begin(pinned)
    return history


@looks
@pytest.mark.parametrize("state", ["found", "nothing"])
def test_finding(snap_compare: Compare, language: str, theme: str, state: str) -> None:
    async def searched(pilot: Pilot[None]) -> None:
        await until(lambda: bool(pilot.app.screen.query(Input)))
        words = WORDS[language] if state == "found" else "xyzzy"
        pilot.app.screen.query_one(Input).value = words
        await still(pilot, "2026-11-23" if state == "found" else "xyzzy")
        await still(pilot)

    app = Picture(language, theme, lambda texts: FindScreen(texts, history_of(language)))
    assert snap_compare(app, terminal_size=(80, 24), run_before=searched)


@looks
def test_flagging(snap_compare: Compare, language: str, theme: str) -> None:
    flag = Flag(kind="unsafe", correction=ANSWERS[language][3], at=NOW)
    assert look(snap_compare, language, theme, lambda texts: FlagScreen(texts, flag), "F2")


@looks
def test_a_flagged_answer(snap_compare: Compare, language: str, theme: str) -> None:
    talk = talk_of(*ANSWERS[language])
    place = talk.path()[0]
    assert place.reply
    place.reply.flag = Flag(kind="wrong", correction=ANSWERS[language][3], at=NOW)

    class Talked(Screen[object]):
        def compose(self):  # type: ignore[no-untyped-def]
            texts = self.app.texts  # type: ignore[attr-defined]
            for one in talk.path():
                yield Exchange(texts, one.text, talk, one, raw=False, details=False)

    assert look(snap_compare, language, theme, lambda _texts: Talked(), "✕")


@looks
def test_a_title(snap_compare: Compare, language: str, theme: str) -> None:
    title = ANSWERS[language][0]
    assert look(snap_compare, language, theme, lambda texts: NameTalkScreen(texts, title), "Esc")


@looks
def test_saving(snap_compare: Compare, language: str, theme: str) -> None:
    def make(texts: Texts) -> Screen[object]:
        name = file_name(ANSWERS[language][0], NOW.date(), "html")
        return SaveFileScreen(  # type: ignore[return-value]
            texts, lambda: texts("export.save_title"), name, lambda _path, _there: None, lambda: texts("save.writing")
        )  # fmt: skip

    assert look(snap_compare, language, theme, make, "/home/clinic/documents", "Esc")


@looks
def test_a_handout(snap_compare: Compare, language: str, theme: str) -> None:
    assert HOW.model  # an answer of a real model is one that a handout is made of
    draft = ANSWERS[language][1]
    assert look(snap_compare, language, theme, lambda texts: HandoutScreen(texts, draft), "F2")


@looks
def test_a_new_passphrase(snap_compare: Compare, language: str, theme: str) -> None:
    def make(texts: Texts) -> Screen[object]:
        return SecretScreen(texts, lambda: texts("backup.new_passphrase"), new=True)  # type: ignore[return-value]

    assert look(snap_compare, language, theme, make, "F2")


@looks
def test_restoring(snap_compare: Compare, language: str, theme: str) -> None:
    assert look(snap_compare, language, theme, RestoreScreen, "F2", "/home/clinic")
