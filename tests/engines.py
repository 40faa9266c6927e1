"""What the tests of the engine share."""

import psutil

from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Piece, Sampling, Turn

QUESTION = [Turn("system", "You are an expert."), Turn("user", "What is glaucoma?")]
# Of the endless model: it takes seconds, and what a test does at its first words falls into it.
ENDLESS = Sampling(8000, min_tokens=8000)


async def collect(
    engine: Engine, turns: list[Turn], max_tokens: int = 1024, **more: float
) -> tuple[str, Answered]:
    """The whole text of an answer, and its end."""
    text, answered = "", None
    async for event in engine.answer(turns, Sampling(max_tokens=max_tokens, **more)):  # type: ignore[arg-type]
        assert not isinstance(event, Died)
        if isinstance(event, Piece):
            text += event.text
        elif isinstance(event, Answered):
            answered = event
    assert answered is not None
    return text, answered


def workers() -> set[int]:
    """Workers that this process started and that still run."""
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "ophtimus_edge.engine.worker" in child.cmdline()
    }
