"""Model folders into a kit: which levels, with their licences, and in parts where a stick takes no long files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from ophtimus_edge.errors import InvalidModelError, KitBuildError
from ophtimus_edge.kit.building.pieces import Stage
from ophtimus_edge.kit.manifest import KitModel, KitModelFile, Withdrawn
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Level, ModelFolder, encode
from ophtimus_edge.models.incoming import Incoming, read_incoming

RECOMMENDED = "recommended"
FAT_LIMIT = 4 << 30  # a file on FAT32 is shorter than this
_FAT = frozenset({"vfat", "msdos", "fat", "fat32"})
_LICENCES = "licences/models"


@dataclass(frozen=True)
class ChosenFolder:
    """A model folder with the levels of it that go into the kit.

    Attributes:
        description: its model.json as the kit has it; ``document`` is that file.
        files: to be copied, by the name that they have in the kit.
    """

    name: str
    description: ModelFolder
    document: bytes
    files: dict[str, Path]
    left_behind: list[str]

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return len(self.document) + sum(path.stat().st_size for path in self.files.values())


def choose(folder: Path, levels: Sequence[str], withdrawn: Sequence[Withdrawn]) -> ChosenFolder:
    """Read a model folder and choose its levels.

    Args:
        levels: by name, or ``recommended``; empty for the recommended one, else the one that the folder opens.

    Raises:
        ModelNotFoundError: there is no such folder.
        InvalidModelError: it is damaged.
        KitBuildError: it has no licence, not these levels, or one that may not be used.
    """
    if not folder.is_dir():
        raise KitBuildError(
            f"{folder} is no model folder.", "Name a folder that ophtimus-convert made, with its model.json."
        )
    incoming = read_incoming(folder)
    if not incoming.description.licences:
        raise KitBuildError(
            f"{folder / 'model.json'} names no licence, and no model goes to a clinic without its licence.",
            "Convert it again with the licence file beside the checkpoint (docs/converting.md).",
        )
    chosen = [_level(incoming, name) for name in dict.fromkeys(levels)] or [
        incoming.description.recommended or _default(incoming.description)
    ]
    chosen = list({level.level: level for level in chosen}.values())
    for level in chosen:
        _check_fit(folder, incoming.description, level, withdrawn)
    return _narrowed(incoming, chosen)


def _level(incoming: Incoming, name: str) -> Level:
    description = incoming.description
    if name != RECOMMENDED:
        if level := description.level_named(name):
            return level
        there = ", ".join(level.level for level in description.levels)
        raise KitBuildError(f"{description.name} has no level {name}.", f"Its levels: {there}.")
    if level := description.recommended:
        return level
    raise KitBuildError(
        f"no comparison recommends a level of {description.name}.",
        "Compare its levels (ophtimus compare) and keep the verdict with the model, or name one with --level.",
    )


def _default(description: ModelFolder) -> Level:
    # read_model_folder refuses a folder without it.
    return next(level for level in description.levels if level.level == description.default_level)


def _check_fit(folder: Path, description: ModelFolder, level: Level, withdrawn: Sequence[Withdrawn]) -> None:
    if description.comparison.unsafe.get(level.sha256):
        raise KitBuildError(
            f"answers of {description.name} {level.level} were confirmed to be unsafe.",
            "Take another level; whoever voted so can correct it in a new comparison.",
        )
    if any(one.sha256 == level.sha256 for one in withdrawn):
        raise KitBuildError(
            f"{folder / level.file} is withdrawn by this very kit.", "Take another level or another model."
        )


def _narrowed(incoming: Incoming, levels: list[Level]) -> ChosenFolder:
    description, files = incoming.description, dict(incoming.files)
    document = incoming.document or encode(description)
    if len(levels) < len(description.levels):
        names = {level.level for level in levels}
        default = description.default_level
        if default not in names:
            recommended = description.recommended
            default = recommended.level if recommended in levels and recommended else levels[0].level
        kept = [level for level in description.levels if level.level in names]
        for level in description.levels:
            if level.level not in names:
                files.pop(level.file, None)
        description = msgspec.structs.replace(description, levels=kept, default_level=default)
        document = encode(description)
    return ChosenFolder(incoming.name, description, document, files, incoming.left_behind)


def add_model(stage: Stage, model: ChosenFolder, part_bytes: int, report: str) -> KitModel:
    """Copy a model into the kit, comparing its files with what its model.json says.

    Args:
        part_bytes: of the longest part of a file; 0 for no limit.
        report: the kit's folder of its comparison, "" for none.

    Raises:
        InvalidModelError: a file is not the one that is described.
        OSError: the kit cannot be written.
    """
    levels = {level.file: level for level in model.description.levels}
    files = []
    for name in sorted(model.files):
        files.append(
            _add_file(stage, model.files[name], f"models/{model.name}/{name}", levels.get(name), part_bytes)
        )
    document = stage.write(f"models/{model.name}/model.json", model.document)
    files.append(_as_model_file("model.json", document.size_bytes, document.sha256, [document.path]))
    for licence in model.description.licences:
        path = f"{_LICENCES}/{model.name}/{licence.file}"
        if path not in {file.path for file in stage.files}:
            stage.copy(model.files[licence.file], path)
    return KitModel(
        name=model.name,
        version=model.description.version,
        levels=[level.level for level in model.description.levels],
        default_level=model.description.default_level,
        files=sorted(files, key=lambda file: file.name),
        report=report,
    )


def _add_file(stage: Stage, source: Path, path: str, level: Level | None, part_bytes: int) -> KitModelFile:
    known = level.chunk_sha256 if level else []
    whole = hashlib.sha256() if part_bytes and source.stat().st_size > part_bytes else None

    def check(number: int, digest: str, data: bytes) -> None:
        if known and known[number : number + 1] != [digest]:
            start = number * CHUNK_BYTES
            raise _other_file(
                source, f"between its bytes {start} and {start + CHUNK_BYTES} it is another one"
            )
        if whole:
            whole.update(data)

    parts = stage.split(source, path, part_bytes, check)
    sha256 = whole.hexdigest() if whole else parts[0].sha256
    if level and level.sha256 != sha256:
        raise _other_file(source, "its hash is another one")
    size = sum(part.size_bytes for part in parts)
    return _as_model_file(path.rsplit("/", 1)[-1], size, sha256, [part.path for part in parts])


def _as_model_file(name: str, size: int, sha256: str, parts: list[str]) -> KitModelFile:
    return KitModelFile(name=name, size_bytes=size, sha256=sha256, parts=parts)


def _other_file(path: Path, how: str) -> InvalidModelError:
    return InvalidModelError(
        f"{path} is not the file that its model.json describes: {how}.",
        "Copy the model folder again from its source, or convert it again.",
    )


def part_bytes(limit: int) -> int:
    """The longest part of a file where files have to be shorter than a limit: whole chunks, at least one."""
    return max((limit - 1) // CHUNK_BYTES, 1) * CHUNK_BYTES


def limit_of(folder: Path) -> int:
    """How long a file may not be in a folder, by its file system; 0 where that is no matter."""
    folder = folder.resolve()
    around = [
        disk for disk in psutil.disk_partitions(all=True) if folder.is_relative_to(Path(disk.mountpoint))
    ]
    nearest = max(around, key=lambda disk: len(Path(disk.mountpoint).parts), default=None)
    return FAT_LIMIT if nearest and nearest.fstype.lower() in _FAT else 0
