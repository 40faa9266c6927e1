"""The commands around a person's history: passphrase, another person, name, deletion, keeping nothing."""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from ophtimus_edge.errors import OphtimusError
from ophtimus_tui.new_person import ask_for_person, same, show_recovery_key
from ophtimus_tui.people import People
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.form import Field, FormError, FormScreen
from ophtimus_tui.screens.hidden import hidden_while

if TYPE_CHECKING:
    from ophtimus_edge.history.profiles import Profile
    from ophtimus_tui.opening import Opened

Command = Callable[[], Awaitable[None]]


def commands(people: People) -> Iterator[tuple[str, Command]]:
    """The commands that have a meaning now, each by the key of its sentence."""
    if people.opened is not None:
        yield "people.command_passphrase", partial(_alone, people, _passphrase)
        yield "people.command_rename", partial(_alone, people, _rename)
        yield "people.command_delete", partial(_alone, people, _delete)
    keeps = people.app.set_for.computer.history == "keep"
    if keeps:
        yield "people.command_choose", partial(_alone, people, _choose)
        yield "people.command_add", partial(_alone, people, _add)
    yield (
        "people.command_nothing" if keeps and people.unrecorded is None else "people.command_keep",
        partial(_alone, people, _keep_nothing_or_again),
    )


async def _alone(people: People, command: Callable[[People], Awaitable[None]]) -> None:
    if people.flow.locked():
        return  # another one is on its way, with a screen of its own
    async with people.flow:
        try:
            await command(people)
        except OphtimusError as error:
            people.warn(error)
        people.app.chat.relabel_keeping()


async def _passphrase(people: People) -> None:
    opened, texts = people.opened, people.app.texts
    if opened is None:
        return
    what: Literal["set", "remove"] | None = "set"
    if opened.locked:
        what = await people.app.push_screen_wait(
            ChooseScreen[Literal["set", "remove"]](
                lambda: texts("people.passphrase_is_set"),
                {"set": lambda: texts("people.change"), "remove": lambda: texts("people.remove")},
            )
        )
    if what == "set":
        await _set_passphrase(people, opened)
    elif what == "remove":
        removed = await people.app.push_screen_wait(
            FormScreen(
                texts,
                lambda: texts("people.remove_text"),
                [Field("people.passphrase_or_key", secret=True)],
                lambda typed: _remove_passphrase(opened.profile, typed[0]),
            )
        )
        if removed and people.opened is opened:
            people.opened = opened._replace(locked=False)


async def _set_passphrase(people: People, opened: "Opened") -> None:
    texts = people.app.texts
    old = [Field("people.passphrase_or_key", secret=True)] if opened.locked else []
    new = [Field("people.new_passphrase", secret=True), Field("people.repeat", secret=True)]
    recovery = await people.app.push_screen_wait(
        FormScreen(
            texts,
            lambda: texts("people.passphrase_text"),
            [*old, *new],
            lambda typed: _change_passphrase(opened.profile, typed),
        )
    )
    if recovery is None:
        return
    if people.opened is opened:
        people.opened = opened._replace(locked=True)
    people.app.chat.relabel_keeping()
    await show_recovery_key(people.app, recovery, opened.profile.name)


async def _choose(people: People) -> None:
    from ophtimus_edge.history import profiles

    found = await asyncio.to_thread(profiles.list_profiles)
    if not found:
        await people.open_first()
        return
    chosen = await people.one_of(found)
    if chosen is None or (people.opened and chosen.id == people.opened.profile.id):
        return
    if await people.may_leave():
        await people.leave()
        await people.open(chosen)


async def _add(people: People) -> None:
    made = await ask_for_person(people.app, "people.add_text", "people.key_leave", needed=False)
    if made is None:
        return
    if made.recovery:
        await show_recovery_key(people.app, made.recovery, made.profile.name)
    if await people.may_leave():
        await people.leave()
        await people.open(made.profile, made.passphrase)


async def _rename(people: People) -> None:
    from ophtimus_edge.history import profiles

    opened, texts = people.opened, people.app.texts
    if opened is None:
        return
    renamed = await people.app.push_screen_wait(
        FormScreen(
            texts,
            lambda: texts("people.rename_text"),
            [Field("people.name", value=opened.profile.name)],
            lambda typed: profiles.rename(opened.profile, typed[0]),
        )
    )
    if renamed is not None and people.opened is opened:
        people.opened = opened._replace(profile=renamed)
        people.app.notify(texts("people.renamed", name=renamed.name), markup=False)


async def _delete(people: People) -> None:
    from ophtimus_edge.history import profiles

    opened, texts = people.opened, people.app.texts
    if opened is None:
        return
    secret = [Field("people.passphrase_or_key", secret=True)] if opened.locked else []
    sure = await people.app.push_screen_wait(
        FormScreen(
            texts,
            lambda: texts("people.delete_text", name=opened.profile.name),
            [Field("people.name_again"), *secret],
            lambda typed: _proven(opened.profile, typed),
        )
    )
    if not sure or people.opened is not opened:
        return
    async with hidden_while(people.app, lambda: texts("people.deleting", name=opened.profile.name)):
        await people.leave()
        try:
            await asyncio.to_thread(profiles.remove, opened.profile)
        except OphtimusError as error:
            people.warn(error)
        else:
            people.forget(opened.profile)
            people.app.notify(texts("people.deleted", name=opened.profile.name), markup=False)
    await people.open_first()


async def _keep_nothing_or_again(people: People) -> None:
    """Set it for whom it is: the person who is there, or the computer, whose "nothing" holds for everybody."""
    if not await people.may_leave():
        return
    person = people.opened.profile if people.opened else people.unrecorded
    recorded = people.opened is not None
    await people.leave()
    if person is None or people.app.set_for.computer.history == "nothing":
        keeps = people.app.set_for.computer.history == "keep"
        people.app.change(history="nothing" if keeps else "keep")
        await people.open_first()
        return
    try:
        await asyncio.to_thread(people.app.set_for.keep_for, person, "nothing" if recorded else "keep")
    finally:  # as it was, where it could not be set
        await people.open(person)


# In threads


def _change_passphrase(profile: "Profile", typed: list[str]) -> str:
    from ophtimus_edge.history import keys
    from ophtimus_tui import opening

    new = same(*typed[-2:])
    old = opening.secret(typed[0]) if len(typed) > 2 else opening.Secret(None, None)
    return keys.set_passphrase(profile.key_file, new, old.passphrase, old.recovery)


def _remove_passphrase(profile: "Profile", typed: str) -> bool:
    from ophtimus_edge.history import keys
    from ophtimus_tui import opening

    keys.remove_passphrase(profile.key_file, *opening.secret(typed))
    return True


def _proven(profile: "Profile", typed: list[str]) -> bool:
    """Whether the name was typed, by somebody who can open the history."""
    from ophtimus_edge.history import keys
    from ophtimus_tui import opening

    if _compared(typed[0]) != _compared(profile.name):
        raise FormError("people.not_the_name")
    if len(typed) > 1:
        keys.unlock(profile.key_file, *opening.secret(typed[1]))
    return True


def _compared(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())
