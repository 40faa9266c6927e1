"""What would be lost if the app ended now, and how that is said."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ophtimus_tui.texts import Texts

if TYPE_CHECKING:
    from ophtimus_tui.people import People


class Lost(NamedTuple):
    """What is kept nowhere.

    Attributes:
        talks: how many talks.
        question: whether a question that is being written is.
    """

    talks: int
    question: bool


async def would_be_lost(people: "People") -> Lost:
    """What is kept nowhere, after one more try to keep it."""
    chat = people.app.chat
    if people.opened is not None:
        await asyncio.to_thread(people.opened.history.try_again)
        talks = people.opened.history.held
    else:
        talks = len(chat.history.heads()) if chat.history is not None else 0  # in memory
    return Lost(talks, await chat.composing.would_be_lost() or people.holds_text)


def named(lost: Lost, texts: Texts) -> str:
    """What would be lost, in the language that is spoken."""
    lines = [texts("people.quit_talks", count=lost.talks)] if lost.talks else []
    lines += [texts("people.quit_question")] if lost.question else []
    return "\n".join([texts("people.quit_lost"), *lines])
