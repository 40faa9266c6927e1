"""Run as a process of its own: quantize one GGUF with llama.cpp's own function.

``python -m ophtimus_convert.quantizer SOURCE TARGET FILE_TYPE THREADS``. An assertion of ggml ends
this process and not the program that shows the progress. It prints ``done total`` a tensor on
standard output; llama.cpp's log goes to standard error.
"""

import ctypes
import os
import re
import sys

_TENSOR = re.compile(rb"\[\s*(\d+)/\s*(\d+)\]")


def main(source: str, target: str, file_type: str, threads: str) -> int:
    """Quantize ``source`` to ``target``; returns llama.cpp's code."""
    import llama_cpp

    @llama_cpp.llama_log_callback
    def log(_level: int, text: bytes, _data: ctypes.c_void_p) -> None:
        os.write(2, text)
        if match := _TENSOR.match(text):
            os.write(1, b"%s %s\n" % match.groups())

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = int(file_type)
    parameters.nthread = int(threads)
    return int(llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
