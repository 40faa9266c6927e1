"""How likely a model finds texts: log-likelihoods behind a prefix, logits of whole windows."""

import contextlib
import mmap
import os
import sys
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import numpy.typing as npt

from ophtimus_edge.engine.measuring_messages import Logits, Score
from ophtimus_edge.engine.worker.context import Context, DecodeError, Entry
from ophtimus_edge.engine.worker.model import Model


def score(request: Score, context: Context) -> list[list[float]]:
    """The log-likelihood of each token of each continuation, in nats; the prefix is evaluated once.

    Raises:
        DecodeError: something does not fit the context, or llama.cpp fails.
        StoppedError: the request was cancelled.
    """
    longest = len(request.prefix) + max(map(len, request.continuations), default=0)
    if not request.prefix or longest > context.tokens:
        raise DecodeError(f"{longest} tokens do not fit the context of {context.tokens}")
    context.read(request.prefix)
    first = log_softmax(context.logits())
    scores = []
    for continuation in request.continuations:
        found = [float(first[token]) for token in continuation[:1]]
        for start in range(0, len(continuation) - 1, context.batch_tokens):
            part = continuation[start : min(start + context.batch_tokens, len(continuation) - 1)]
            behind = len(request.prefix) + start
            context.evaluate_batch([Entry(token, behind + at, 0, True) for at, token in enumerate(part)])
            targets = continuation[start + 1 :]
            found += [float(log_softmax(context.logits(at))[targets[at]]) for at in range(len(part))]
        scores.append(found)
        context.roll_back(len(request.prefix))
    return scores


def write_logits(request: Logits, model: Model, context: Context | None) -> None:
    """Evaluate a window from an empty context, and write the logits of its last ids.

    Raises:
        DecodeError: the window does not fit the context, or llama.cpp fails.
        StoppedError: the request was cancelled.
        OSError: the client's shared memory is gone.
    """
    fits = context.tokens if context else 0
    if context is None or len(request.ids) > fits:
        raise DecodeError(f"{len(request.ids)} tokens do not fit the context of {fits}")
    with _attached(request.memory) as buffer:
        into = np.ndarray((request.last, model.vocabulary), np.float32, buffer)
        try:
            _evaluate_window(request.ids, context, into)
        finally:
            del into  # the view must be gone before the memory is closed


def _evaluate_window(ids: list[int], context: Context, into: npt.NDArray[np.float32]) -> None:
    context.clear()
    first = len(ids) - len(into)  # of those whose logits are wanted
    try:
        for start in range(0, len(ids), context.batch_tokens):
            part = ids[start : start + context.batch_tokens]
            context.evaluate_batch(
                [Entry(token, start + at, 0, start + at >= first) for at, token in enumerate(part)]
            )
            for at in range(len(part)):
                if start + at >= first:
                    into[start + at - first] = context.logits(at)
    finally:
        context.clear()


def log_softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Probabilities of shape (vocabulary,), in nats; in float64, as the differences between options can be small."""
    wide = logits.astype(np.float64)
    wide -= wide.max()
    result: npt.NDArray[np.float64] = wide - np.log(np.exp(wide).sum())
    return result


@contextlib.contextmanager
def _attached(name: str) -> Iterator[memoryview | mmap.mmap]:
    """The client's memory; it alone removes it.

    Before Python 3.13, SharedMemory would start a process that removes it when this one ends, and this
    one may start none.
    """
    if sys.platform == "win32":
        memory = SharedMemory(name)
        try:
            yield _buffer(memory)
        finally:
            memory.close()
    elif sys.version_info >= (3, 13):
        memory = SharedMemory(name, track=False)
        try:
            yield _buffer(memory)
        finally:
            memory.close()
    else:
        import _posixshmem  # type: ignore[import-not-found]  # of the standard library, without types

        descriptor = _posixshmem.shm_open(f"/{name}", os.O_RDWR, mode=0o600)
        try:
            mapped = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        with mapped:
            yield mapped


def _buffer(memory: SharedMemory) -> memoryview:
    assert memory.buf is not None  # noqa: S101 - it has just been opened
    return memory.buf
