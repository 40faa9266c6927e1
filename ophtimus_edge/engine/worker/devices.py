"""What llama.cpp is and can compute on here.

llama_cpp has no names for ggml's list of devices; the library that holds it is loaded with it.
"""

import contextlib
import ctypes
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import llama_cpp

from ophtimus_edge.engine.messages import Device

_NAMES = {"linux": "libggml.so.0", "darwin": "libggml.0.dylib", "win32": "ggml.dll"}
# NVIDIA's own libraries, from its packages beside llama_cpp: in the order in which they ask for one another.
_OF_CUDA = ("nvidia/*/lib/libcudart.so.*", "nvidia/*/lib/libcublasLt.so.*", "nvidia/*/lib/libcublas.so.*")
_KINDS: tuple[Literal["cpu", "gpu", "igpu", "accelerator"], ...] = ("cpu", "gpu", "igpu", "accelerator")


def load_backends() -> None:
    """Have ggml load its backends where they are libraries of their own, the best variant for this processor.

    A build for one kind of processor has them inside, and nothing is done. They are looked for beside llama.cpp
    alone: by itself ggml would take one out of the current folder too. To be called before a model is loaded, in a
    process that may still read files.
    """
    folder = Path(llama_cpp.__file__).resolve().parent / "lib"
    library = _library()
    if library is None or not _has_backends(folder):
        return
    if any(folder.glob("libggml-cuda.so")):
        for pattern in _OF_CUDA:
            for path in sorted(folder.parent.parent.glob(pattern)):
                with contextlib.suppress(OSError):  # then ggml finds the system's, or has no graphics card
                    ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    library.ggml_backend_load_all_from_path.restype = None
    library.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    library.ggml_backend_load_all_from_path(str(folder).encode("utf-8"))


def _has_backends(folder: Path) -> bool:
    patterns = ("libggml-cpu-*.so", "libggml-cpu-*.dylib", "ggml-cpu-*.dll")
    return any(next(folder.glob(pattern), None) for pattern in patterns)


def build() -> str:
    """Which build of llama.cpp computes."""
    return f"llama-cpp-python {version('llama-cpp-python')}"


def features() -> str:
    """The instructions that this build uses here, as llama.cpp prints them."""
    return str(llama_cpp.llama_print_system_info().decode("utf-8", "replace")).strip()


def devices() -> list[Device]:
    """Everything that llama.cpp can compute on; empty where its library is not where it should be."""
    library = _library()
    if library is None:
        return []
    found = []
    for index in range(library.ggml_backend_dev_count()):
        device = library.ggml_backend_dev_get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        library.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        kind = library.ggml_backend_dev_type(device)
        found.append(
            Device(
                name=library.ggml_backend_dev_name(device).decode("utf-8", "replace"),
                description=library.ggml_backend_dev_description(device).decode("utf-8", "replace"),
                kind=_KINDS[kind] if kind < len(_KINDS) else "accelerator",
                free_bytes=free.value,
                total_bytes=total.value,
            )
        )
    return found


def name_of(gpu_layers: int) -> str:
    """What a model computes on, when so many of its layers may go to a GPU."""
    every = devices()
    chosen = [device for device in every if device.kind in {"gpu", "igpu"}] if gpu_layers else []
    chosen = chosen or [device for device in every if device.kind == "cpu"]
    return ", ".join(device.description for device in chosen) or "unknown"


def _library() -> Any:
    # The library that libllama is linked to; a wheel holds copies of it under other names, and devices
    # that one copy knows are unknown to the others.
    path = Path(llama_cpp.__file__).parent / "lib" / _NAMES.get(sys.platform, "")
    if not path.is_file():
        return None
    library = ctypes.CDLL(str(path))
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    for name in ("ggml_backend_dev_name", "ggml_backend_dev_description"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = [ctypes.c_void_p]
    pointer = ctypes.POINTER(ctypes.c_size_t)
    library.ggml_backend_dev_memory.restype = None
    library.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, pointer, pointer]
    library.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    return library
