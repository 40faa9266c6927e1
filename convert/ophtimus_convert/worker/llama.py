"""llama.cpp's quantizer: asked for its plan, and as the plain way to a file."""

import ctypes
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp

from ophtimus_convert.imatrix import read_imatrix
from ophtimus_convert.jobs import PlanTypes, Quantize, Types
from ophtimus_edge.errors import ConversionError

# The quantizer logs a line a tensor: "[ 1/ 38] NAME - [shape], type = bf16, size = 1 MiB -> 1 MiB (q6_K)".
_PLANNED = re.compile(
    r"\[ *\d+/ *\d+\] (?P<name>\S+) .*?type = +(?P<old>\w+), .*?MiB(?: ->.*?\((?P<new>\w+)\))?"
)
_COUNTED = re.compile(r"\[ *(\d+)/ *(\d+)\] (\S+)")


class Log:
    """llama.cpp's log: copied to standard error, and kept."""

    def __init__(self, on_text: Callable[[str], None] | None = None) -> None:
        self.text = ""

        @llama_cpp.llama_log_callback
        def log(_level: int, text: bytes, _data: ctypes.c_void_p) -> None:
            os.write(2, text)
            piece = text.decode("utf-8", "replace")
            self.text += piece
            if on_text:
                on_text(piece)

        self._callback = log  # llama.cpp keeps the pointer: so must we
        llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()

    def last_words(self) -> str:
        """The last line that says something."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip(" =")]
        return lines[-1] if lines else "it does not say why"


def plan_types(job: PlanTypes) -> Types:
    """Run the quantizer dry on a skeleton, and read its choices from its log.

    Its rules depend on counters, on the number of layers and heads, and on which importances are known:
    asking is exact where a copy of the rules would age.

    Raises:
        ConversionError: llama.cpp refuses the skeleton.
    """
    log = Log()
    types: dict[str, dict[str, str]] = {}
    importance = _importance(job.imatrix)
    with tempfile.TemporaryDirectory() as folder:
        for level, file_type in job.file_types.items():
            log.text = ""
            parameters = _parameters(file_type, 1, importance)
            parameters.dry_run = True
            if _run(job.skeleton, str(Path(folder) / "none"), parameters):
                raise ConversionError(
                    f"llama.cpp does not plan {level}: {log.last_words()}.", "Leave this level out."
                )
            types[level] = {
                match["name"]: (match["new"] or match["old"]).upper() for match in _PLANNED.finditer(log.text)
            }
    return Types(types)


def quantize(job: Quantize, on_progress: Callable[[int, int, str], None]) -> None:
    """Quantize ``source`` to ``target``.

    Raises:
        ConversionError: llama.cpp refuses.
    """

    def show(text: str) -> None:
        if match := _COUNTED.match(text):
            on_progress(int(match[1]), int(match[2]), match[3])

    log = Log(show)
    parameters = _parameters(job.file_type, job.threads, _importance(job.imatrix))
    if _run(job.source, job.target, parameters):
        raise ConversionError(
            f"llama.cpp could not make {Path(job.target).name}: {log.last_words()}.",
            "Check the free space, or leave this level out.",
        )


def _run(source: str, target: str, parameters: Any) -> int:
    return int(
        llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters))
    )


def _parameters(file_type: int, threads: int, importance: Any) -> Any:
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = file_type
    parameters.nthread = threads
    if importance is not None:
        parameters.imatrix = importance
    return parameters


def _importance(path: str) -> Any:
    """The matrix as llama.cpp takes it: an array that ends with a nameless entry."""
    if not path:
        return None
    entries = read_imatrix(Path(path)).entries
    array = (llama_cpp.llama_model_imatrix_data * (len(entries) + 1))()
    for slot, (name, values) in zip(array, entries.items(), strict=False):
        slot.name = name.encode()
        slot.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        slot.size = values.size
    array.kept = entries  # the values must live as long as the pointers to them
    return array
