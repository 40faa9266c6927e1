"""SIGTERM and SIGINT while a run trains: the step is finished and kept, then the run ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """What a run was asked by a signal.

    Attributes:
        signal: the signal's number; 0 while there was none.
    """

    def __init__(self) -> None:
        self.signal = 0

    @property
    def exit_code(self) -> int:
        """What the run ends with: 143 for SIGTERM, 130 for Ctrl-C."""
        return 128 + self.signal


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Note the signals instead of dying of them.

    A second Ctrl-C ends the run at once, as an impatient person means it. A second SIGTERM does not: torchrun sends
    its own after the one that a cluster sends to every process.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread can take signals
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and request.signal == number:
            raise KeyboardInterrupt
        request.signal = request.signal or number

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
