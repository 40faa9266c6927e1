"""The store of installed models: what is there, whether it is whole, and how it goes away.

Beside each model's own files lies ``store.json``: what the store itself knows of it, such as when its
hashes were last found to be right. No signature covers an added model, so nothing here says more than
that the files are those that its model.json, or the copying, described.
"""

import contextlib
import datetime
import hashlib
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError, ModelNotFoundError, OphtimusError, UsageError
from ophtimus_edge.models import kit_models
from ophtimus_edge.models.formats import Document, ModelFolder, decode, encode, read_model_folder
from ophtimus_edge.models.store import DEMO, installed, installed_folders

RECORD = "store.json"
PART = ".part"
_REMOVED = ".removed"
_READ_BYTES = 4 << 20

OnProgress = Callable[[int, int, str], None]


class StoredFile(msgspec.Struct, frozen=True):
    """A file as it was copied into the store."""

    name: str
    size_bytes: int
    sha256: str


class StoreRecord(Document, kw_only=True):
    """``store.json``: what the store knows of one of its models.

    Attributes:
        files: all that were copied.
        added: when, in UTC as ISO 8601.
        verified: when all hashes were right for the last time, in the same form; "" for never.
        damaged: the files that were missing or differed when they were last looked at.
    """

    files: tuple[StoredFile, ...] = ()
    added: str = ""
    verified: str = ""
    damaged: tuple[str, ...] = ()


class StoredModel(NamedTuple):
    """A model of the store, or the one that is built in.

    Attributes:
        name: that it is chosen by.
        description: None where its model.json cannot be used.
        record: None where it was put there by hand.
        error: why the description cannot be used.
        kit: the name and version of the installed kit that brought it, "" for none; it cannot be changed then.
    """

    name: str
    folder: Path
    description: ModelFolder | None
    record: StoreRecord | None
    error: OphtimusError | None = None
    kit: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it came with the program."""
        return self.name == DEMO


class Unfinished(NamedTuple):
    """A copy that was broken off, or a removal: ``size_bytes`` of the disk are taken."""

    name: str
    size_bytes: int


class FileCheck(NamedTuple):
    """What became of a file.

    Attributes:
        result: ``sound``; ``differs`` in size or hash; ``missing``; ``unreadable``; ``not hashed`` where
            nothing states its hash.
        sha256: that was found, or "".
    """

    file: str
    result: Literal["sound", "differs", "missing", "unreadable", "not hashed"]
    sha256: str = ""

    @property
    def bad(self) -> bool:
        """Whether the model cannot be relied on."""
        return self.result in {"differs", "missing", "unreadable"}


def stored() -> list[StoredModel]:
    """The built-in model, then those of the installed kit and of the store by name; damaged ones too."""
    there = sorted(installed_folders().items())
    kit, brought = kit_models.installed_kit(), kit_models.folders()
    models = [_read(DEMO, locations.demo_folder())]
    for name, folder in there:
        by_kit = kit.title if kit and brought.get(name) == folder else ""
        models.append(_read(name, folder)._replace(kit=by_kit))
    return models


def unfinished() -> list[Unfinished]:
    """What was left behind on the way into the store, or out of it."""
    found: dict[str, int] = {}
    for entry in _hidden():
        name = entry.name[1:].removesuffix(PART).removesuffix(_REMOVED)
        found[name] = found.get(name, 0) + _size(entry)
    return [Unfinished(name, size) for name, size in sorted(found.items())]


def find(name: str) -> StoredModel:
    """A model by the name that it is chosen by.

    Raises:
        ModelNotFoundError: there is none.
    """
    for model in stored():
        if model.name == unicodedata.normalize("NFC", name):
            return model
    raise _not_here(name)


def verify(
    model: StoredModel, on_progress: OnProgress = lambda _done, _total, _file: None
) -> list[FileCheck]:
    """Hash every file of a model and note in the store what came of it; of a kit's model, against its manifest.

    Args:
        on_progress: told the bytes that are hashed, those of all files, and the file.

    Raises:
        InvalidModelError: its model.json cannot be used.
    """
    if model.description is None:
        raise model.error or _not_here(model.name)
    wanted = _of_kit(model) if model.kit else _wanted(model.description, model.record)
    total, before = sum(file.size_bytes for file in wanted), 0
    checks = []
    for file in wanted:
        checks.append(_check(model.folder, file, before, total, on_progress))
        before += file.size_bytes
    if not (model.built_in or model.kit):
        bad = tuple(check.file for check in checks if check.bad)
        record = model.record or StoreRecord()
        record = msgspec.structs.replace(record, damaged=bad, verified=record.verified if bad else now())
        with contextlib.suppress(OSError):  # a store that only others may write can be verified all the same
            write_record(model.folder, record)
    return checks


def remove(name: str) -> int:
    """Remove a model, and what was left of broken copies of it; returns the bytes that this frees.

    Raises:
        UsageError: it is the built-in one, or the installed kit's.
        ModelNotFoundError: there is none of that name.
        FolderNotWritableError: it cannot be removed, or is being copied at this moment.
    """
    import filelock

    name = unicodedata.normalize("NFC", name)
    if name == DEMO:
        raise UsageError(
            "the demonstration model is a part of the program and stays.",
            "ophtimus models list shows what can be removed.",
        )
    if name in kit_models.folders():
        raise UsageError(
            f"{name} belongs to the installed kit and stays with it.",
            "A later kit may leave it out; ophtimus kit uninstall removes everything that the kit brought.",
        )
    store = locations.models_folder()
    if name not in {*installed(), *(left.name for left in unfinished())}:
        raise _not_here(name)
    part, gone = store / f".{name}{PART}", store / f".{name}{_REMOVED}"
    freed = sum(_size(place) for place in (store / name, part, gone))
    try:
        with (
            filelock.FileLock(part / ".lock").acquire(timeout=0)
            if part.is_dir()
            else contextlib.nullcontext()
        ):
            _clear(gone)
            if (store / name).is_symlink():
                (store / name).unlink()
            elif (store / name).is_dir():
                (store / name).rename(gone)  # from here on it is no model any more, however this ends
                shutil.rmtree(gone)
        _clear(part)
    except filelock.Timeout:
        raise FolderNotWritableError(
            f"{name} is being copied into the store at this moment.", "Wait for its end, or stop it."
        ) from None
    except OSError as error:
        raise FolderNotWritableError(
            f"{error.filename or store / name} cannot be removed: {error.strerror or error}.",
            "Close the programs that use the model, and check that you may write to the store.",
        ) from error
    return freed


def write_record(folder: Path, record: StoreRecord) -> None:
    """Write ``store.json`` beside its place and rename it."""
    with locations.staged(folder / RECORD) as part:
        part.write_bytes(encode(record))


def note_rewritten(folder: Path, name: str, size_bytes: int, sha256: str) -> None:
    """Note in ``store.json`` that the program itself wrote a file of an installed model anew.

    Else the model would be called damaged. A folder that the store does not know of has no such record.

    Raises:
        OSError: the record cannot be written.
    """
    try:
        record = decode((folder / RECORD).read_bytes(), StoreRecord, str(folder / RECORD))
    except (OSError, OphtimusError):
        return
    files = tuple(
        StoredFile(name, size_bytes, sha256) if file.name == name else file for file in record.files
    )
    write_record(folder, msgspec.structs.replace(record, files=files))


def now() -> str:
    """This moment in UTC, as ISO 8601 to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def listed_files(description: ModelFolder) -> list[str]:
    """The files that a model.json names, levels first."""
    names = [level.file for level in description.levels]
    names += [licence.file for licence in description.licences]
    names += [name for name in (description.known_questions, description.imatrix) if name]
    names += [file.name for file in description.provenance]
    return list(dict.fromkeys(names))


def _read(name: str, folder: Path) -> StoredModel:
    record = None
    with contextlib.suppress(OSError, OphtimusError):
        record = decode((folder / RECORD).read_bytes(), StoreRecord, str(folder / RECORD))
    try:
        return StoredModel(name, folder, read_model_folder(folder), record)
    except OphtimusError as error:
        return StoredModel(name, folder, None, record, error)


def _wanted(description: ModelFolder, record: StoreRecord | None) -> list[StoredFile]:
    """The files that should be there; without a hash where nothing states one."""
    wanted = {file.name: file for file in record.files} if record else {}
    wanted |= {
        level.file: StoredFile(level.file, level.size_bytes, level.sha256) for level in description.levels
    }
    for stated in description.provenance:
        wanted.setdefault(stated.name, StoredFile(stated.name, stated.size_bytes, stated.sha256))
    for name in listed_files(description):
        wanted.setdefault(name, StoredFile(name, 0, ""))
    return list(wanted.values())


def _of_kit(model: StoredModel) -> list[StoredFile]:
    """The files of a kit's model as its manifest, which a signature covers, has them."""
    kit = kit_models.installed_kit()
    listed = kit.model(model.name) if kit else None
    return [StoredFile(file.name, file.size_bytes, file.sha256) for file in (listed.files if listed else ())]


def _check(folder: Path, file: StoredFile, before: int, total: int, on_progress: OnProgress) -> FileCheck:
    path = folder / Path(file.name).name
    if not path.is_file():
        return FileCheck(file.name, "missing")
    try:
        if not file.sha256:
            return FileCheck(file.name, "not hashed")
        if path.stat().st_size != file.size_bytes:
            return FileCheck(file.name, "differs")
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            for done, data in _chunks(stream.read):
                digest.update(data)
                on_progress(before + done, total, file.name)
    except OSError:
        return FileCheck(file.name, "unreadable")
    found = digest.hexdigest()
    return FileCheck(file.name, "sound" if found == file.sha256 else "differs", found)


def _chunks(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    done = 0
    while data := read(_READ_BYTES):
        done += len(data)
        yield done, data


def _hidden() -> list[Path]:
    try:
        entries = list(locations.models_folder().iterdir())
    except OSError:
        return []
    return [
        entry for entry in entries if entry.name.startswith(".") and entry.name.endswith((PART, _REMOVED))
    ]


def _clear(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


def _size(folder: Path) -> int:
    if folder.is_symlink() or not folder.is_dir():
        return 0
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _not_here(name: str) -> ModelNotFoundError:
    there = ", ".join(model.name for model in stored())
    return ModelNotFoundError(f"there is no model {name!r} in the store.", f"The models here: {there}.")
