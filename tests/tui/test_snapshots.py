"""How the chat screen looks, at three sizes, in both languages and themes; looked at by a person when they change."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from piloting import lines, shown, until
from textual.pilot import Pilot

from ophtimus_edge import settings
from ophtimus_edge.history import talk
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp

SIZES = [(80, 24), (120, 40), (60, 20)]
NOW = datetime.datetime(2026, 11, 23, 9, 41, tzinfo=datetime.UTC)
QUESTIONS = {
    "en": "Bleach splashed into my eye. What is glaucoma?",
    "ko": "눈에 락스가 튀었어요. 녹내장이란 무엇인가요?",
}
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still in the pictures."""
    monkeypatch.setattr(talk, "now", lambda: NOW)


def opened(language: str, theme: str, **chosen: Any) -> OphtimusApp:
    done = {"first_start_done": settings.FIRST_START, **chosen}
    return OphtimusApp(store.choose(), language, settings.Settings(theme=theme, keep_draft=False, **done))


def ended(app: OphtimusApp, *words: str) -> bool:
    """Whether the answer is there, its end stands on the screen, and the model is ready again."""
    reply = app.chat.exchanges[0].reply if app.chat.exchanges else None
    if reply is None or reply.finish != "stop":
        return False
    screen = shown(app)
    return all(word in screen for word in (*words, reply.text.split()[-1]))


async def still(pilot: Pilot[None]) -> None:
    """No cursor that blinks in the question box, and nothing that still moves."""
    if pilot.app.chat.box.has_focus:  # type: ignore[attr-defined]
        pilot.app.screen.set_focus(None)
    before: list[str] = []
    while before != (before := lines(pilot.app)):  # until two looks show the same
        await pilot.pause(0.5)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_answer(snap_compare: Compare, size: tuple[int, int], language: str, theme: str) -> None:
    async def answered(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, OphtimusApp)
        ready, complete = ("ready", "complete") if language == "en" else ("준비됨", "답변 완료")
        await until(lambda: ready in shown(app))
        await pilot.press("enter")
        await until(lambda: ended(app, complete, ready))
        await still(pilot)

    assert snap_compare(opened(language, theme), terminal_size=size, run_before=answered)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_emergency_with_an_answer_that_was_chosen(
    snap_compare: Compare, size: tuple[int, int], language: str
) -> None:
    async def answered(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, OphtimusApp)
        app.chat.box.text = QUESTIONS[language]
        await pilot.press("enter")
        await until(lambda: bool(app.chat.exchanges) and app.chat.exchanges[0].reply is not None)
        await until(lambda: app.chat.exchanges[0].reply.finish != "writing")  # type: ignore[union-attr]
        # What the demonstration makes up is not the same on every processor.
        app.chat.exchanges[0].reply.text = "Rinse. Then 250 mg, **twice a day**."  # type: ignore[union-attr]
        app.chat.exchanges[0].finish()
        await pilot.press("up")
        app.chat.open_talk.view.scroll_home(animate=False)
        await still(pilot)

    app = opened(language, "dark", max_tokens=1)
    assert snap_compare(app, terminal_size=size, run_before=answered)
