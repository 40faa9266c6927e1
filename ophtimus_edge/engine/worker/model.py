"""A model's weights and vocabulary, through llama.cpp."""

import ctypes
import os
from collections.abc import Callable

import llama_cpp


class LoadError(Exception):
    """llama.cpp would not load the model."""


class LoadStoppedError(Exception):
    """Loading was stopped."""


class Model:
    """A loaded model; what it computes with is :class:`ophtimus_edge.engine.worker.context.Context`."""

    def __init__(
        self, path: str, gpu_layers: int, progress: Callable[[float], bool], vocabulary_only: bool = False
    ) -> None:
        """Load a model.

        Args:
            path: the GGUF file.
            gpu_layers: layers that a GPU takes.
            progress: told the fraction loaded; returns whether to go on.
            vocabulary_only: leave the weights out; nothing can be evaluated then.

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
        parameters.n_gpu_layers = gpu_layers
        self.handle = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self.handle:
            if not going_on:
                raise LoadStoppedError
            raise LoadError("llama.cpp could not load it")
        self.gpu_layers = gpu_layers
        self._vocab = llama_cpp.llama_model_get_vocab(self.handle)
        self.vocabulary: int = llama_cpp.llama_vocab_n_tokens(self._vocab)

    def close(self) -> None:
        """Give the memory back."""
        llama_cpp.llama_model_free(self.handle)

    @property
    def template(self) -> str:
        """The chat template inside the file, or ""."""
        text = llama_cpp.llama_model_chat_template(self.handle, None)
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
        size = len(data) + 8  # a token is a byte at the least
        ids = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, size, False, special)
        return list(ids[: max(count, 0)])

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
