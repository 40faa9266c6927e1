"""From what a person names to a GGUF file: the demonstration model, an installed model, or a path."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge import locations, specialties
from ophtimus_edge.errors import InvalidModelError, ModelNotFoundError
from ophtimus_edge.models import gguf, kit_models
from ophtimus_edge.models.digests import file_sha256
from ophtimus_edge.models.formats import Level, ModelFolder, Template, read_model_folder
from ophtimus_edge.text import sanitize

DEMO = "demo"

_HASH_AT_ONCE = 64 << 20  # files up to this size are hashed before every use: 0.1 s at the most


class ChosenModel(msgspec.Struct, frozen=True):
    """A model file, ready to be loaded, and what is known of it.

    Attributes:
        path: the GGUF file.
        name, version, level: as they may be shown: sanitized, on one line.
        sha256: of the file, "" where nothing states it (see :func:`sha256_of`).
        template: None for the one inside the file.
        folder: its model folder's description, None for a file by itself.
    """

    path: Path
    name: str
    version: str
    level: str
    sha256: str
    template: Template | None
    folder: ModelFolder | None

    @property
    def demonstration(self) -> bool:
        """Whether its answers are for trying the program out only."""
        return self.folder is not None and self.folder.demonstration

    @property
    def is_base(self) -> bool:
        """Whether it is known to complete text only, not to answer."""
        return self.folder is not None and self.folder.kind == "base"

    @property
    def known_questions(self) -> Path | None:
        """The file of the questions that it was trained on, where its folder has one."""
        if self.folder is None or not self.folder.known_questions:
            return None
        return self.path.parent / self.folder.known_questions


def installed() -> list[str]:
    """The names of the models in the store and of the installed kit; ``demo`` is not among them."""
    return sorted(installed_folders())


def installed_folders() -> dict[str, Path]:
    """The model folders of the store and of the installed kit, by the names that they are chosen by.

    What the kit brought comes before what was added under the same name. Copies under way and removals, which a dot
    hides, are none.
    """
    try:
        added = [entry.parent for entry in locations.models_folder().glob("*/model.json")]
    except OSError:
        added = []
    found = {folder.name: folder for folder in added if not folder.name.startswith(".")}
    return {name: folder for name, folder in (found | kit_models.folders()).items() if name != DEMO}


def default_model() -> str:
    """The model that is opened where nobody names one: the installed kit's, else the demonstration model."""
    return kit_models.default_model() or DEMO


def choose(model: str = "", level: str = "") -> ChosenModel:
    """Find a model and check its file.

    Args:
        model: ``demo``, the name of an installed model, a model folder, or a GGUF file; "" for
            :func:`default_model`.
        level: a quantization level, "" for the folder's default.

    Raises:
        ModelNotFoundError: there is no such model or level.
        InvalidModelError: the file is not sound, or not what its folder says.
    """
    model = model or default_model()
    folder = folder_of(model)
    if folder is not None:
        return _from_folder(folder, level)
    path = Path(model).expanduser()
    if not path.is_file():
        raise _not_found(model)
    header = gguf.check(path)
    if level and level != header.level:
        raise ModelNotFoundError(
            f"{path} is of the level {header.level or 'that it does not name'}, not {level}.",
            "Leave --level out, or name the file of that level.",
        )
    name = _shown(str(header.metadata.get("general.name", ""))) or _shown(path.stem)
    return ChosenModel(path, name, "", header.level, "", None, None)


class EveryLevel(NamedTuple):
    """The levels of a model whose files are there, and the names of those whose files are not."""

    here: tuple[ChosenModel, ...]
    absent: tuple[str, ...]


def choose_every(model: str) -> EveryLevel:
    """Find all levels of a model, and check their files; a GGUF file by itself is one level.

    Raises:
        ModelNotFoundError: there is no such model, or none of its files is there.
        InvalidModelError: a file is not sound, or not what its folder says.
    """
    folder = folder_of(model)
    if folder is None:
        return EveryLevel((choose(model),), ())
    description = read_model_folder(folder)
    there = [entry for entry in description.levels if (folder / entry.file).is_file()]
    if not there:
        return EveryLevel((choose(model),), ())  # which says what is missing
    return EveryLevel(
        tuple(choose_entry(folder, description, entry) for entry in there),
        tuple(entry.level for entry in description.levels if entry not in there),
    )


def folder_of(model: str) -> Path | None:
    """The model folder that a name or a path stands for; None for a file, or where there is no folder.

    Raises:
        ModelNotFoundError: the path is not UTF-8.
    """
    if model == DEMO:
        return locations.demo_folder()
    if Path(model).name == model and (stored := installed_folders().get(model)):
        return stored
    path = _check_name(Path(model).expanduser())
    return path if path.is_dir() else None


def is_hashed_at_once(size_bytes: int) -> bool:
    """Whether a model folder's file of this size is hashed whenever it is chosen."""
    return size_bytes <= _HASH_AT_ONCE


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        InvalidModelError: it cannot be read to its end.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise InvalidModelError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Check the disk or stick that it lies on, and that you may read it; or copy it again.",
        ) from error


def choose_entry(folder: Path, description: ModelFolder, entry: Level) -> ChosenModel:
    """Check the file of an entry of a model folder.

    Raises:
        ModelNotFoundError: it is missing.
        InvalidModelError: it is not sound, or not what the folder says.
    """
    path = folder / entry.file
    if not path.is_file():
        raise ModelNotFoundError(
            f"the model file {path} is missing.", "Copy the whole model folder again from its source."
        )
    gguf.check(path)
    size = path.stat().st_size
    damaged = size != entry.size_bytes
    if not damaged and is_hashed_at_once(size):
        damaged = sha256_of(path) != entry.sha256
    if damaged:
        raise not_as_described(path)
    return ChosenModel(
        path=path,
        name=_shown(description.name),
        version=_shown(description.version),
        level=_shown(entry.level),
        sha256=entry.sha256,
        template=description.template,
        folder=description,
    )


def not_as_described(path: Path) -> InvalidModelError:
    """What is said of a file that is not the one of its model.json."""
    return InvalidModelError(
        f"{path} is not the file that its model.json describes.",
        "Copy the whole model folder again from its source.",
    )


def _shown(text: str) -> str:
    """A text out of a model file or its description, for a line on a screen or in a record."""
    return " ".join(sanitize(text).split())


def _check_name(path: Path) -> Path:
    """A path that can be written in UTF-8, as it must be on its way to the engine and into records.

    Raises:
        ModelNotFoundError: it cannot: a stick's folder named in another code page, on Linux.
    """
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise ModelNotFoundError(
            f"the name {str(path)!a} is not UTF-8.", "Rename the folder or file, and name it again."
        ) from None
    return path


def _from_folder(folder: Path, level: str) -> ChosenModel:
    description = read_model_folder(folder)
    entry = description.level_named(level or kit_models.default_level(folder) or description.default_level)
    if entry is None:
        levels = ", ".join(known.level for known in description.levels)
        raise ModelNotFoundError(f"{description.name} has no level {level}.", f"Its levels are: {levels}.")
    return choose_entry(folder, description, entry)


def _not_found(model: str) -> ModelNotFoundError:
    for published in specialties.catalog():
        if model.lower() in {published.name.lower(), published.hub_id.lower(), published.hub_id.lower()[12:]}:
            where = f" ({published.hub_id})" if published.hub_id else ""
            return ModelNotFoundError(
                f"{published.name}{where}, made from {published.base}, is not on this machine.",
                "Convert its checkpoint with ophtimus-convert and name the folder that it writes.",
            )
    if model.endswith(".gguf") or "/" in model or "\\" in model:
        what = f"there is no model file {model}."
    else:
        what = f"there is no model {model!r}."
    return ModelNotFoundError(
        what, f"The models here: {', '.join([DEMO, *installed()])}; or a path to a GGUF file."
    )
