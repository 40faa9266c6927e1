"""What the gates need of transformers, loaded beside the pass: it takes seconds, the pass takes longer."""

import contextlib
import importlib
import importlib.util
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_ROTARY = "transformers.modeling_rope_utils"  # with torch, which it imports


class Preparation:
    """A checkpoint's tokenizer as transformers reads it, and the libraries that the gates import."""

    def __init__(self, folder: Path, skip: frozenset[str]) -> None:
        """Begin to load in the background what the gates that are not skipped will need.

        Args:
            folder: of the tokenizer.
        """
        self._folder = folder
        self._tokenizer: Future[PreTrainedTokenizerFast] = Future()
        self._thread = threading.Thread(
            target=self._load,
            args=("rope" not in skip and importlib.util.find_spec("torch") is not None,),
            daemon=True,  # Ctrl+C must not wait for it
        )
        self._begun = threading.Lock()
        if not skip >= {"tokens", "template", "end"}:
            self._begin()

    @property
    def tokenizer(self) -> "PreTrainedTokenizerFast":
        """The tokenizer.

        Raises:
            Exception: any that transformers raises over its files.
        """
        self._begin()
        return self._tokenizer.result()

    def _begin(self) -> None:
        if self._begun.acquire(blocking=False):
            self._thread.start()

    def _load(self, rotary: bool) -> None:
        try:
            from transformers import PreTrainedTokenizerFast

            loaded = PreTrainedTokenizerFast.from_pretrained(self._folder, local_files_only=True)
        except BaseException as error:  # the gate that asks for it says what is wrong
            self._tokenizer.set_exception(error)
        else:
            self._tokenizer.set_result(loaded)
        if rotary:
            with contextlib.suppress(Exception):  # the gate on it meets it again
                importlib.import_module(_ROTARY)
