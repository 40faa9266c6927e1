"""A model into the store: copied in chunks, resumable, and there all at once.

A copy grows in the folder ``.NAME.part`` of the store; each chunk of 4 MiB is hashed before it is
written. A copy that was killed goes on behind its last whole chunk. At the end the folder is renamed,
so that a model is in the store whole or not at all.
"""

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError, InvalidModelError, UsageError
from ophtimus_edge.models import kit_models
from ophtimus_edge.models.chunked_copy import CopyError, copy_file
from ophtimus_edge.models.formats import ModelFolder, Source, SourceFile, encode, read_model_folder
from ophtimus_edge.models.incoming import Incoming, is_licence, read_incoming
from ophtimus_edge.models.inventory import (
    PART,
    RECORD,
    OnProgress,
    StoredFile,
    StoreRecord,
    now,
    write_record,
)
from ophtimus_edge.models.store import installed_folders, sha256_of

_ROOM = 1 << 20  # for what is written beside the model's own files
_KEPT = "What is copied is kept; run the same command to go on."


class Added(NamedTuple):
    """What adding a model came to.

    Attributes:
        folder: where it is.
        already: whether it was there before.
        copied_bytes: by this run.
        licences: the licence and notice files that came with it.
        left_behind: files beside the model that belong to nothing it lists.
    """

    description: ModelFolder
    folder: Path
    already: bool
    copied_bytes: int
    licences: list[str]
    left_behind: list[str]


def add(path: Path, on_progress: OnProgress = lambda _done, _total, _file: None) -> Added:
    """Add a model to the store.

    Args:
        path: see :func:`ophtimus_edge.models.incoming.read_incoming`.
        on_progress: told the bytes that are copied, those of all files, and the file.

    Raises:
        ModelNotFoundError: there is nothing at the path.
        InvalidModelError: it is damaged, or names or holds what a model folder may not.
        UsageError: the store, or the installed kit, has another model of that name.
        FolderNotWritableError: the store cannot be written, or its disk is too small.
    """
    incoming = read_incoming(path)
    store = locations.models_folder()
    there = installed_folders()
    if known := next((name for name in there if name.casefold() == incoming.name.casefold()), ""):
        if known in kit_models.folders():
            raise UsageError(
                f"the installed kit has a model named {known}.",
                f"Use it with: ophtimus ask --model {known}; or name this one otherwise, and add it again.",
            )
        return _already(incoming, there[known], on_progress)
    part, target = store / f".{incoming.name}{PART}", store / incoming.name
    _check_space(incoming, part)
    locations.ensure_writable(store)
    try:
        with _held(part):
            _begin(part, incoming.key)
            description, files, copied = _copy(incoming, part, on_progress)
            _publish(part / "model", target, incoming.document or encode(description), files)
        shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise FolderNotWritableError(
            f"{error.filename or store} cannot be written: {error.strerror or error}.",
            f"Free some space, or check that you may write there. {_KEPT}",
        ) from error
    listed = {licence.file for licence in description.licences}
    licences = [name for name in incoming.files if name in listed or is_licence(name)]
    return Added(description, target, False, copied, licences, incoming.left_behind)


def _already(incoming: Incoming, folder: Path, on_progress: OnProgress) -> Added:
    """A model of that name is there: well if it is the same and whole, else refused."""
    remove = f"Remove it first: ophtimus models remove {folder.name}"
    try:
        there = read_model_folder(folder)
    except InvalidModelError as error:
        raise InvalidModelError(error.message, f"{remove}; then add it again.") from error
    mine = incoming.description
    hashes = {(level.level, level.sha256) for level in mine.levels}
    if incoming.document is None:  # a file by itself: its hash is known only once it is read
        (path,) = incoming.files.values()
        on_progress(0, path.stat().st_size, path.name)
        hashes = {(mine.default_level, sha256_of(path))}
    same = (there.name, there.version, there.kind, there.template) == (
        mine.name, mine.version, mine.kind, mine.template
    ) and hashes <= {(level.level, level.sha256) for level in there.levels}  # fmt: skip
    if not same:
        raise UsageError(
            f"the store has another model named {folder.name} (version {there.version or 'not stated'}).",
            f"{remove}.",
        )
    for level in there.levels:
        path = folder / level.file
        if not path.is_file() or path.stat().st_size != level.size_bytes:
            raise InvalidModelError(
                f"{path}, in the store, is damaged or missing.", f"{remove}; then add it again."
            )
    return Added(there, folder, True, 0, [licence.file for licence in there.licences], [])


def _check_space(incoming: Incoming, part: Path) -> None:
    """Refuse, before anything is written, what the disk cannot hold.

    Raises:
        FolderNotWritableError: saying how much is needed and how much is there.
    """
    place = part.parent.resolve()
    while not place.exists():
        place = place.parent
    need = _ROOM
    goes_on = _begun_with(part, incoming.key)
    for name, path in incoming.files.items():
        copied = part / "model" / name
        need += path.stat().st_size - (copied.stat().st_size if goes_on and copied.is_file() else 0)
    free = shutil.disk_usage(place).free
    if free < need:
        raise FolderNotWritableError(
            f"{incoming.name} needs {need / 2**20:.0f} MiB more, and the disk of {place} has "
            f"{free / 2**20:.0f} MiB free.",
            f"Free some space, or put the store on another disk: {locations.HOME_VARIABLE}=/path/to/folder.",
        )


def _held(part: Path) -> AbstractContextManager[None]:
    """Hold the folder of a copy, so that no second program writes into it."""
    part.mkdir(exist_ok=True)
    name = part.name[1:].removesuffix(PART)
    taken = FolderNotWritableError(f"{name} is being added by another program.", "Wait for its end.")
    return locations.held(part / ".lock", taken)


def _begun_with(part: Path, key: str) -> bool:
    path = part / "key"
    return path.is_file() and path.read_bytes() == key.encode("ascii")


def _begin(part: Path, key: str) -> None:
    """Clear what another model's copy left; what this one's left stays."""
    if _begun_with(part, key):
        return
    for entry in part.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != ".lock":
            entry.unlink()
    (part / "model").mkdir()
    with locations.staged(part / "key") as staged:
        staged.write_bytes(key.encode("ascii"))


def _copy(
    incoming: Incoming, part: Path, on_progress: OnProgress
) -> tuple[ModelFolder, list[StoredFile], int]:
    """Copy every file; returns the description, the files with their hashes, and how much was copied."""
    levels = {level.file: level for level in incoming.description.levels}
    sizes = {name: path.stat().st_size for name, path in incoming.files.items()}
    total, before, copied = sum(sizes.values()), 0, 0
    files: list[StoredFile] = []
    for name, path in incoming.files.items():
        level = levels.get(name)

        def told(done: int, start: int = before, name: str = name) -> None:
            on_progress(start + done, total, name)

        try:
            result = copy_file(
                path,
                part / "model" / name,
                part / f"{name}.chunks",
                level.chunk_sha256 if level else [],
                told,
            )
        except CopyError as error:
            raise InvalidModelError(f"{path} {error}.", f"Copy it again from its source. {_KEPT}") from error
        if level and level.sha256 not in {"", result.sha256}:
            (part / "model" / name).unlink()
            raise InvalidModelError(
                f"{path} is not the file that its model.json describes.",
                "Copy the whole model folder again from its source.",
            )
        if level:
            chunks = level.chunk_sha256 or result.chunk_sha256
            levels[name] = msgspec.structs.replace(level, sha256=result.sha256, chunk_sha256=chunks)
        files.append(StoredFile(name, sizes[name], result.sha256))
        before += sizes[name]
        copied += result.copied_bytes
    description = incoming.description
    if incoming.document is None:
        origin = SourceFile(description.source.id, files[0].size_bytes, files[0].sha256)
        description = msgspec.structs.replace(
            description, levels=list(levels.values()), source=Source(id=origin.name, files=[origin])
        )
    return description, files, copied


def _publish(ready: Path, target: Path, document: bytes, files: list[StoredFile]) -> None:
    """Put the folder in its place, once all that is in it is on the disk."""
    path = ready / "model.json"
    with locations.staged(path) as part:
        part.write_bytes(document)
    files = [*files, StoredFile(path.name, len(document), sha256_of(path))]
    moment = now()
    write_record(ready, StoreRecord(files=tuple(files), added=moment, verified=moment))
    wanted = {RECORD, *(file.name for file in files)}
    for entry in list(ready.iterdir()):
        if entry.name not in wanted:
            entry.unlink()  # of a run that was killed while it wrote one of the two
    ready.rename(target)
    if os.name == "posix":
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
