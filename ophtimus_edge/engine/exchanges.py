"""Requests to a session's worker, one at a time, and what the worker says to each."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

import msgspec

from ophtimus_edge.engine.measuring_messages import Bench, Benched, Computed, Logits, Score, Scored, ScoreMany
from ophtimus_edge.engine.messages import (
    Answer,
    AnswerMany,
    Cancel,
    Loading,
    Pieced,
    Pieces,
    Render,
    Tokenize,
    Tokens,
    Warm,
    Warmed,
)
from ophtimus_edge.engine.process import WorkerEndedError
from ophtimus_edge.engine.session import Halted, Reply, Session, engine_error, replies
from ophtimus_edge.errors import EngineError

_Asked = Answer | AnswerMany | Warm | Score | ScoreMany | Tokenize | Render | Pieces | Logits | Bench
ReplyT = TypeVar("ReplyT", bound=Warmed | Scored | Tokens | Pieced | Computed | Benched)


class Exchanges:
    """One request at a time: a second one waits for the first."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last_id = self._under_way = 0
        self._turn = asyncio.Lock()

    async def reply(self, asked: _Asked, kind: type[ReplyT]) -> ReplyT:
        """One request and its one reply.

        Raises:
            EngineError: no model is loaded, or the worker died.
            OphtimusError: the request failed.
        """
        try:
            async with contextlib.aclosing(self.events(asked)) as events:
                async for event in events:
                    if isinstance(event, kind):
                        return event
        except WorkerEndedError as death:
            raise engine_error(death) from None
        raise EngineError("the model's process gave another reply than it was asked for.", "Ask again.")

    async def events(self, asked: _Asked) -> AsyncGenerator[Loading | Halted | Reply, None]:
        """One request, which gets its number when its turn comes, and what the worker says to it.

        Raises:
            WorkerEndedError: the worker died.
            OphtimusError: the request failed, or there is no worker to be had.
        """
        async with self._turn:
            self._last_id += 1
            self._under_way = number = self._last_id  # what a cancel means from now on
            request = msgspec.structs.replace(asked, id=number)
            try:
                async with contextlib.aclosing(self._session.ready()) as loading:
                    async for again in loading:
                        yield again
                if (worker := self._session.worker) is None:
                    raise EngineError("the model was closed meanwhile.", "Load it again.")
                async with contextlib.aclosing(replies(worker, request, number)) as events:
                    async for event in events:
                        yield event
            finally:
                self._under_way = 0

    async def cancel(self) -> None:
        """Stop the request under way, if there is one; see :meth:`ophtimus_edge.engine.client.Engine.cancel`."""
        if self._session.loading_again:
            await self._session.stop_loading_again()
        elif self._session.worker is not None and self._under_way:
            with contextlib.suppress(WorkerEndedError):
                await self._session.worker.send(Cancel(self._under_way))
