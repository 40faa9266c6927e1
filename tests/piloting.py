"""What the tests of screens share: waiting for a condition, and reading what stands on the screen."""

import asyncio
from collections.abc import Callable

from textual.app import App


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that a thread or a process brings about."""
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


def lines(app: App[None]) -> list[str]:
    """The lines of the screen in front."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def shown(app: App[None]) -> str:
    """Everything on the screen in front as one line, its wrapping undone."""
    return " ".join(" ".join(lines(app)).split())
