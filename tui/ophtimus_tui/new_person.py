"""A person who is new: asked for a name and a passphrase, made, and shown the recovery key."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ophtimus_tui.screens.form import Field, FormError, FormScreen
from ophtimus_tui.screens.recovery import RecoveryScreen

if TYPE_CHECKING:
    from ophtimus_edge.history.keys import RecoveryKey
    from ophtimus_edge.history.profiles import Profile
    from ophtimus_tui.app import OphtimusApp

# ophtimus_tui.opening, and with it the database and the ciphers, is loaded in the threads that need it: the
# first screen does not wait for it.


class NewPerson(NamedTuple):
    """A profile that was made a moment ago, with what opens it; both empty without a passphrase."""

    profile: "Profile"
    recovery: "RecoveryKey"
    passphrase: str


async def ask_for_person(app: "OphtimusApp", text: str, leaving: str, *, needed: bool) -> NewPerson | None:
    """Ask for a name and a passphrase, and make a profile.

    Args:
        text, leaving: keys of the sentences over the boxes and for Escape.
        needed: whether there must be a passphrase.

    Returns:
        None where it was left.
    """
    texts = app.texts
    name = await asyncio.to_thread(_account_name) if needed else ""
    passphrase = "people.new_passphrase" if needed else "people.new_passphrase_or_none"
    return await app.push_screen_wait(
        FormScreen(
            texts,
            lambda: texts(text),
            [
                Field("people.name", value=name),
                Field(passphrase, secret=True),
                Field("people.repeat", secret=True),
            ],
            lambda typed: _make(typed[0], same(typed[1], typed[2]), needed=needed),
            leaving=leaving,
        )
    )


async def show_recovery_key(app: "OphtimusApp", recovery: "RecoveryKey", name: str) -> None:
    """Show it once, until its last group was typed from the paper, or it is left.

    Args:
        name: whose history it opens.
    """
    if not await app.push_screen_wait(RecoveryScreen(app.texts, recovery, name)):
        app.chat.say(lambda: app.texts("people.unconfirmed"))


def same(new: str, repeated: str) -> str:
    """A new passphrase that was typed twice.

    Raises:
        FormError: the two are not the same.
    """
    if new != repeated:
        raise FormError("people.not_the_same")
    return new


def for_the_account() -> NewPerson:
    """Make a profile without a passphrase, named after who uses this computer; for a thread.

    Raises:
        HistoryError: its folder cannot be written.
    """
    return _make(_account_name(), "", needed=False)


def _account_name() -> str:
    from ophtimus_edge.history import profiles
    from ophtimus_tui import opening

    return profiles.free_name(opening.account_name())


def _make(name: str, passphrase: str, *, needed: bool) -> NewPerson:
    from ophtimus_tui import opening

    if needed and not passphrase:
        raise FormError("people.passphrase_needed")
    return NewPerson(*opening.make(name, passphrase), passphrase)
