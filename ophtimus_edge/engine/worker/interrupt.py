"""Stopping a computation from another thread, without Python in its way.

llama.cpp asks an abort callback before each step of its graph. A Python callback would wait for the
interpreter's lock hundreds of times a token, which slows generation thirtyfold. The C library's
``strlen`` has a fitting shape: given the address of one byte and a closing zero, it is 0 while the byte
is 0 and 1 when another thread has written a 1 there. The CPU backend asks; others do not, and are looked
after between two slices of the prompt.
"""

import ctypes
import sys
import threading

import llama_cpp


class Interrupt:
    """A byte that a thread sets and that llama.cpp reads."""

    def __init__(self) -> None:
        self._byte = ctypes.create_string_buffer(2)
        self._lock = threading.Lock()
        self._current = 0
        self._cancelled: set[int] = set()
        self._for_good = False

    @property
    def callback(self) -> object:
        """For ``llama_context_params.abort_callback``."""
        library = ctypes.CDLL("ucrtbase") if sys.platform == "win32" else ctypes.CDLL(None)
        address = ctypes.cast(library.strlen, ctypes.c_void_p).value
        return llama_cpp.ggml_abort_callback(address)

    @property
    def data(self) -> int:
        """For ``llama_context_params.abort_callback_data``: valid as long as this object lives."""
        return ctypes.addressof(self._byte)

    def begin(self, request_id: int) -> None:
        """A request's computation begins; a cancellation that came before it counts."""
        with self._lock:
            self._current = request_id
            self._set()

    def end(self) -> None:
        """The computation is over; what is computed now belongs to no request."""
        with self._lock:
            self._cancelled.discard(self._current)
            self._current = 0
            self._set()

    def cancel(self, request_id: int) -> None:
        """Stop a request, whether it computes already or still waits."""
        with self._lock:
            self._cancelled.add(request_id)
            self._set()

    def stop(self) -> None:
        """Stop everything, now and later: the client is gone."""
        with self._lock:
            self._for_good = True
            self._set()

    @property
    def raised(self) -> bool:
        """Whether the computation under way is to stop."""
        return self._byte.raw[0] != 0

    def _set(self) -> None:
        stopped = self._for_good or self._current in self._cancelled
        self._byte[0] = b"\x01" if stopped else b"\x00"
