"""Quantization levels, made from a merged GGUF by llama.cpp in a child process."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.gguf import FILE_TYPES
from ophtimus_edge.models.hardware import usable_cores

# llama.cpp makes these only with an importance matrix, which this command does not take yet.
_NEED_IMATRIX = frozenset({"IQ1_M", "IQ1_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ3_XXS", "Q2_K_S"})
_CODES = {level: code for code, level in FILE_TYPES.items()}
LEVELS = tuple(level for level in _CODES if level not in _NEED_IMATRIX)


def quantize(source: Path, target: Path, level: str, on_progress: Callable[[int, int], None]) -> None:
    """Quantize a merged GGUF to one level.

    Args:
        source: a GGUF of type F32, F16 or BF16.
        target: the file to write.
        on_progress: told the tensors done and their number.

    Raises:
        ConversionError: llama.cpp refused, or its process ended.
    """
    command = [sys.executable, "-m", "ophtimus_convert.quantizer", str(source), str(target)]
    command += [str(_CODES[level]), str(usable_cores())]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        for line in process.stdout:
            done, _, total = line.decode("ascii", "replace").partition(" ")
            if done.isdigit() and total.strip().isdigit():
                on_progress(int(done), int(total))
        code = process.wait()
        if code:
            log.seek(0)
            lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
            last = lines[-1].strip() if lines else f"exit code {code}"
            raise ConversionError(
                f"llama.cpp could not make {level}: {last}.", "Check the free space, or leave this level out."
            )
