"""What a model computes with: its key/value cache, the batches that go through it, and samplers."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import llama_cpp
import numpy as np
import numpy.typing as npt

from ophtimus_edge.engine.worker.interrupt import Interrupt
from ophtimus_edge.engine.worker.model import LoadError, Model

SLICE = 256  # prompt tokens that are evaluated together: between two slices, progress is told
_BATCH = 512
_SMALLEST = 512  # tokens of context below which it is not worth trying
_ABORTED = 2  # llama_decode's code for an abort callback that said so


class DecodeError(Exception):
    """llama.cpp would not evaluate the tokens."""


class StoppedError(Exception):
    """The request was cancelled while it computed."""


class Entry(NamedTuple):
    """A token in a batch: its id, its position, the sequence it belongs to, and whether its logits count."""

    token: int
    position: int
    sequence: int
    wanted: bool


class Context:
    """One context; the tokens of its sequence 0 are kept between answers, the other ones never."""

    def __init__(self, model: Model, tokens: int, threads: int, sequences: int, interrupt: Interrupt) -> None:
        """Make a context.

        Args:
            tokens: that fit; halved where the memory does not suffice.
            threads: of computation.
            sequences: that can be evaluated side by side, beside sequence 0.
            interrupt: stops the evaluation of a batch.

        Raises:
            LoadError: there is no memory for the smallest context.
        """
        self._model = model
        self._interrupt = interrupt
        self._abort = interrupt.callback  # llama.cpp keeps the pointer: so must we
        settings = llama_cpp.llama_context_default_params()
        settings.n_batch = settings.n_ubatch = _BATCH
        settings.n_threads = settings.n_threads_batch = threads
        settings.n_seq_max = sequences + 1
        settings.kv_unified = True  # the sequences share one cache, and a common prefix is there once
        settings.abort_callback, settings.abort_callback_data = self._abort, interrupt.data
        settings.no_perf = True
        self.handle = None
        smallest = min(tokens, _SMALLEST)
        while not self.handle and tokens >= smallest:
            settings.n_ctx = tokens
            self.handle = llama_cpp.llama_init_from_model(model.handle, settings)
            tokens //= 2
        if not self.handle:
            raise LoadError("there is not enough memory for its context")
        self.tokens: int = llama_cpp.llama_n_ctx(self.handle)
        self.sequences = sequences
        self._memory = llama_cpp.llama_get_memory(self.handle)
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)
        self._kept: list[int] = []

    @property
    def batch_tokens(self) -> int:
        """Tokens of a batch at the most."""
        return _BATCH

    def reuse(self, ids: Sequence[int]) -> int:
        """Keep what the evaluated tokens share with ``ids`` and forget the rest.

        Returns:
            How many tokens need not be evaluated again; at least the last one always is.
        """
        shared = 0
        for kept, wanted in zip(self._kept, ids[:-1], strict=False):
            if kept != wanted:
                break
            shared += 1
        return self.roll_back(shared)

    def roll_back(self, count: int) -> int:
        """Forget what is behind the first tokens; returns how many are kept, 0 where llama.cpp cannot."""
        if not llama_cpp.llama_memory_seq_rm(self._memory, 0, count, -1):
            self.clear()
        self._kept = self._kept[:count]
        return len(self._kept)

    def hold(self, ids: Sequence[int]) -> None:
        """Have exactly these tokens evaluated, in the same slices whatever was there before.

        Raises:
            StoppedError: the request was cancelled.
            DecodeError: llama.cpp failed.
        """
        if list(ids) != self._kept[: len(ids)] or self.roll_back(len(ids)) != len(ids):
            self.clear()
            self.read(ids)

    def clear(self) -> None:
        """Forget everything."""
        llama_cpp.llama_memory_clear(self._memory, False)
        self._kept = []

    def read(self, ids: Sequence[int], on_progress: Callable[[int], None] = lambda _done: None) -> int:
        """Evaluate a prompt; the logits of its last token are there afterwards.

        Args:
            on_progress: told how many of the tokens are done, those reused among them, before each slice.

        Returns:
            How many tokens were kept from before.

        Raises:
            StoppedError: the request was cancelled; what is evaluated stays.
            DecodeError: llama.cpp failed.
        """
        reused = self.reuse(ids)
        for at in range(reused, len(ids), SLICE):
            on_progress(at)
            self.evaluate(ids[at : at + SLICE])
        return reused

    def evaluate(self, ids: Sequence[int]) -> None:
        """Evaluate tokens behind the kept ones; the logits of the last are there afterwards.

        Raises:
            StoppedError: the request was cancelled.
            DecodeError: llama.cpp failed; everything kept is forgotten.
        """
        array = (llama_cpp.llama_token * len(ids))(*ids)
        self._decode(llama_cpp.llama_batch_get_one(array, len(ids)))
        self._kept += ids

    def evaluate_batch(self, entries: Sequence[Entry]) -> None:
        """Evaluate tokens of several sequences together; logits are found by the place in the batch.

        Raises:
            StoppedError: the request was cancelled.
            DecodeError: llama.cpp failed; everything kept is forgotten.
        """
        batch = self._batch
        batch.n_tokens = len(entries)
        for place, entry in enumerate(entries):
            batch.token[place], batch.pos[place] = entry.token, entry.position
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, entry.sequence
            batch.logits[place] = entry.wanted
        self._decode(batch)

    def wait(self) -> None:
        """Wait until everything is computed: a graphics card goes on behind llama_decode's back."""
        llama_cpp.llama_synchronize(self.handle)

    def share(self, sequence: int) -> None:
        """Begin a sequence with the tokens that sequence 0 has."""
        llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)

    def forget(self, sequence: int, behind: int = -1) -> None:
        """Forget a sequence other than 0, from a position on."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, behind, -1)

    def logits(self, place: int = -1) -> npt.NDArray[np.float32]:
        """The logits of a token of the last batch, shape (vocabulary,); valid until the next batch."""
        row = llama_cpp.llama_get_logits_ith(self.handle, place)
        return np.ctypeslib.as_array(row, (self._model.vocabulary,))

    def sampler(self, temperature: float, seed: int) -> "Sampler":
        """A sampler for one answer."""
        return Sampler(self, temperature, seed)

    def _decode(self, batch: Any) -> None:
        code = llama_cpp.llama_decode(self.handle, batch)
        if code == _ABORTED or (code and self._interrupt.raised):
            # What the batch had done already lies behind the kept tokens.
            llama_cpp.llama_memory_seq_rm(self._memory, 0, len(self._kept), -1)
            raise StoppedError
        if code:
            self.clear()
            raise DecodeError(f"llama_decode returned {code}")


class Sampler:
    """Picks the next token: greedy at temperature 0, else top-k 40, top-p 0.95 and the temperature."""

    def __init__(self, context: Context, temperature: float, seed: int) -> None:
        self._context = context
        self._chain = None
        if temperature <= 0:
            return
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        for step in (
            llama_cpp.llama_sampler_init_top_k(40),
            llama_cpp.llama_sampler_init_top_p(0.95, 1),
            llama_cpp.llama_sampler_init_temp(temperature),
            llama_cpp.llama_sampler_init_dist(seed),
        ):
            llama_cpp.llama_sampler_chain_add(self._chain, step)

    def pick(self, place: int = -1) -> int:
        """The next token, from the logits of a token of the last batch."""
        if self._chain is None:
            # As llama.cpp's greedy sampler does, without its copy of the vocabulary for each token.
            return int(self._context.logits(place).argmax())
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context.handle, place))

    def close(self) -> None:
        """Free the sampler."""
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
