"""The talk that is open: chosen from the list, shown with its versions, kept, and left for another."""

import asyncio
from collections.abc import Callable
from functools import partial

from textual.worker import Worker

from ophtimus_edge.errors import HistoryError
from ophtimus_edge.history.talk import Talk, new_talk
from ophtimus_tui.composing import Composing
from ophtimus_tui.error_texts import said
from ophtimus_tui.serving import Serving
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.exchange import Exchange
from ophtimus_tui.widgets.talk_list import TalkList
from ophtimus_tui.widgets.talk_view import TalkView


class OpenTalk:
    """Which talk is led, where it is shown, and the list of those to go back to.

    The history is never asked on the thread that draws.

    Args:
        composing: what is written while a talk is opened; an edited question belongs to the talk that is left.
        serving: the history, and what is being answered in any talk.
        opened: told that another talk is open.
        kept: told whenever something was kept, or could not be.

    Attributes:
        talk: the one that is open.
        view: where it is shown.
        list: of all talks.
    """

    def __init__(
        self,
        texts: Texts,
        composing: Composing,
        serving: Serving,
        *,
        opened: Callable[[], None],
        kept: Callable[[], None],
    ) -> None:
        self._texts = texts
        self._composing, self._serving = composing, serving
        self._opened, self._kept = opened, kept
        self.talk: Talk = new_talk()
        self.view = TalkView(texts, self.talk)
        self.list = TalkList(texts)

    async def open(self, talk: Talk) -> None:
        """Show another talk, and lead it from now on; a question that was edited in this one stays as it was."""
        if self.talk.questions or talk.questions:
            self.talk = talk
            self._composing.leave_editing(changes=True)
            await self._show_path()
            self._opened()
        self._composing.box.focus()

    async def open_kept(self, talk_id: str) -> None:
        """Open a talk of the history; the one that is being answered is open already."""
        talk = self.held(talk_id)
        if talk is None and (history := self._serving.history) is not None:
            try:
                talk = await asyncio.to_thread(history.open, talk_id)
            except HistoryError as error:
                self.tell_of(error)
        if talk is not None:
            await self.open(talk)

    async def leave(self) -> str:
        """Hold nothing of it any more; returns its id, "" for one without a question."""
        talk_id = self.talk.id if self.talk.questions else ""
        self.talk = new_talk()
        await self.view.show(self.talk)
        self.list.show([], self.talk)
        return talk_id

    def held(self, talk_id: str) -> Talk | None:
        """The talk of an id where it is the one that is open, or is being answered."""
        here = [self.talk, *(job.talk for job in self._serving.unfinished)]
        return next((one for one in here if one.id == talk_id), None)

    def busy_from(self, exchange: Exchange) -> bool:
        """Whether it or one after it is being answered, or waits for that."""
        behind = self.view.from_on(exchange)
        return any(job.exchange in behind for job in self._serving.unfinished)

    async def turn(self, exchange: Exchange, by: int) -> None:
        """Show another version of an answer, or of its question where the answer has one only."""
        place = exchange.place
        if place is None or self.busy_from(exchange):
            return
        at = self.view.exchanges.index(exchange)
        if len(place.replies) > 1:
            self.talk.show_reply(place, by)
        elif len(self.talk.branches(place.after)) > 1:
            self.talk.show_branch(place, by)
        else:
            return
        if (history := self._serving.history) is not None:
            self.keep(partial(history.keep_view, self.talk))
        await self._show_path()
        self.view.exchanges[at].focus()

    def keep_always(self, exchange: Exchange) -> None:
        """Keep an exchange always, or no longer."""
        if exchange.reply and exchange.place:
            exchange.reply.keep = not exchange.reply.keep
            if (history := self._serving.history) is not None:
                self.keep(partial(history.keep_reply, self.talk, exchange.place, exchange.reply))
            exchange.relabel()

    def keep(self, change: Callable[[], None]) -> None:
        """Change the history, in a thread; why that failed is said."""
        _: Worker[None] = self.view.run_worker(partial(self._keep, change), group="keep")

    def list_talks(self) -> None:
        """Write the list of talks anew."""
        _: Worker[None] = self.list.run_worker(self._list_talks, group="heads", exclusive=True)

    def placed(self, exchange: Exchange) -> None:
        """An exchange has its place: say which of the earlier ones no longer fit."""
        self.list_talks()
        self.view.mark_dropped(exchange)

    def tell_of(self, error: HistoryError) -> None:
        """Say in the corner what went wrong."""
        self.view.notify(said(error, self._texts), severity="warning", markup=False)

    async def _show_path(self) -> None:
        await self.view.show(self.talk, self._serving.unfinished)
        taken = 0
        if (exchanges := self.view.exchanges) and (reply := exchanges[-1].reply):
            taken = reply.prompt_tokens + reply.completion_tokens
        self._serving.remember(taken)

    async def _keep(self, change: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(change)
        except HistoryError as error:
            self.tell_of(error)
        self._kept()

    async def _list_talks(self) -> None:
        if (history := self._serving.history) is None:
            return
        try:
            heads = await asyncio.to_thread(history.heads)
        except HistoryError as error:
            self.tell_of(error)
            return
        if history is self._serving.history:
            self.list.show(heads, self.talk)
