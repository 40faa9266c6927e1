"""A version is tried with its own Python before it is used, and before it is used again."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from ophtimus_edge.errors import KitInstallError
from ophtimus_edge.kit.installing.machine import TOO_OLD
from ophtimus_edge.kit.installing.versions import python_of

_SMOKE = "ophtimus_edge.kit.installing.smoke"
_PATIENCE_S = 600  # for the first reading of everything from a slow disk
_BASELINE = ("X86_V", "baseline", "illegal instruction")  # how numpy words it


def prove(folder: Path, what: Literal["imports", "answers"]) -> None:
    """Have a version show that its parts can be loaded, or that a model of it answers.

    Raises:
        KitInstallError: it does not, and why.
        OSError: the disk cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix=".smoke-", dir=folder) as home:
        # A home of its own: what it writes is none of the person's. Nothing of the environment leads elsewhere.
        env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        try:
            done = subprocess.run(
                [str(python_of(folder)), "-I", "-m", _SMOKE, what],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", errors="replace",
                env={**env, "OPHTIMUS_HOME": home}, timeout=_PATIENCE_S, check=False,
            )  # fmt: skip
        except OSError as error:
            raise _fails(folder, f"its Python cannot be started ({error.strerror or error})") from error
        except subprocess.TimeoutExpired as error:
            raise _fails(folder, "it gives no answer") from error
    if done.returncode == 0:
        return
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    illegal = os.name == "posix" and done.returncode == -signal.SIGILL
    if illegal or any(word in last for word in _BASELINE):
        raise KitInstallError(TOO_OLD, "Install it on a newer computer.")
    if done.returncode < 0:
        last = f"it was ended by {signal.Signals(-done.returncode).name} at {last}".removesuffix(" at ")
    raise _fails(folder, last or f"it ends with {done.returncode}")


def _fails(folder: Path, why: str) -> KitInstallError:
    return KitInstallError(
        f"version {folder.name} does not work here: {why}.",
        "What ran before still runs. Ask who gave you the kit, and give them this line.",
    )
