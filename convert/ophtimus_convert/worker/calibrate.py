"""An importance matrix, from llama.cpp's evaluation callback over a 16-bit pass.

For each matrix product with a layer's weight, the squares of the inputs are summed by column, as
llama.cpp's own tool does; the output layer and the embedding are left out, as it leaves them out.
"""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

import llama_cpp
import numpy as np

from ophtimus_convert.calibration_text import calibration, read_text
from ophtimus_convert.imatrix import write_imatrix
from ophtimus_convert.jobs import Calibrate
from ophtimus_convert.tensors import Floats
from ophtimus_convert.worker import ggml
from ophtimus_convert.worker.llama import Log
from ophtimus_edge.errors import ConversionError

_FEWEST_ROWS = 16  # products over fewer rows are not counted, as in llama.cpp's tool


class _Tensor(ctypes.Structure):
    """``struct ggml_tensor`` (ggml.h), as far as the callback reads it."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
]


class _Collector:
    """The sums, and the callback that adds to them."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[Floats, int]] = {}
        self.failure = ""
        get = ggml.library().ggml_backend_tensor_get
        get.restype, get.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        self._get = get
        self.callback = llama_cpp.ggml_backend_sched_eval_callback(self._call)

    def _call(self, address: int, ask: bool, _data: object) -> bool:
        try:
            node = _Tensor.from_address(address)
            if not node.src[0] or not node.src[1]:
                return not ask
            weight, inputs = node.src[0].contents, node.src[1].contents
            name = weight.name.decode("ascii", "replace")
            wanted = bool(
                name.startswith("blk.")
                and name.endswith(".weight")
                and inputs.type == 0  # F32
                and inputs.ne[1] >= _FEWEST_ROWS
            )
            if ask:
                return wanted
            if wanted:
                self._add(name, inputs)
        except Exception as error:  # an exception cannot pass through llama.cpp: keep it for later
            self.failure = f"{type(error).__name__}: {error}"
            return False
        return True

    def _add(self, name: str, inputs: _Tensor) -> None:
        columns, rows = inputs.ne[0], inputs.ne[1] * inputs.ne[2] * inputs.ne[3]
        values = np.empty((rows, columns), np.float32)
        self._get(ctypes.addressof(inputs), values.ctypes.data, 0, values.nbytes)
        total, count = self.sums.get(name, (np.zeros(columns, np.float32), 0))
        self.sums[name] = (total + np.einsum("ij,ij->j", values, values), count + rows)


def calibrate(job: Calibrate, on_progress: Callable[[int, int, str], None]) -> None:
    """Evaluate a text window by window and write the matrix.

    Raises:
        ConversionError: the text is too short or cannot be read, or llama.cpp fails.
    """
    text = read_text(Path(job.text))
    log = Log()
    collector = _Collector()
    model = llama_cpp.llama_model_load_from_file(
        os.fsencode(job.model), llama_cpp.llama_model_default_params()
    )
    if not model:
        raise ConversionError(f"llama.cpp cannot load {job.model}: {log.last_words()}.", "Convert it again.")
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = job.context
    parameters.n_threads = parameters.n_threads_batch = job.threads
    parameters.cb_eval = collector.callback
    context = llama_cpp.llama_init_from_model(model, parameters)
    if not context:
        raise ConversionError(f"llama.cpp cannot make a context: {log.last_words()}.", "Free some memory.")
    vocabulary = llama_cpp.llama_model_get_vocab(model)
    tokens = _tokens(vocabulary, text)
    windows = len(tokens) // job.context
    if windows < 1:
        raise ConversionError(
            f"the calibration text has {len(tokens)} tokens, and a window has {job.context}.",
            "Name a longer text: some tens of thousands of words are usual.",
        )
    windows = min(windows, job.windows) if job.windows else windows
    batch = llama_cpp.llama_batch_init(job.context, 0, 1)
    first = llama_cpp.llama_vocab_bos(vocabulary)
    for window in range(windows):
        part = tokens[window * job.context : (window + 1) * job.context]
        part[0] = first
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        for index, token in enumerate(part):
            batch.token[index], batch.pos[index] = token, index
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
            batch.logits[index] = True  # the last layer computes only rows whose logits are wanted
        batch.n_tokens = len(part)
        if llama_cpp.llama_decode(context, batch) or collector.failure:
            raise ConversionError(
                f"the calibration stopped in window {window + 1} of {windows}"
                f"{f' ({collector.failure})' if collector.failure else ''}.",
                "Free some memory, or leave --calibrate out.",
            )
        on_progress(window + 1, windows, "windows")
    write_imatrix(
        Path(job.target),
        collector.sums,
        Path(job.text).name,
        windows,
        job.context,
        calibration(text, tokens[1 : windows * job.context]),
    )


def _tokens(vocabulary: object, text: bytes) -> list[int]:
    room = len(text) + 8  # a token is a byte at the least
    array = (llama_cpp.llama_token * room)()
    count = llama_cpp.llama_tokenize(vocabulary, text, len(text), array, room, True, False)
    if count < 0:
        raise ConversionError("the calibration text cannot be tokenized.", "Name a text file in UTF-8.")
    return list(array[:count])
