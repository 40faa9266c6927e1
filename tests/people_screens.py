"""The app on real histories with a scripted engine, as the tests of people and locks use it."""

from histories import opened_profile
from piloting import shown, stands, until
from scripted_engine import ScriptedEngine, scripted
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge import settings
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp

SIZE = (110, 36)
PASSPHRASE = "four words nobody guesses"
OPEN, LOCKED = "anyone at this PC can read it", "locked with a passphrase"


def app_with(engine: ScriptedEngine | None = None, language: str = "en", **chosen: object) -> OphtimusApp:
    """An app after its first start."""
    done = settings.Settings(first_start_done=settings.FIRST_START, language=language, **chosen)  # type: ignore[arg-type]
    app = OphtimusApp(store.choose(), language, done)
    scripted(app, engine or ScriptedEngine())
    return app


def locked_profile(name: str = "Kim") -> tuple[profiles.Profile, str]:
    """A profile behind the passphrase, and its recovery key."""
    profile = profiles.create(name)
    return profile, keys.set_passphrase(profile.key_file, PASSPHRASE)


def kept(profile: profiles.Profile, passphrase: str | None = None) -> list[tuple[str, str, str]]:
    """Question, answer and end of everything that is kept, read beside the app."""
    with opened_profile(profile, passphrase=passphrase) as history:
        return [
            (question.text, reply.text, reply.finish)
            for talk in history.talks()
            for question in talk.questions
            for reply in question.replies
        ]


async def type_in(pilot: Pilot[None], *texts: str) -> None:
    """Type into one box after the other, with Enter behind each; only the last letter is a key of its own."""
    for text in texts:
        box = pilot.app.focused
        assert isinstance(box, Input)
        box.insert_text_at_cursor(text[:-1])
        await pilot.press(*text[-1:], "enter")
        await pilot.pause(0.15)  # Enter waits for a late syllable


async def unlock(app: OphtimusApp, pilot: Pilot[None]) -> None:
    """Open the profile behind the passphrase."""
    await stands(app, "is locked")
    await type_in(pilot, PASSPHRASE)
    await stands(app, LOCKED)


async def recovery_key(app: OphtimusApp) -> str:
    """The recovery key, as the screen shows it once."""
    await stands(app, "The recovery key opens the history")
    return next(word for word in shown(app).split() if word.count("-") == 8)


async def ask(app: OphtimusApp, pilot: Pilot[None], question: str) -> None:
    """Ask, and wait until the answer is complete."""
    count = len(app.chat.exchanges)
    app.chat.box.text = question
    await pilot.press("enter")
    await until(lambda: len(app.chat.exchanges) == count + 1)
    await until(lambda: (reply := app.chat.exchanges[-1].reply) is not None and reply.finish == "stop")
    await until(lambda: not app.chat.serving.unfinished)
