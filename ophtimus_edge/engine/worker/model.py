"""llama.cpp's model, context and samplers, as far as answering needs them."""

import ctypes
from collections.abc import Callable, Sequence

import llama_cpp
import numpy as np
import numpy.typing as npt

SLICE = 128  # prompt tokens between two looks at whether to stop


class LoadError(Exception):
    """llama.cpp would not load the model."""


class DecodeError(Exception):
    """llama.cpp would not evaluate the tokens."""


class LoadStoppedError(Exception):
    """Loading was stopped."""


class Model:
    """One model and one context with one sequence, whose tokens are kept between answers."""

    def __init__(
        self,
        path: str,
        context: int,
        threads: int,
        progress: Callable[[float], bool],
        vocabulary_only: bool = False,
    ) -> None:
        """Load a model.

        Args:
            path: the GGUF file.
            context: tokens; 0 for what the model was trained with, at most 4,096.
            threads: of computation.
            progress: told the fraction loaded; returns whether to go on.
            vocabulary_only: leave the weights out; there is no context then, and nothing is evaluated.

        Raises:
            LoadError: llama.cpp refuses the file, or there is no memory for it.
            LoadStoppedError: ``progress`` said to stop.
        """
        going_on = True

        @llama_cpp.llama_progress_callback
        def report(fraction: float, _: ctypes.c_void_p) -> bool:
            nonlocal going_on
            going_on = progress(fraction)
            return going_on

        parameters = llama_cpp.llama_model_default_params()
        parameters.progress_callback = report
        parameters.vocab_only = vocabulary_only
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
        if not self._model:
            if not going_on:
                raise LoadStoppedError
            raise LoadError("llama.cpp could not load it")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self._kept: list[int] = []
        self.context: int = 0
        if vocabulary_only:
            return
        trained = llama_cpp.llama_model_n_ctx_train(self._model)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = context or min(trained, 4096)
        settings.n_batch = settings.n_ubatch = 512
        settings.n_threads = settings.n_threads_batch = threads
        settings.no_perf = True
        self._context = llama_cpp.llama_init_from_model(self._model, settings)
        if not self._context:
            raise LoadError("there is not enough memory for its context")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self.context = llama_cpp.llama_n_ctx(self._context)

    @property
    def template(self) -> str:
        """The chat template inside the file, or ""."""
        text = llama_cpp.llama_model_chat_template(self._model, None)
        return text.decode("utf-8", "replace") if text else ""

    @property
    def bos(self) -> int:
        """The id that begins a text, or -1."""
        return int(llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def eos(self) -> int:
        """The id that the file names as its end, or -1."""
        return int(llama_cpp.llama_vocab_eos(self._vocab))

    def token_text(self, token: int) -> str:
        """A token as the vocabulary writes it; "" for the id -1."""
        if token < 0:
            return ""
        return str(llama_cpp.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace"))

    def special_texts(self) -> tuple[str, str]:
        """The texts of the tokens that begin and end a text."""
        return self.token_text(self.bos), self.token_text(self.eos)

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Text to ids, without a BOS; special tokens that the text names count where ``special``."""
        data = text.encode("utf-8")
        size = len(data) + 8
        ids = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, size, False, special)
        if count < 0:
            raise DecodeError("the text could not be tokenized")
        return list(ids[:count])

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; a control token as its name, so that nothing is hidden."""
        size = 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def ends(self, token: int) -> bool:
        """Whether a token ends the answer."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

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
        if not llama_cpp.llama_memory_seq_rm(self._memory, 0, shared, -1):
            llama_cpp.llama_memory_clear(self._memory, True)
            shared = 0
        self._kept = list(ids[:shared])
        return shared

    def evaluate(self, ids: Sequence[int]) -> None:
        """Evaluate tokens behind the kept ones; the logits of the last are there afterwards.

        Raises:
            DecodeError: llama.cpp failed; everything kept is forgotten.
        """
        array = (llama_cpp.llama_token * len(ids))(*ids)
        code = llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(array, len(ids)))
        if code:
            llama_cpp.llama_memory_clear(self._memory, True)
            self._kept = []
            raise DecodeError(f"llama_decode returned {code}")
        self._kept += ids

    def logits(self, ids: Sequence[int], into: npt.NDArray[np.float32]) -> None:
        """Evaluate ids from an empty context and write the logits of the last of them.

        Args:
            ids: at most ``context`` tokens.
            into: shape (n, vocabulary), for the last n ids.

        Raises:
            DecodeError: llama.cpp failed; everything kept is forgotten.
        """
        llama_cpp.llama_memory_clear(self._memory, True)
        self._kept = []
        first = len(ids) - len(into)  # of those whose logits are wanted
        batch = llama_cpp.llama_batch_init(SLICE, 0, 1)
        try:
            for start in range(0, len(ids), SLICE):
                part = ids[start : start + SLICE]
                batch.n_tokens = len(part)
                for index, token in enumerate(part):
                    batch.token[index], batch.pos[index] = token, start + index
                    batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
                    batch.logits[index] = start + index >= first
                if code := llama_cpp.llama_decode(self._context, batch):
                    llama_cpp.llama_memory_clear(self._memory, True)
                    raise DecodeError(f"llama_decode returned {code}")
                for index in range(len(part)):
                    if start + index >= first:
                        row = llama_cpp.llama_get_logits_ith(self._context, index)
                        into[start + index - first] = np.ctypeslib.as_array(row, (self.vocabulary,))
        finally:
            llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_memory_clear(self._memory, True)

    def sampler(self, temperature: float, seed: int) -> "Sampler":
        """A sampler for one answer."""
        return Sampler(self._context, temperature, seed)


class Sampler:
    """Picks the next token: greedy at temperature 0, else top-k 40, top-p 0.95 and the temperature."""

    def __init__(self, context: object, temperature: float, seed: int) -> None:
        self._context = context
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        if temperature <= 0:
            steps = [llama_cpp.llama_sampler_init_greedy()]
        else:
            steps = [
                llama_cpp.llama_sampler_init_top_k(40),
                llama_cpp.llama_sampler_init_top_p(0.95, 1),
                llama_cpp.llama_sampler_init_temp(temperature),
                llama_cpp.llama_sampler_init_dist(seed),
            ]
        for step in steps:
            llama_cpp.llama_sampler_chain_add(self._chain, step)

    def pick(self) -> int:
        """The next token, from the logits of the last evaluated one."""
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, -1))

    def close(self) -> None:
        """Free the sampler."""
        llama_cpp.llama_sampler_free(self._chain)
