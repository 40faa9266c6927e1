"""What is about to be added to the store: read, named, and checked before anything of it is copied."""

import contextlib
import hashlib
import re
import stat
import unicodedata
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge import __version__
from ophtimus_edge.errors import InvalidModelError, ModelNotFoundError
from ophtimus_edge.models import gguf
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Level, ModelFolder, Source, encode, read_model_folder
from ophtimus_edge.models.inventory import RECORD, listed_files
from ophtimus_edge.models.store import DEMO
from ophtimus_edge.specialties import DEFAULT_SPECIALTY

_NAME = re.compile(r"\w[\w.-]{0,63}")
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices, to Windows
_LICENCE = re.compile(r"(licen[cs]e|notice|use_policy)([._-].*)?", re.IGNORECASE)
_README = re.compile(r"readme(\..*)?", re.IGNORECASE)
_TRAVELS_BYTES = 4 << 20
_COPY_AGAIN = "Copy the whole model folder again from its source."


class Incoming(NamedTuple):
    """What is to be copied.

    Attributes:
        name: that the model will have in the store.
        document: its model.json; None for a GGUF file by itself, which is described while it is copied.
        files: to copy, by the name that they will have.
        key: changes with the model, so that no copy goes on with another one's bytes.
        left_behind: files beside the model that belong to nothing it lists.
    """

    name: str
    description: ModelFolder
    document: bytes | None
    files: dict[str, Path]
    key: str
    left_behind: list[str]


def read_incoming(path: Path) -> Incoming:
    """Read and check what a path names.

    Of a model folder, what model.json lists is taken, and licence, notice and readme files; everything
    else is left behind by name. Links and whatever is no file are refused where they are listed.

    Args:
        path: a model folder; a GGUF file of one, of which only that level is taken; or a GGUF file by
            itself, which gets a model folder with the file's name.

    Raises:
        ModelNotFoundError: there is nothing.
        InvalidModelError: it cannot be read, is damaged, or names or holds what a model folder may not.
        FormatVersionError: it was written by a newer release.
    """
    path = path.expanduser()
    try:
        if path.is_dir():
            return _from_folder(path, None)
        if not path.is_file():
            raise ModelNotFoundError(
                f"there is no model at {path}.",
                "Name a model folder or a GGUF file, such as /media/stick/eyes-7.",
            )
        if (path.parent / "model.json").is_file():
            with contextlib.suppress(InvalidModelError):  # then it describes something else
                levels = read_model_folder(path.parent).levels
                if level := next((level for level in levels if level.file == path.name), None):
                    return _from_folder(path.parent, level)
        return _from_file(path)
    except OSError as error:
        raise InvalidModelError(
            f"{error.filename or path} cannot be read: {error.strerror or error}.",
            "Check the path, the stick, and that you may read it.",
        ) from error


def checked_name(name: str, origin: Path) -> str:
    """A model's name as the folder that it will be, in composed letters.

    Raises:
        InvalidModelError: it could not be a folder's name everywhere, or is the built-in model's.
    """
    name = unicodedata.normalize("NFC", name)
    if (
        not _NAME.fullmatch(name)
        or name.endswith(".")
        or _RESERVED.fullmatch(name)
        or name.casefold() == DEMO
    ):
        raise InvalidModelError(
            f"{origin} names its model {name[:80]!r}, which the store cannot use.",
            "A name has up to 64 letters, digits, dots and dashes, and is not demo: convert the model again "
            "with --name N, or name the file otherwise.",
        )
    return name


def is_licence(file: str) -> bool:
    """Whether a file is a licence or a notice by its name."""
    return _LICENCE.fullmatch(file) is not None


def _from_folder(folder: Path, only: Level | None) -> Incoming:
    description = read_model_folder(folder)
    document = (folder / "model.json").read_bytes()
    if only is not None and len(description.levels) > 1:
        description = msgspec.structs.replace(description, levels=[only], default_level=only.level)
        document = encode(description)
    name = checked_name(description.name, folder / "model.json")
    listed = listed_files(description)
    _check_names(folder, [level.file for level in description.levels], listed)
    for file in listed:
        _check_regular(folder / file)
    for level in description.levels:
        path = folder / level.file
        gguf.check(path)
        chunks = -(-level.size_bytes // CHUNK_BYTES)
        if path.stat().st_size != level.size_bytes or len(level.chunk_sha256) not in {0, chunks}:
            raise InvalidModelError(f"{path} is not the file that its model.json describes.", _COPY_AGAIN)
    known = {*listed, "model.json", RECORD}
    others = sorted(entry.name for entry in folder.iterdir() if entry.name not in known)
    along = [other for other in others if _goes_along(folder / other, known)]
    return Incoming(
        name=name,
        description=description,
        document=document,
        files={file: folder / file for file in [*listed, *along]},
        key=hashlib.sha256(document).hexdigest(),
        left_behind=[other for other in others if other not in along],
    )


def _from_file(path: Path) -> Incoming:
    header = gguf.check(path)
    if isinstance(count := header.metadata.get("split.count"), int) and count > 1:
        raise InvalidModelError(
            f"{path} is a part of a model that was split.", "Join the parts first (llama-gguf-split --merge)."
        )
    composed = unicodedata.normalize("NFC", path.stem)
    name = checked_name(re.sub(r"[^\w.-]+", "-", composed).strip("-.")[:64].rstrip("."), path)
    state = path.stat()
    description = ModelFolder(
        name=name,
        version=str(header.metadata.get("general.version", "")),
        specialty=DEFAULT_SPECIALTY,
        kind="instruct" if header.metadata.get("tokenizer.chat_template") else "base",
        source=Source(id=path.name),
        levels=[Level(level=header.level, file=f"{name}.gguf", size_bytes=state.st_size, sha256="")],
        default_level=header.level,
        tool_versions={"ophtimus-edge": __version__},
    )
    key = f"{path.resolve()}\n{state.st_size}\n{state.st_mtime_ns}"
    return Incoming(
        name=name,
        description=description,
        document=None,
        files={f"{name}.gguf": path},
        key=hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest(),
        left_behind=[],
    )


def _check_names(folder: Path, levels: list[str], listed: list[str]) -> None:
    """Refuse file names that are unsafe somewhere: devices, other streams, two names for one file."""
    seen = {"model.json", RECORD}
    twice = len(set(levels)) < len(levels)
    for name in listed:
        folded = unicodedata.normalize("NFC", name).casefold()
        odd = _UNSAFE.search(name) or _RESERVED.fullmatch(name) or name != name.strip(" .")
        if twice or folded in seen or odd:
            raise InvalidModelError(
                f"{folder / 'model.json'} names a file as no model folder may: {name[:80]!r}.",
                "Do not use this model folder.",
            )
        seen.add(folded)


def _check_regular(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        raise InvalidModelError(f"the file {path} is missing.", _COPY_AGAIN) from None
    if not stat.S_ISREG(mode):
        raise InvalidModelError(
            f"{path} is a link or no file, and a model folder holds files only.",
            "Copy the model folder with the files themselves in it.",
        )


def _goes_along(path: Path, known: set[str]) -> bool:
    """Whether an unlisted file is a licence, a notice or a readme, which travel with every copy."""
    state = path.lstat()
    return (
        (is_licence(path.name) or _README.fullmatch(path.name) is not None)
        and stat.S_ISREG(state.st_mode)
        and state.st_size <= _TRAVELS_BYTES
        and not _UNSAFE.search(path.name)
        and path.name.casefold() not in {name.casefold() for name in known}
    )
