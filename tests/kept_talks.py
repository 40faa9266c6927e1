"""What the tests of commands on kept talks share: the app on talks that are there already, and its palette."""

from collections.abc import Sequence
from pathlib import Path

from histories import talk_of
from piloting import shown, until
from scripted_engine import ScriptedEngine, scripted
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge.history.keeping import Forgetting, History
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Talk
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp

TEXTS = (
    ("What is glaucoma?", "Damage of the optic nerve, often with high pressure."),
    ("백내장 수술 뒤에 주의할 점은?", "수술 뒤 2주 동안 눈을 비비지 마십시오."),
    ("What is myopia?", "Near-sightedness: the eye is too long."),
)


def with_history(history: History, language: str = "en") -> OphtimusApp:
    """The app on a history, and an engine that answers at once."""
    app = OphtimusApp(store.choose(), language)

    async def take_up(why: str) -> None:
        await app.chat.take_up(history)

    app.people.go_on_without = take_up  # type: ignore[method-assign, assignment]
    scripted(app, ScriptedEngine())
    return app


def with_talks(
    texts: Sequence[Sequence[str]] = TEXTS, language: str = "en", history: Forgetting | Store | None = None
) -> tuple[OphtimusApp, list[Talk]]:
    """The app, and the talks that it begins with."""
    history = history or Forgetting()
    talks = [talk_of(*one) for one in texts]
    for talk in talks:
        history.begin(talk)
    return with_history(history, language), talks


async def open_talk(pilot: Pilot[None], app: OphtimusApp, talk: Talk) -> None:
    """Open a talk, as a choice in the list does."""
    await until(lambda: app.screen is app.chat)
    await app.chat.open_talk.open(talk)
    await until(lambda: len(app.chat.exchanges) == len(talk.path()))
    await pilot.pause()


async def hold_an_answer(pilot: Pilot[None], app: OphtimusApp) -> ScriptedEngine:
    """Ask, and hold the answer before its first word, until the engine may write."""
    engine = app._engine
    assert isinstance(engine, ScriptedEngine)
    engine.may_write.clear()
    await until(lambda: app.screen is app.chat)
    await pilot.press("enter")
    await until(lambda: bool(app.chat.exchanges) and app.chat.exchanges[0].reply is not None)
    return engine


async def by_name(pilot: Pilot[None], app: OphtimusApp, words: str) -> None:
    """Run a command of the palette by words of its name."""
    await until(lambda: app.screen is app.chat)
    await pilot.press("ctrl+p")
    await until(lambda: isinstance(app.screen, CommandPalette))
    app.screen.query_one(Input).value = words
    await until(
        lambda: words.split()[0] in shown(app) and app.screen.query("OptionList").first().option_count == 1
    )  # type: ignore[attr-defined]
    await pilot.press("enter")
    await until(lambda: not isinstance(app.screen, CommandPalette))


def notes(app: OphtimusApp) -> str:
    """What the app has said in its corner."""
    return "\n".join(str(note.message) for note in app._notifications)


async def put_path(app: OphtimusApp, path: Path) -> None:
    """Write a path into the box of the screen in front."""
    await until(lambda: bool(app.screen.query("PathBox")))
    app.screen.query("PathBox").first(Input).value = str(path)
