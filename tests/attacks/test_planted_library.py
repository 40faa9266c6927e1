"""Attack: libraries planted where llama.cpp and ggml look for them.

ggml loads what the variable GGML_BACKEND_PATH names, and every ``libggml-*.so`` in the working folder;
llama-cpp-python loads libllama from the folder that LLAMA_CPP_LIB_PATH names. A clinic opens a model from a stick:
whoever prepared the stick prepared the working folder too. Here a library that leaves a trace when it is loaded lies
at all of these places. Each is first seen to work on a process that nobody protects.

    .venv/bin/python -m pytest tests/attacks/test_planted_library.py
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BIN

from ophtimus_edge.locations import demo_folder

COMPILER = shutil.which("cc") or shutil.which("c++")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the names of the libraries are Linux's"),
    pytest.mark.skipif(COMPILER is None, reason="a compiler makes the library"),
]

SOURCE = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void ran(void) { close(open(TRACE, O_CREAT | O_WRONLY, 0600)); }
"""
# What a process does that uses llama.cpp and takes no care.
UNPROTECTED = {
    "LLAMA_CPP_LIB_PATH": "import llama_cpp",
    "GGML_BACKEND_PATH": "import ctypes, llama_cpp, pathlib; lib = pathlib.Path(llama_cpp.__file__).parent / 'lib';"
    " ctypes.CDLL(str(lib / 'libggml.so.0')).ggml_backend_load_all()",
}
BACKENDS = ("cpu", "cpu-haswell", "blas", "cuda", "vulkan", "rpc")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def stick(tmp_path: Path, trace: Path) -> Path:
    """A folder with the model, and the library under every name that is looked for."""
    folder = tmp_path / "stick"
    folder.mkdir()
    source, library = tmp_path / "planted.c", folder / "libllama.so"
    source.write_text(SOURCE.replace("TRACE", f'"{trace}"'))
    assert COMPILER
    subprocess.run([COMPILER, "-shared", "-fPIC", "-x", "c", str(source), "-o", str(library)], check=True)
    for name in ("libggml.so.0", "libggml-base.so.0", *(f"libggml-{backend}.so" for backend in BACKENDS)):
        shutil.copy(library, folder / name)
    shutil.copy(demo_folder() / "Ophtimus-Demo-Q4_K_M.gguf", folder / "model.gguf")
    return folder


def environment(stick: Path, *names: str) -> dict[str, str]:
    places = {
        "GGML_BACKEND_PATH": stick / "libggml-cpu.so",
        "LLAMA_CPP_LIB_PATH": stick,
        "LLAMA_CPP_LIB": stick,
    }
    return {**os.environ, **{name: str(places[name]) for name in names}}


@pytest.mark.parametrize("name", UNPROTECTED)
def test_the_plant_works_where_nobody_prevents_it(stick: Path, trace: Path, name: str) -> None:
    subprocess.run(
        [sys.executable, "-c", UNPROTECTED[name]], env=environment(stick, name), cwd=stick, check=False,
        capture_output=True,
    )  # fmt: skip
    assert trace.exists()


@pytest.mark.parametrize("model", ["model.gguf", "demo"])
def test_no_planted_library_is_loaded(stick: Path, trace: Path, model: str) -> None:
    named = environment(stick, "GGML_BACKEND_PATH", "LLAMA_CPP_LIB_PATH", "LLAMA_CPP_LIB")
    for words in (("ask", "--model", model, "--max-tokens", "2", "What is glaucoma?"), ("doctor", "--json")):
        result = subprocess.run(
            [str(BIN / "ophtimus"), *words], cwd=stick, env=named, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout
    assert not trace.exists()
