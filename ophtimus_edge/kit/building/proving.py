"""A wheel that was built here is tried out as a clinic will have it: an environment of wheels alone."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building.pip import run_child
from ophtimus_edge.kit.building.portable import is_proven, note_proven
from ophtimus_edge.kit.building.targets import Target
from ophtimus_edge.kit.building.watching import Watcher
from ophtimus_edge.kit.building.wheel_files import Wheel
from ophtimus_edge.kit.building.wheels import Shelf, collect

_QUESTION = "What is glaucoma?"
_AGAIN = "Delete it from the cache and build again; docs/kits.md says what the wheel is made with."


def prove(built: Wheel, shelf: Shelf, roots: Sequence[Requirement], watcher: Watcher) -> None:
    """Have the demonstration model answer one question through the wheel; once for each wheel.

    Raises:
        KitBuildError: it cannot be installed, or does not answer.
    """
    if is_proven(built):
        return
    here = Target("linux-x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")
    wheels = collect(shelf, here, roots)
    watcher.step(f"trying {built.path.name} out in an environment of its own")
    with tempfile.TemporaryDirectory(prefix="ophtimus-kit-") as name:
        folder = Path(name)
        python = make_environment(folder / "venv", wheels)
        command = [
            str(python), "-I", "-c", "import sys; from ophtimus_edge.cli import main; sys.exit(main())",
            "ask", _QUESTION, "--model", "demo", "--max-tokens", "16", "--json",
        ]  # fmt: skip
        code, output = run_child(command, {"OPHTIMUS_HOME": str(folder / "home")}, folder)
        answers = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        if code or not any(str(one.get("answer", "")).strip() for one in answers):
            last = (output.strip().splitlines() or ["it said nothing"])[-1]
            raise KitBuildError(f"{built.path.name} was built and does not answer: {last[:300]}", _AGAIN)
    note_proven(built)


def make_environment(folder: Path, wheels: Sequence[Wheel]) -> Path:
    """Make a Python environment of wheels alone; returns its Python.

    Raises:
        KitBuildError: it cannot be made of them.
    """
    python = folder / "bin" / "python"
    commands = [
        [sys.executable, "-I", "-m", "venv", str(folder)],
        [
            str(python), "-I", "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-input", "install",
            "--no-index", "--no-deps", "--no-cache-dir", *(str(wheel.path) for wheel in wheels),
        ],
    ]  # fmt: skip
    for command in commands:
        code, output = run_child(command)
        if code:
            last = (output.strip().splitlines() or ["it said nothing"])[-1]
            raise KitBuildError(f"no environment can be made of the kit's wheels: {last[:300]}", _AGAIN)
    return python
