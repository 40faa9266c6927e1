"""Whose history is open: chosen, unlocked, left and locked again, without anything of it left on the screen."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.history import retention
from ophtimus_edge.history.keeping import Forgetting
from ophtimus_edge.history.talk import now
from ophtimus_tui.error_texts import said
from ophtimus_tui.new_person import NewPerson, ask_for_person, for_the_account, show_recovery_key
from ophtimus_tui.screens.chat import Left
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.form import Field, FormScreen
from ophtimus_tui.screens.hidden import HiddenScreen, hidden_while

if TYPE_CHECKING:
    from ophtimus_edge.history.profiles import Profile
    from ophtimus_tui.app import OphtimusApp
    from ophtimus_tui.opening import Opened
    from ophtimus_tui.screens.first_start import HistoryWish

# ophtimus_tui.opening, and with it the database and the ciphers, is loaded in the threads that need it: the
# first screen does not wait for it.


class People:
    """The person whose history is open, and the ways to another state of it.

    Only one of them is on its way at a time. A history that cannot be opened keeps nobody from asking: the
    app says why, goes on without keeping, and says so in its top line.

    Args:
        keeps: whether anything may be read or written at all.

    Attributes:
        opened: the history that is open; None where nothing is kept.
        unrecorded: who is there, and has set that nothing of theirs is kept; else None.
        flow: held by whoever is on the way to another state.
    """

    def __init__(self, app: "OphtimusApp", *, keeps: bool) -> None:
        self.app = app
        self._keeps = keeps
        self.opened: Opened | None = None
        self.flow = asyncio.Lock()
        self.unrecorded: Profile | None = None  # who has set that nothing of theirs is kept
        self._without: Literal["", "nothing", "failed", "shut"] = ""  # why nothing is kept
        self._several = False
        self._locking = False
        self._left: dict[str, Left] = {}
        self._touched = self._clocks()

    def state(self) -> str:
        """What becomes of what is asked, for the top line."""
        texts = self.app.texts
        if self.opened is None:
            return texts(f"people.state_{self._without or 'opening'}")
        history = self.opened.history
        if history.read_only:
            words = texts("people.state_read_only")
        elif history.unkept:
            words = texts("people.state_unkept")
        else:
            words = texts("people.state_locked" if self.opened.locked else "people.state_open")
        return f"{self.opened.profile.name} · {words}" if self._several else words

    # Opening

    async def start(self, wish: "HistoryWish | Literal['']" = "") -> None:
        """Open the history of the one person there is, or of the one who is chosen; make it where there is none.

        Args:
            wish: what the first start was told, where it was asked just now.
        """
        async with self.flow:
            await self.open_first(wish)

    async def open_first(self, wish: "HistoryWish | Literal['']" = "") -> None:
        """As :meth:`start`, for who holds the flow."""
        if not self._keeps or self.app.set_for.computer.history == "nothing":
            await self.go_on_without("nothing")
            return
        try:
            found = await asyncio.to_thread(_profiles)
            self._several = len(found) > 1
            if not found:
                await self._begin(wish)
            elif (profile := await self.one_of(found)) is None:
                await self.go_on_without("shut")
            else:
                await self.open(profile)
        except OphtimusError as error:
            await self._fail(error)

    async def one_of(self, found: "Sequence[Profile]") -> "Profile | None":
        """The only person, or the one who is chosen."""
        if len(found) == 1:
            return found[0]
        at = next((one for one in found if self.opened and one.id == self.opened.profile.id), None)
        names = {one: partial(str, one.name) for one in found}
        return await self.app.push_screen_wait(
            ChooseScreen(lambda: self.app.texts("people.choose"), names, at)
        )

    async def _begin(self, wish: "HistoryWish | Literal['']") -> None:
        made: NewPerson | None = None
        if wish == "passphrase":
            made = await ask_for_person(
                self.app, "people.first_text", "people.key_without_passphrase", needed=True
            )
        if made is None:
            made = await asyncio.to_thread(for_the_account)
        if made.recovery:
            await show_recovery_key(self.app, made.recovery, made.profile.name)
            self.app.chat.say(lambda: self.app.texts("people.first_unlock"))
        await self.open(made.profile, made.passphrase)

    async def open(self, profile: "Profile", passphrase: str = "") -> None:
        """Open a person's history, unless they have set that nothing is kept.

        Args:
            passphrase: where it was typed a moment ago; else it is asked for.
        """
        self._several = len(await asyncio.to_thread(_profiles)) > 1
        own, problem = await asyncio.to_thread(self.app.set_for.of, profile)
        if own.history == "nothing":
            self.unrecorded = profile
            await self.go_on_without("nothing")
            return
        try:
            if not passphrase and await asyncio.to_thread(lambda: profile.locked):
                opened = await self._unlock(profile, keep_draft=own.keep_draft)
            else:
                opened = await asyncio.to_thread(_open, profile, own.keep_draft, passphrase)
        except OphtimusError as error:
            await self._fail(error)
            return
        if opened is None:
            await self.go_on_without("shut")
        else:
            before = self.app.chosen
            self.app.set_for.take_up(profile, own, only_one=not self._several)
            self.app.follow(before, problem)
            await self._take_up(opened)

    async def _unlock(self, profile: "Profile", *, keep_draft: bool) -> "Opened | None":
        texts = self.app.texts
        return await self.app.push_screen_wait(
            FormScreen(
                texts,
                lambda: texts("people.unlock", name=profile.name),
                [Field("people.passphrase_or_key", secret=True)],
                lambda typed: _open(profile, keep_draft, typed[0]),
                leaving="people.key_without",
                covers=True,
            )
        )

    async def _take_up(self, opened: "Opened") -> None:
        self.opened, self._without = opened, ""
        self.touch()
        chat, texts = self.app.chat, self.app.texts
        left = self._left.pop(opened.profile.id, Left())
        chat.owner = (opened.profile, opened.key)
        await chat.take_up(opened.history, opened.draft, left.talk_id)
        chat.box.put_back(left.text)
        if opened.history.read_only:
            chat.say(lambda: texts("people.read_only"))
        elif opened.recovered:
            chat.say(lambda: texts("people.recovered"))
        await self._offer_to_delete(opened)

    async def _offer_to_delete(self, opened: "Opened") -> None:
        """Name the talks whose time is over, and delete them where that is chosen."""
        days, texts = self.app.chosen.retention_days, self.app.texts
        if days <= 0 or opened.history.read_only:
            return
        try:
            due = await asyncio.to_thread(retention.due, opened.history, days, now())
            if not due:
                return
            delete = await self.app.push_screen_wait(
                ConfirmScreen(
                    lambda: texts("people.due", count=len(due), days=days),
                    lambda: texts("people.due_delete", count=len(due)),
                    lambda: texts("people.due_keep"),
                )
            )
            if delete:
                async with hidden_while(self.app, lambda: texts("people.due_deleting", count=len(due))):
                    await asyncio.to_thread(opened.history.delete, [head.id for head in due])
        except OphtimusError as error:
            self.warn(error)
        self.app.chat.relabel()

    async def go_on_without(self, why: Literal["nothing", "failed", "shut"]) -> None:
        """Answer without keeping anything."""
        self.opened, self._without = None, why
        left = self._left.pop("", Left())
        await self.app.chat.take_up(Forgetting())
        self.app.chat.box.put_back(left.text)

    async def _fail(self, error: OphtimusError) -> None:
        texts = self.app.texts
        await self.go_on_without("failed")
        self.app.chat.say(lambda: "\n".join([said(error, texts), texts("people.without")]))

    # Leaving

    async def leave(self) -> None:
        """Stop what is under way, keep what there is, and close the history; its person's settings go with it."""
        left = await self.app.chat.leave()
        opened, self.opened = self.opened, None
        self._left[opened.profile.id if opened else ""] = left
        if opened is not None:
            await asyncio.to_thread(opened.history.close)
        self._without, self.unrecorded = "", None
        before = self.app.chosen
        self.app.set_for.leave()
        self.app.follow(before)
        self.app.chat.relabel_keeping()

    async def may_leave(self) -> bool:
        """Whether what is kept nowhere may be lost; asks where there is any."""
        history, texts = self.app.chat.history, self.app.texts
        if not (self.opened.history.holds if self.opened else history and history.heads()):
            return True
        confirmed = await self.app.push_screen_wait(
            ConfirmScreen(
                lambda: texts("people.lost"),
                lambda: texts("people.lost_go"),
                lambda: texts("people.lost_stay"),
            )
        )
        return bool(confirmed)

    @property
    def holds_text(self) -> bool:
        """Whether what somebody had written when they left is in memory only."""
        return any(left.text for left in self._left.values())

    def forget(self, profile: "Profile") -> None:
        """Hold nothing of a person who is gone."""
        self._left.pop(profile.id, None)

    async def close(self) -> None:
        """Close the history at the end of the app."""
        opened, self.opened = self.opened, None
        if opened is not None:
            await asyncio.to_thread(opened.history.close)

    async def lock(self) -> None:
        """Hide everything at once; with a passphrase close the history, until it is unlocked."""
        if self._locking or isinstance(self.app.screen, HiddenScreen):
            return
        opened, app = self.opened, self.app
        if opened is None or not opened.locked or opened.history.holds:
            kept = opened is None or not opened.locked
            key = "people.hidden" if kept else "people.hidden_unkept"
            app.notes.cover()
            app.push_screen(
                HiddenScreen(lambda: app.texts(key), opens=True), lambda _: app.notes.uncover(say=True)
            )
            return
        self._locking = True
        app.notes.cover()
        try:
            while app.screen is not app.chat:
                app.screen.dismiss(None)  # a dialog is answered with nothing
            veil = HiddenScreen(lambda: app.texts("people.locking"), opens=False)
            await app.push_screen(veil)
            async with self.flow:
                await self.leave()
                await self.open(opened.profile)
                veil.dismiss(None)
        finally:
            self._locking = False
            back = self.opened is not None and self.opened.profile.id == opened.profile.id
            app.notes.uncover(say=back)  # to nobody else

    async def _try_again(self, opened: "Opened") -> None:
        async with self.flow:
            if self.opened is opened:
                await asyncio.to_thread(opened.history.try_again)
        self.app.chat.relabel_keeping()

    def touch(self) -> None:
        """Somebody is there."""
        self._touched = self._clocks()

    def look_at_the_clock(self) -> None:
        """Lock where nobody was there for as long as is set, and try again to keep what could not be kept.

        An answer that is being written counts as somebody.
        """
        if self.opened is not None and self.opened.history.holds and not self.flow.locked():
            self.app.run_worker(self._try_again(self.opened), group="keep again")
        if self.opened is None or not self.opened.locked or not self.app.chosen.lock_after_minutes:
            return
        if self.app.chat.serving.unfinished:
            self.touch()
        # The one stands still while the computer sleeps, the other may be set.
        gone = max(here - then for here, then in zip(self._clocks(), self._touched, strict=True))
        if gone > 60 * self.app.chosen.lock_after_minutes:
            self.touch()
            self.app.action_lock()

    @staticmethod
    def _clocks() -> tuple[float, float]:
        return time.monotonic(), time.time()

    # What several ways share

    def warn(self, error: OphtimusError) -> None:
        """Say an error over whatever screen is there."""
        self.app.notify(said(error, self.app.texts), severity="warning", markup=False)


def _profiles() -> "list[Profile]":
    from ophtimus_edge.history import profiles

    return profiles.list_profiles()


def _open(profile: "Profile", keep_draft: bool, typed: str) -> "Opened":
    from ophtimus_tui import opening

    return opening.open_history(profile, keep_draft=keep_draft, typed=typed)
