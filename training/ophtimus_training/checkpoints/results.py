"""The folder that a run's result is made in: beside its place, with the checkpoints inside, renamed at the end.

The run of ``-o DIR`` works in ``.DIR.part``. Its ``recipe.json`` says what the run was begun with, the data's
hashes included: the same command again goes on in it, and another is refused rather than mixed in.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import filelock

from ophtimus_edge.errors import CheckpointError, UsageError
from ophtimus_edge.locations import staged, sync_folder
from ophtimus_training.checkpoints.sound import checkpoints
from ophtimus_training.launching.ranks import first

RECIPE = "recipe.json"
_LOCK = ".lock"


class ResultFolder(NamedTuple):
    """Where a run works.

    Attributes:
        folder: what will be the result.
        work: inside it, what goes away at the end: the checkpoints.
    """

    folder: Path
    work: Path

    def settle(self, made_from: dict[str, Any]) -> None:
        """Write down what the run is made from, or go on with the run that was made from the same.

        Args:
            made_from: of JSON's types; under ``recipe`` the recipe as it was resolved.

        Raises:
            UsageError: there are checkpoints of a run with another recipe or other data.
            CheckpointError: the folder cannot be written.
        """
        path = self.folder / RECIPE
        begun = _read(path)
        if begun == made_from or not first():
            return
        if checkpoints(self.work):
            raise UsageError(
                f"{self.folder} holds a run that was begun otherwise ({_difference(begun, made_from)}).",
                "Run the command that it was begun with to go on, name another folder with -o, or remove that one.",
            )
        for entry in self.folder.iterdir():  # of a run that was killed before it had anything to keep
            if entry.name != _LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        try:
            self.work.mkdir()
            with staged(path) as part:
                part.write_text(json.dumps(made_from, indent=1, ensure_ascii=False) + "\n", "utf-8")
        except OSError as error:
            raise _unwritable(path, error) from error


@contextmanager
def result_folder(out: Path) -> Iterator[ResultFolder]:
    """Hold the folder that a result is made in; it gets its name when the block ends well.

    Where the block raises, it stays if there is a checkpoint in it to go on from, and is removed if not. Of
    several processes the first one makes, holds and renames it.

    Raises:
        UsageError: ``out`` exists, or another run works on it.
        CheckpointError: the folder cannot be written.
    """
    if out.exists():
        raise UsageError(f"{out} exists already.", "Name a new folder with -o, or move the old one away.")
    folder = out.with_name(f".{out.name}.part")
    result = ResultFolder(folder, folder / "work")
    if not first():
        yield result
        return
    try:
        result.work.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UsageError(
            f"another run to {out} is under way.", "Wait for its end, or name another folder with -o."
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield result
    except BaseException:
        lock.release()
        if not checkpoints(result.work):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    lock.release()
    (folder / _LOCK).unlink(missing_ok=True)
    shutil.rmtree(result.work)
    folder.rename(out)
    sync_folder(out.parent)


def _unwritable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"{error.filename or path} cannot be written: {error.strerror or error}.",
        "Name a folder with -o that you may write, on a disk with room.",
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _difference(begun: Any, made_from: Any) -> str:
    """What differs between two descriptions, in words, by the first key."""
    if not isinstance(begun, dict):
        return f"its {RECIPE} is missing or damaged"
    before, now = begun.get("recipe", {}), made_from.get("recipe", {})
    for key in sorted(now.keys() | before.keys()):
        if before.get(key) != now.get(key):
            return f"{key} was {json.dumps(before.get(key))}, now {json.dumps(now.get(key))}"
    return "the data or the base have changed"
