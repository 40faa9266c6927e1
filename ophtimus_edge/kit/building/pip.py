"""pip in a process of its own, with the developer's own settings for it."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ophtimus_edge.errors import KitBuildError

_LOOK_S = 0.2
_PATIENCE_S = 10.0
# Of the developer's Python, not of the packages that are fetched or built.
_UNWANTED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "GGML_BACKEND_PATH", "LLAMA_CPP_LIB_PATH")


def run_pip(arguments: list[str], environment: dict[str, str] | None = None) -> None:
    """Run pip.

    Args:
        environment: variables to set beside the developer's own.

    Raises:
        KitBuildError: it failed; with the line in which it says why.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    code, output = run_child(command, environment)
    if code:
        if "No module named pip" in output:
            raise KitBuildError(
                f"the Python of this program has no pip: {sys.executable}.",
                f"Install it: {sys.executable} -m ensurepip.",
            )
        raise KitBuildError(
            f"pip {arguments[0]} failed: {_reason(output)}",
            "Check the network and pip's own settings; what was fetched is kept, so the same command goes on.",
        )


def run_child(
    command: list[str],
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[int, str]:
    """Run a program to its end; returns its exit code and what it printed.

    It ends with this one: an interrupt reaches it too, and what it started.
    """
    variables = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**variables, **(environment or {})},
            cwd=folder,
            start_new_session=True,  # a compiler's many processes are ended together
        )
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)  # on Windows no interrupt reaches a wait without an end
        except BaseException:
            _end(process)
            raise
        output.seek(0)
        return process.returncode, output.read().decode("utf-8", "replace")


def _end(process: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _reason(output: str) -> str:
    """The line of pip's output that says why; the first error, which those after it follow from."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    found = next(iter(errors), lines[-1] if lines else "it said nothing")
    return found if len(found) <= 300 else f"{found[:300]}…"
