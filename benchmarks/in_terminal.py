"""A program in a pseudo-terminal of its own, watched from outside: what it draws and when, and its processor time."""

import fcntl
import os
import pty
import signal
import struct
import termios
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

COLUMNS, LINES = 120, 32


class Terminal:
    """Starts a command in a pseudo-terminal and reads what it writes; a context manager that ends it.

    Attributes:
        began: the moment of its start, of :func:`time.perf_counter`.
        seen: everything that it has written.
    """

    def __init__(self, command: list[str], **environment: str) -> None:
        self.began = time.perf_counter()
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, os.environ | {"TERM": "xterm-256color"} | environment)  # noqa: S606
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.seen = bytearray()
        self._changed = threading.Condition()
        self.ended = False
        threading.Thread(target=self._drink, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.ended:
            os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)

    def _drink(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:  # the other side is closed
                data = b""
            with self._changed:
                self.seen += data
                self.ended = not data
                self._changed.notify_all()
                if self.ended:
                    return

    def write(self, text: str) -> float:
        """Type something; returns the moment."""
        now = time.perf_counter()
        os.write(self._terminal, text.encode())
        return now

    def wait(self, text: str, after: int = 0, seconds: float = 60) -> float:
        """The moment at which something stands in what was written behind a position.

        Raises:
            RuntimeError: the program ended, or the time is over.
        """
        wanted = text.encode()
        with self._changed:
            found = self._changed.wait_for(lambda: self.ended or self.seen.find(wanted, after) >= 0, seconds)
            if not found or self.seen.find(wanted, after) < 0:
                end = self.seen[-2000:].decode(errors="replace")
                raise RuntimeError(f"{text!r} was not drawn; the end of what was:\n{end}")
            return time.perf_counter()

    def wait_for_end(self) -> None:
        """Wait until the program has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended)

    def cpu_seconds(self) -> float:
        """Processor time of the process so far, without the processes that it started."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
