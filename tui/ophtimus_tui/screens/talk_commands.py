"""The commands on talks that are kept: find, flag, delete, name, pin, hold, export, hand out, back up, restore."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import on, work
from textual.events import DescendantBlur, DescendantFocus
from textual.screen import Screen

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.talk import Flag, Talk, new_talk, now
from ophtimus_tui.error_texts import said
from ophtimus_tui.keys import APP_ACTIONS, CHAT, TALK_LIST
from ophtimus_tui.model_rows import line
from ophtimus_tui.open_talk import OpenTalk
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.serving import Serving
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from ophtimus_edge.history.profiles import Profile
    from ophtimus_tui.screens.flag import Flagging

# The screens that a command opens are loaded with the command: the first drawing does not wait for them.


class TalkCommands(Screen[None]):
    """What the chat screen can do with talks beside leading them.

    Those on a whole talk concern the one under the cursor of the list where the list has the cursor, and
    the one that is open otherwise. The history is never asked on the thread that draws.

    Attributes:
        owner: whose history is kept, and its key; None where nothing is kept on the disk.
    """

    owner: "tuple[Profile, bytes] | None" = None
    serving: Serving
    open_talk: OpenTalk
    _texts: Texts
    _keys: KeyLine
    _in_list = False  # whether the line of keys is that of the list

    @property
    def history(self) -> History | None:
        """Where the talks are kept; None while it is opened, and where it is closed."""
        return self.serving.history

    # The line of keys

    @on(DescendantFocus)
    @on(DescendantBlur)
    def _change_keys(self) -> None:
        """Change the line with the cursor's coming and going, and never else: a click must not find it moved."""
        if self.open_talk.list.has_focus != self._in_list:
            self._show_keys()

    def _show_keys(self) -> None:
        """Show the keys of the list while it has the cursor, else those of the talk."""
        self._in_list = self.open_talk.list.has_focus
        keys = TALK_LIST if self._in_list else CHAT
        self._keys.show(
            [
                (self._texts(key.label), f"app.{key.action}" if key.action in APP_ACTIONS else f"screen.{key.action}")
                for key in keys
                if key.label
            ]
        )  # fmt: skip

    # Finding

    @work
    async def action_find(self) -> None:
        """Look for words in all talks, and open one at the message that was chosen."""
        from ophtimus_tui.screens.find import FindScreen

        history = self._opened()
        hit = await self.app.push_screen_wait(FindScreen(self._texts, history)) if history else None
        if history is None or hit is None:
            return
        talk = await self._kept(hit.talk_id)
        if talk is None:
            return
        busy = any(job.talk is talk for job in self.serving.unfinished)
        # Under a question that is being answered no other branch is shown; its end would be lost to sight.
        if not busy:
            before = [(one.id, one.shown) for one in talk.path()]
            talk.show_message(hit.message_id)
            if before != [(one.id, one.shown) for one in talk.path()] and not history.read_only:
                await self._did(partial(history.keep_view, talk))
        await self.open_talk.open(talk)
        for exchange in self.open_talk.view.exchanges:
            if (place := exchange.place) and hit.message_id in {place.id, *(one.id for one in place.replies)}:
                self.open_talk.view.release_anchor()
                exchange.focus(scroll_visible=False)
                exchange.scroll_visible(top=True, animate=False)

    # Flagging

    @work
    async def action_flag(self) -> None:
        """Say what is amiss with the chosen answer, or that nothing is."""
        from ophtimus_tui.screens.flag import FlagScreen

        chosen = self.open_talk.view.chosen
        if chosen is None or chosen.place is None or (reply := chosen.reply) is None:
            self._tell("history.no_answer")
            return
        if (history := self._opened(changes=True)) is None:
            return
        if reply.finish == "writing" or any(job.exchange is chosen for job in self.serving.unfinished):
            self._tell("history.still_written")
            return
        talk, place = self.open_talk.talk, chosen.place
        flagging = await self.app.push_screen_wait(FlagScreen(self._texts, reply.flag))
        if flagging is None:
            return
        before, reply.flag = reply.flag, _flag(flagging)
        if not await self._did(partial(history.keep_reply, talk, place, reply)):
            reply.flag = before
        for exchange in self.open_talk.view.exchanges:
            if exchange.place is place:
                exchange.relabel()

    # Whole talks

    @work
    async def action_delete_talk(self) -> None:
        """Delete a talk for good, after it was said what that reaches."""
        history = self._opened(changes=True)
        talk = await self._named_talk() if history else None
        if history is None or talk is None:
            return
        if any(job.talk.id == talk.id for job in self.serving.unfinished):
            self._tell("history.still_written")
            return
        texts, title = self._texts, line(talk.title) or self._texts("history.untitled")
        messages = len(talk.questions) + sum(len(question.replies) for question in talk.questions)
        sure = await self.app.push_screen_wait(
            ConfirmScreen(
                lambda: texts("history.delete_sure", title=title, messages=messages),
                lambda: texts("history.delete_yes"),
                lambda: texts("history.delete_no"),
            )
        )
        if not sure or any(job.talk.id == talk.id for job in self.serving.unfinished):
            return
        if talk.id == self.open_talk.talk.id:
            await self.open_talk.open(new_talk())
        if await self._did(partial(history.delete, [talk.id])):
            self._tell("history.deleted", severity="information")
        self.open_talk.list_talks()

    @work
    async def action_rename(self) -> None:
        """Give a talk another title."""
        from ophtimus_tui.screens.name_talk import NameTalkScreen

        history = self._opened(changes=True)
        talk = await self._named_talk() if history else None
        if history is None or talk is None:
            return
        title = await self.app.push_screen_wait(NameTalkScreen(self._texts, talk.title))
        if title is not None and title != talk.title:
            before, talk.title = talk.title, title
            if not await self._did(partial(history.keep_view, talk)):
                talk.title = before
            self.open_talk.list_talks()

    @work
    async def action_pin(self) -> None:
        """Show a talk before the others, or among them again."""
        history = self._opened(changes=True)
        if history and (talk := await self._named_talk()) is not None:
            talk.pinned = not talk.pinned
            if await self._did(partial(history.keep_view, talk)):
                self._tell("history.pinned" if talk.pinned else "history.unpinned", severity="information")
            else:
                talk.pinned = not talk.pinned
            self.open_talk.list_talks()

    @work
    async def action_hold(self) -> None:
        """Spare a talk from the retention time, or no longer."""
        history = self._opened(changes=True)
        if history and (talk := await self._named_talk()) is not None:
            talk.held = not talk.held
            if await self._did(partial(history.keep_view, talk)):
                self._tell("history.held" if talk.held else "history.unheld", severity="information")
            else:
                talk.held = not talk.held
            self.open_talk.list_talks()

    # Files

    @work
    async def action_export(self) -> None:
        """Write this talk, or all of them, into a file."""
        from ophtimus_tui.screens import exporting

        if history := self._opened():
            talk = await self._named_talk(says=False)
            await exporting.export_talks(self.app, self._texts, history, talk)

    @work
    async def action_handout(self) -> None:
        """Make a page for a patient of the chosen answer."""
        from ophtimus_tui.screens import exporting

        chosen = self.open_talk.view.chosen
        if chosen is None or chosen.place is None or chosen.reply is None:
            self._tell("history.no_answer")
            return
        await exporting.hand_out(self.app, self._texts, self.open_talk.talk, chosen.place, chosen.reply)

    @work
    async def action_backup(self) -> None:
        """Write the history into one locked file."""
        if self.owner is None:
            self._tell("backup.nothing_kept")
            return
        from ophtimus_tui.screens import (
            backing_up,  # with the ciphers, which the start of the app does without
        )

        await backing_up.back_up(self.app, self._texts, *self.owner)

    @work
    async def action_restore(self) -> None:
        """Make a new profile from a backup."""
        from ophtimus_tui.screens import backing_up

        await backing_up.restore(self.app, self._texts)

    # What they share

    def _opened(self, *, changes: bool = False) -> History | None:
        """The history; None where it is not open, or cannot be changed and shall be, which is said."""
        history = self.history
        if history is None:
            self._tell("history.not_open")
        elif changes and history.read_only:
            self._tell("history.read_only")
            return None
        return history

    async def _named_talk(self, *, says: bool = True) -> Talk | None:
        """The talk that a command concerns; None where there is none.

        Args:
            says: whether it is said that there is none.
        """
        talk_id = self.open_talk.list.under_cursor if self.open_talk.list.has_focus else None
        if talk_id and talk_id != self.open_talk.talk.id:
            return await self._kept(talk_id)
        if self.open_talk.talk.questions:
            return self.open_talk.talk
        if says:
            self._tell("history.no_talk")
        return None

    async def _kept(self, talk_id: str) -> Talk | None:
        """A talk: the one that is open or being answered where it is that, else as it is kept."""
        if (talk := self.open_talk.held(talk_id)) is not None:
            return talk
        if (history := self._opened()) is None:
            return None
        try:
            return await asyncio.to_thread(history.open, talk_id)
        except OphtimusError as error:
            self._tell_error(error)
            return None

    async def _did(self, change: Callable[[], None]) -> bool:
        """Change the history in a thread; whether that worked. Why it did not is said."""
        try:
            await asyncio.to_thread(change)
        except OphtimusError as error:
            self._tell_error(error)
            return False
        return True

    def _tell(self, key: str, severity: str = "warning") -> None:
        self.notify(
            self._texts(key),
            severity="information" if severity == "information" else "warning",
            markup=False,
        )

    def _tell_error(self, error: OphtimusError) -> None:
        self.notify(said(error, self._texts), severity="error", markup=False, timeout=15)


def _flag(flagging: "Flagging") -> Flag | None:
    return Flag(kind=flagging.kind, correction=flagging.correction, at=now()) if flagging.kind else None
