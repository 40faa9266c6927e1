"""Questions from standard input, a line each, without holding up the program that waits for them."""

import asyncio
import contextlib
import locale
import sys
import threading
from collections.abc import AsyncIterator, Iterator

from ophtimus_edge.errors import QuestionError

_CHUNK = 65536


def is_terminal() -> bool:
    """Whether a person sits at standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


async def lines() -> AsyncIterator[str | QuestionError]:
    """The lines that are not blank, as they arrive; an error in the place of one that is no text.

    A daemon thread reads without Python's buffer: a thread of asyncio's would keep the program from
    ending at Ctrl+C until the next line, and the buffer's lock may not be held at exit.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes | None] = asyncio.Queue()

    def pump() -> None:
        try:
            for line in _read_lines():
                loop.call_soon_threadsafe(arrived.put_nowait, line)
            loop.call_soon_threadsafe(arrived.put_nowait, None)
        except RuntimeError:
            pass  # the program ended first

    threading.Thread(target=pump, name="questions", daemon=True).start()
    while (line := await arrived.get()) is not None:
        text = _text(line)
        if isinstance(text, QuestionError) or text.strip():
            yield text.strip() if isinstance(text, str) else text


def _text(line: bytes) -> str | QuestionError:
    """UTF-8, or the system's code page: what another program there pipes. Wrong letters are not asked."""
    for encoding in ("utf-8-sig", locale.getencoding()):
        with contextlib.suppress(UnicodeDecodeError, LookupError):
            return line.decode(encoding)
    return QuestionError(
        f"a line on standard input is not UTF-8: {line[:40]!r}.",
        "Save the file as UTF-8; ophtimus batch also reads what Korean Excel saves.",
    )


def _read_lines() -> Iterator[bytes]:
    # Of a console, Windows' raw object gives UTF-8 where the descriptor gives the code page.
    source = getattr(getattr(sys.stdin, "buffer", None), "raw", None)
    rest = b""
    while source is not None:
        try:
            chunk = source.read(_CHUNK) or b""
        except (OSError, ValueError):
            chunk = b""  # standard input is closed
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if not chunk:
            yield rest
            return
