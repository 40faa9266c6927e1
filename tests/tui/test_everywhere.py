"""Keys that do the same on every screen: help, language, theme; and the palette beside the chat."""

import pytest
from piloting import shown, until
from textual.command import CommandPalette

from ophtimus_edge import settings
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.keys import CHAT, MODELS, QUIZ
from ophtimus_tui.screens.add_model import AddModelScreen
from ophtimus_tui.screens.chat import ChatScreen
from ophtimus_tui.screens.first_start import FirstStartScreen
from ophtimus_tui.screens.help import HelpScreen
from ophtimus_tui.screens.models import ModelsScreen
from ophtimus_tui.screens.quiz import QuizScreen
from ophtimus_tui.texts import Texts


@pytest.mark.parametrize("name", ["models", "quiz"])
async def test_help_language_theme_and_palette_are_under_the_same_keys(name: str) -> None:
    app = OphtimusApp(store.choose(), "en")
    english, korean = Texts("en"), Texts("ko")
    kind = {"models": ModelsScreen, "quiz": QuizScreen}[name]
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: isinstance(app.screen, ChatScreen))
        await app.run_action(name)
        await until(lambda: isinstance(app.screen, kind) and english(f"{name}.title") in shown(app))
        await pilot.press("f1")
        await until(lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("ctrl+l")
        await until(lambda: korean("help.keys_title") in shown(app))
        await pilot.press("f1")
        await until(lambda: isinstance(app.screen, kind) and korean(f"{name}.title") in shown(app))
        before = app.theme
        await pilot.press("ctrl+t")
        await until(lambda: app.theme != before)
        await pilot.press("ctrl+p")
        await until(lambda: isinstance(app.screen, CommandPalette) and korean("keys.theme") in shown(app))
        assert korean("keys.models") not in shown(app)  # nothing that this screen cannot do
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, kind))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, ChatScreen))


async def test_the_language_is_switched_under_a_dialog_with_a_box() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: isinstance(app.screen, ChatScreen))
        await app.run_action("models")
        await until(lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("f2")
        await until(lambda: isinstance(app.screen, AddModelScreen))
        await pilot.press("/", "x", "ctrl+l")
        await until(lambda: Texts("ko")("models.add_title") in shown(app))
        assert "/x" in shown(app)


async def test_the_language_key_marks_the_language_of_the_first_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")
    chosen = settings.Settings(first_start_done=0, keep_draft=False)
    app = OphtimusApp(store.choose(), "en", chosen)
    async with app.run_test(size=(100, 32)) as pilot:
        await until(lambda: isinstance(app.screen, FirstStartScreen))
        await pilot.press("ctrl+l")
        await until(lambda: "처음 시작" in shown(app))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, ChatScreen))
    assert settings.read().language == "ko"


def test_help_lists_every_key_that_the_screens_bind() -> None:
    for screen, keys in ((ModelsScreen, MODELS), (QuizScreen, QUIZ), (ChatScreen, CHAT)):
        listed = {key.keys for key in keys}
        assert {binding.key for binding in screen.BINDINGS} <= listed  # type: ignore[union-attr, attr-defined]


def test_no_action_needs_a_latin_letter_alone() -> None:
    for keys in (CHAT, MODELS, QUIZ):
        for key in keys:
            for one in key.keys.split(","):
                assert not (len(one) == 1 and one.isalpha()), one
