"""What the tests of screens share: waiting for a condition, and reading what stands on the screen."""

import asyncio
from collections.abc import Callable, Collection

from rich.cells import cell_len
from textual.app import App
from textual.pilot import Pilot

_LONGEST_S = 240.0  # for what takes a second: other programs may have the processor meanwhile


async def until(condition: Callable[[], bool], seconds: float = _LONGEST_S) -> None:
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


async def stands(
    app: App[None],
    *words: str,
    without: Collection[str] = (),
    read: Callable[[App[None]], str] = shown,
    seconds: float = _LONGEST_S,
) -> None:
    """Wait until words stand on the screen in front, all at once, and others do not.

    Two widgets that are written in one moment need not be drawn in one: what makes room for itself, or gives
    it up, waits for the next layout. So nothing is asserted of the one because the other is seen.
    """
    seen = ""
    for _ in range(int(seconds / 0.05)):
        seen = read(app)
        if all(word in seen for word in words) and not any(word in seen for word in without):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{words} are not there, or {without} are, in {seen}")


async def click(app: App[None], pilot: Pilot[None], text: str) -> None:
    """Click on words, once they stand still: the first drawings of a screen still move its foot."""
    seen: list[list[str]] = []

    def stands_still() -> bool:
        seen.append(lines(app))
        return len(seen) > 2 and seen[-1] == seen[-3] and any(text in line for line in seen[-1])

    await until(stands_still)
    y, line = next((y, line) for y, line in enumerate(seen[-1]) if text in line)
    await pilot.click(offset=(cell_len(line[: line.index(text)]) + 1, y))
