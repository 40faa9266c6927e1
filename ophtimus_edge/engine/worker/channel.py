"""The worker's end of the private pipe.

The pipe arrives as standard input and output. Both are moved to descriptors of their own at once,
and standard output and error are pointed at the log, so that nothing a library prints can end up
between the messages or on the screen.
"""

import os
import queue
import sys
import threading
from typing import BinaryIO, Protocol

import msgspec

from ophtimus_edge.engine.messages import (
    HEAD,
    Cancel,
    Close,
    Event,
    Request,
    frame,
    frame_length,
)


class Stopping(Protocol):
    """Told what is to stop."""

    def cancel(self, request_id: int) -> None:
        """Stop a request."""

    def stop(self) -> None:
        """Stop everything: the client is gone."""


class Channel:
    """Messages in and out; a thread reads, so that a Cancel is seen while the model computes."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._sending = threading.Lock()
        self._decoder = msgspec.msgpack.Decoder(Request)
        self._waiting: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.closing = threading.Event()

    def first(self) -> Request:
        """Read the first request in this thread; Close when there is none."""
        head = self._source.read(HEAD.size)
        return self._decoder.decode(self._source.read(frame_length(head))) if head else Close()

    def listen(self, stopping: Stopping) -> None:
        """Read on in a thread; cancellations go to ``stopping`` past the requests that wait."""
        threading.Thread(target=self._read, args=[stopping], name="requests", daemon=True).start()

    def next(self) -> Request:
        """The next request, in order; Close when the client is gone."""
        return self._waiting.get()

    def send(self, event: Event) -> None:
        """Send an event; a client that is gone needs none."""
        data = frame(event)
        with self._sending:
            try:
                self._sink.write(data)
                self._sink.flush()
            except OSError:
                self.closing.set()

    def _read(self, stopping: Stopping) -> None:
        try:
            while head := self._source.read(HEAD.size):
                request = self._decoder.decode(self._source.read(frame_length(head)))
                if isinstance(request, Cancel):
                    stopping.cancel(request.id)
                else:
                    self._waiting.put(request)
                    if isinstance(request, Close):
                        break
        finally:
            self.closing.set()
            stopping.stop()
            self._waiting.put(Close())


def take_standard_pipe() -> tuple[BinaryIO, BinaryIO]:
    """Move the pipe off descriptors 0 and 1, and point 0 at nothing and 1 at standard error (the log)."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, sink
