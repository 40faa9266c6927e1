"""The hidden folder beside the output in which a conversion works, so that a killed one can go on.

It has the name of the output between a dot and ``.part``, holds the level files under way, and a
``state.json`` that says what they are made from and which of them are finished and verified.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock
import msgspec

from ophtimus_edge.errors import ConversionError
from ophtimus_edge.locations import staged
from ophtimus_edge.models.formats import Level


class _State(msgspec.Struct):
    key: str
    levels: list[Level] = []


class Staging:
    """A staging folder that this process holds.

    Attributes:
        folder: where to work.
        ready: inside it, what will be published.
        keep: whether the folder stays when the conversion fails: false where the input is at fault.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.ready = folder / "model"
        self.keep = False
        self._path = folder / "state.json"
        state = self._read()
        if state.key != key:
            for entry in folder.iterdir():
                if entry.name != _LOCK:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            state = _State(key)
        self._state = state
        self.ready.mkdir(exist_ok=True)
        self._write()

    @property
    def finished(self) -> dict[str, Level]:
        """The levels that are whole and verified, by name."""
        return {entry.level: entry for entry in self._state.levels}

    def finish(self, entry: Level) -> None:
        """Record a level as whole and verified, once its bytes are on the disk."""
        with (self.ready / entry.file).open("rb+") as file:
            os.fsync(file.fileno())
        self._state.levels = [*(old for old in self._state.levels if old.level != entry.level), entry]
        self._write()

    def _read(self) -> _State:
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return _State("")
        state.levels = [entry for entry in state.levels if self._is_there(entry)]
        return state

    def _is_there(self, entry: Level) -> bool:
        path = self.ready / Path(entry.file).name
        return path.is_file() and path.stat().st_size == entry.size_bytes

    def _write(self) -> None:
        with staged(self._path) as part:
            part.write_bytes(msgspec.json.encode(self._state))


_LOCK = ".lock"


@contextlib.contextmanager
def staging(out: Path, key: str) -> Iterator[Staging]:
    """Hold the staging folder of an output.

    What an earlier run with the same key left is kept, and everything else cleared. It is removed at
    the end: not after a kill or Ctrl-C, and not where ``keep`` was set.

    Args:
        out: the model folder to be.
        key: of the source, the adapter and the options; see :func:`key_of`.

    Raises:
        ConversionError: another conversion holds it, or it cannot be written.
    """
    # Beside the output, or inside it where it is a disk of its own: files cannot be renamed across disks.
    folder = out / ".conversion.part" if os.path.ismount(out) else out.with_name(f".{out.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConversionError(
            f"another conversion to {out} is under way.", "Wait for its end, or name another folder with -o."
        ) from None
    except OSError as error:
        raise ConversionError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}.",
            "Name a folder that you may write with -o.",
        ) from error
    held: Staging | None = None
    try:
        held = Staging(folder, key)
        yield held
    except KeyboardInterrupt:
        lock.release()
        raise
    except BaseException:
        lock.release()
        if held is None or not held.keep:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)


def key_of(files: list[Path], options: dict[str, str]) -> str:
    """What a conversion rests on, as a hash.

    Large files count by name, size and time of change: hashing 16 GB would take longer than it saves.

    Args:
        files: of the source, the adapter, the tokenizer and the matrix.
        options: whatever else changes the bytes.
    """
    facts = [
        [str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns]
        for path in files
        if path.is_file()
    ]
    return hashlib.sha256(json.dumps([facts, sorted(options.items())]).encode()).hexdigest()
