"""Questions from standard input, a line each, without holding up the program that waits for them."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator

_CHUNK = 65536


def is_terminal() -> bool:
    """Whether a person sits at standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


async def lines() -> AsyncIterator[str]:
    """The lines that are not blank, as they arrive.

    A daemon thread reads the descriptor itself: a thread of asyncio's would keep the program from
    ending at Ctrl+C until the next line, and Python's own stdin object may not be held at exit.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[str | None] = asyncio.Queue()

    def pump() -> None:
        try:
            for line in _read_lines(0):
                loop.call_soon_threadsafe(arrived.put_nowait, line)
            loop.call_soon_threadsafe(arrived.put_nowait, None)
        except RuntimeError:
            pass  # the program ended first

    threading.Thread(target=pump, name="questions", daemon=True).start()
    while (line := await arrived.get()) is not None:
        if line.strip():
            yield line.strip()


def _read_lines(descriptor: int) -> Iterator[str]:
    rest = b""
    while True:
        try:
            chunk = os.read(descriptor, _CHUNK)
        except OSError:
            chunk = b""  # standard input is closed
        *whole, rest = (rest + chunk).split(b"\n")
        if not chunk:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield line.decode("utf-8", "replace")
        if not chunk:
            return
