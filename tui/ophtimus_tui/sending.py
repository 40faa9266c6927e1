"""Questions on their way from the box into the talk: looked at, put in their place, or given back."""

import asyncio
from collections.abc import Callable
from functools import partial

from textual.worker import Worker

from ophtimus_edge.conversation import clean_question
from ophtimus_edge.errors import HistoryError, QuestionError, TalkNotFoundError
from ophtimus_edge.history.draft import Draft
from ophtimus_tui.composing import Composing
from ophtimus_tui.error_texts import said
from ophtimus_tui.open_talk import OpenTalk
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.pointed_out import sendable
from ophtimus_tui.serving import Job, Serving
from ophtimus_tui.texts import Texts


class Sending:
    """Sends one question behind the other. None is lost: it is in the box, on its way here, or in the talk.

    Args:
        composing: the box that questions come from and go back to.
        open_talk: the talk that they are put into.
        serving: answers them.
        sent: told that a question stands in the talk.
    """

    def __init__(
        self,
        texts: Texts,
        composing: Composing,
        open_talk: OpenTalk,
        serving: Serving,
        *,
        sent: Callable[[], None],
    ) -> None:
        self._texts = texts
        self._composing, self._open_talk, self._serving = composing, open_talk, serving
        self._sent = sent
        self._leaving = False
        self._times_left = 0
        self._turn = asyncio.Lock()

    async def take_up(self, draft: Draft | None) -> None:
        """Send from now on.

        Args:
            draft: where a question that was not sent is kept; None keeps nothing.
        """
        self._leaving = False
        await self._composing.take_up(draft)

    async def leave(self) -> str:
        """Send nothing more, and stop what is under way.

        Returns:
            What was written and is kept in no file.
        """
        self._leaving = True
        async with self._turn:  # what is just being sent goes back into the box
            await self._serving.leave()
        text = await self._composing.leave()
        self._times_left += 1
        return text

    async def send(self, written: str) -> None:
        """Put a question at the end of the talk, once nothing in it names a patient unseen.

        Has to be called from a worker, since it waits for a person.
        """
        self._composing.hold(written)
        times_left = self._times_left
        async with self._turn:  # one behind the other, in the order of the keys
            if times_left != self._times_left:
                return  # it was kept with the draft
            await self._place(written)
        self._composing.release(written)

    def refused(self, job: Job, error: HistoryError) -> None:
        """A question could not be kept: it goes back into the box, or is asked all the same."""
        if self._leaving:
            self._composing.box.put_back(job.exchange.question)
        else:
            self._composing.hold(job.exchange.question)
            _: Worker[None] = self._composing.box.run_worker(partial(self._ask_unkept, job, error))

    async def _place(self, written: str) -> None:
        try:
            question = clean_question(written)
        except QuestionError:
            return  # nothing but blanks and control characters
        box, view = self._composing.box, self._open_talk.view
        allowed = None if self._leaving else await sendable(box.app, self._texts, question)
        if allowed is None or self._leaving:
            box.put_back(written)
            return
        edited, instead_of = self._composing.sent(), None
        if edited is not None and edited.place is not None and not self._open_talk.busy_from(edited):
            instead_of = edited.place
            await view.clear_from(edited)
        exchange = await view.add(allowed)
        self._sent()
        self._serving.put(Job(exchange, self._open_talk.talk, "ask", instead_of))

    async def _ask_unkept(self, job: Job, error: HistoryError) -> None:
        question, times_left = job.exchange.question, self._times_left
        async with self._turn:
            if times_left != self._times_left:
                return  # it was kept with the draft
            anyway: bool | None = False
            if isinstance(error, TalkNotFoundError):  # deleted: nothing of it may come back
                self._open_talk.tell_of(error)
            else:
                anyway = await self._composing.box.app.push_screen_wait(
                    ConfirmScreen(
                        lambda: "\n\n".join([said(error, self._texts), self._texts("chat.unkept")]),
                        lambda: self._texts("chat.unkept_send"),
                        lambda: self._texts("chat.unkept_back"),
                    )
                )
            if anyway and not self._leaving:
                job.accepted = True
                job.exchange.status(lambda: self._texts("chat.waiting"))
                self._serving.put(job)
            else:
                if job.exchange.is_attached:
                    await job.exchange.remove()
                self._composing.box.put_back(question)
            self._composing.release(question)
