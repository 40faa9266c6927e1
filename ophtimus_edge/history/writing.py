"""An answer as it is written into its talk: every event is taken into the reply, and kept as it grows."""

import asyncio
import codecs
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ophtimus_edge.conversation import Asking, Conversation, Dropped, Exchange, Happening
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Piece, Reading
from ophtimus_edge.errors import EngineError, OphtimusError
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.talk import Question, Reply, Talk, answered, earlier

_KEEP_S = 0.5  # between two times that a growing answer is kept


async def write(
    conversation: Conversation,
    history: History,
    talk: Talk,
    question: Question,
    reply: Reply,
    asking: Asking,
) -> AsyncGenerator[Dropped | Happening, None]:
    """Ask a question of a talk, and write what comes into its reply.

    A reply that has words already, of the same model, is gone on with. Whatever happens, the reply says how it
    ended, and what was written stays. It is kept in a thread, one state of it after the other: no disk holds up
    the words.

    Yields:
        What :meth:`ophtimus_edge.conversation.Conversation.ask` yields, each after it was taken in.

    Raises:
        OphtimusError: the question cannot be asked, or the engine failed; the reply's note says it too.
    """
    path = talk.path()
    before = path[: path.index(question)]
    begun: Exchange | None = None
    if reply.text:
        if await _ends_inside_a_character(conversation.engine, reply.ids):
            reply.text = reply.text.removesuffix("\ufffd")  # what stood for it; the whole one comes now
        begun = Exchange(question.text, reply.text, reply.ids)
    said = earlier(before, conversation.model.name, conversation.model.version)
    reply.finish, reply.note, reply.failure = "writing", "", ""
    keeping: asyncio.Task[None] | None = None

    async def keep() -> None:
        await asyncio.to_thread(history.keep_reply, talk, question, reply)

    async def keep_last() -> None:
        if keeping is not None:
            await keeping
        await keep()

    kept = time.monotonic()
    try:
        async with aclosing(conversation.ask(question.text, asking, said, begun)) as events:
            async for event in events:
                _take_in(reply, event, before)
                if not isinstance(event, Piece):
                    await keep_last()
                    keeping, kept = None, time.monotonic()
                elif time.monotonic() - kept > _KEEP_S and (keeping is None or keeping.done()):
                    if keeping is not None:
                        keeping.result()
                    keeping, kept = asyncio.create_task(keep()), time.monotonic()
                yield event
    except OphtimusError as error:
        _fail(reply, error)
        raise
    finally:
        if reply.finish == "writing":  # nobody listens any more
            reply.finish = "cancelled"
        await asyncio.shield(asyncio.create_task(keep_last()))


def _take_in(reply: Reply, event: Dropped | Happening, before: list[Question]) -> None:
    if isinstance(event, Dropped):
        asked = answered(before)
        reply.dropped = [asked[place].id for place in event.places]
    elif isinstance(event, Reading):
        reply.prompt_tokens = event.total
    elif isinstance(event, Piece):
        reply.text += event.text
    elif isinstance(event, Answered):
        reply.finish = event.finish_reason
        reply.ids = [*reply.ids, *event.ids]
        reply.prompt_tokens = event.prompt_tokens
        reply.completion_tokens = len(reply.ids)
        reply.tokens_per_s = event.tokens_per_s
    elif isinstance(event, Died):
        _fail(reply, EngineError(event.message, event.hint))
        reply.ids = []  # they were not told; the words stand for them


def _fail(reply: Reply, error: OphtimusError) -> None:
    reply.finish, reply.note, reply.failure = "failed", f"{error.message} {error.hint}", type(error).__name__


async def _ends_inside_a_character(engine: Engine, ids: list[int]) -> bool:
    """Whether the bytes that some tokens stand for end in the middle of one."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    decoder.decode(b"".join(await engine.pieces(ids)))
    return bool(decoder.getstate()[0])
