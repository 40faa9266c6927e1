"""``manifest.json``: everything that a kit holds, by name, size and hash; and what its maker says of it.

The signature beside it (:mod:`ophtimus_edge.kit.signature`) is of the manifest's bytes, so that whatever the
manifest lists is vouched for, and whatever it does not list is refused. The same inputs give the same bytes:
nothing here tells of the time or the machine that a kit was built at.
"""

import re
import unicodedata
from typing import Annotated, Literal

import msgspec

from ophtimus_edge.errors import InvalidModelError, KitError
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Document, decode
from ophtimus_edge.models.withdrawals import Withdrawn as Withdrawn

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
LARGEST_MANIFEST_BYTES = 64 << 20  # 30 GiB in chunks of 4 MiB are 7,500 hashes: half a megabyte

_LONGEST_PATH = 180  # with a folder before it, below the 260 characters of Windows
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices, to Windows
_VERSION = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Platform = Literal["linux-x86_64", "win_amd64"]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]


class KitFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a kit.

    Attributes:
        path: in the kit, with ``/``.
        chunk_sha256: of its pieces of 4 MiB (:data:`ophtimus_edge.models.chunked_copy.CHUNK_BYTES`), the last one
            shorter; empty for a file of one piece.
    """

    path: str
    size_bytes: Size
    sha256: Sha256
    chunk_sha256: list[Sha256] = []


class KitModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a model folder, as it will be installed.

    Attributes:
        parts: the kit's files that it is joined from, in their order; more than one where the stick's file system
            could not take it whole.
    """

    name: str
    size_bytes: Size
    sha256: Sha256
    parts: list[str]


class KitModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model folder of a kit.

    Attributes:
        name: that it is chosen by once it is installed.
        version: as its model.json has it.
        levels: the quantization levels that are there.
        default_level: the one that the clinic opens.
        files: all of its folder, model.json too.
        report: the folder of its comparison in the kit, "" for none.
    """

    name: str
    version: str
    levels: list[str]
    default_level: str
    files: list[KitModelFile]
    report: str = ""


class KitPlatform(msgspec.Struct, frozen=True, kw_only=True):
    """What a kit has for one kind of machine.

    Attributes:
        pythons: versions such as "3.11" that it has wheels for.
        requirements: the kit's file of exact versions and hashes, for pip.
        runtime: the kit's archive of a Python of its own, "" where the machine must have one.
        glibc: the oldest glibc that the wheels run with, such as "2.36"; "" where that does not apply.
        accelerator: what else than the processor llama.cpp was built for.
    """

    platform: Platform
    pythons: list[str]
    requirements: str
    runtime: str = ""
    glibc: str = ""
    accelerator: Literal["", "cuda"] = ""


class Manifest(Document, kw_only=True):
    """``manifest.json`` of a kit.

    A program reads the kits of later releases too, and passes over fields that it does not know: what an older
    program must not pass over raises the ``schema_version``.

    Attributes:
        name: of the kit: what clinics know it by. Kits of one name follow one another.
        version: three numbers with dots; an installed kit is only ever followed by a higher one.
        program: the version of Ophtimus Edge in it.
        default_model: the name of the model that a clinic opens; "" for the demonstration model.
        withdrawn: model files that must not be used any more; a later kit repeats those of the earlier ones.
        history_schema: the steps that its program's histories have taken (:mod:`ophtimus_edge.history.migrations`);
            0 where it is not known.
        history_compatible_from: the steps that a program must know to read those histories.
        files: every file but this one and its signature, sorted by path.
    """

    name: str
    version: str
    program: str
    files: list[KitFile]
    platforms: list[KitPlatform]
    models: list[KitModel] = []  # noqa: RUF012
    default_model: str = ""
    withdrawn: list[Withdrawn] = []  # noqa: RUF012
    history_schema: int = 0
    history_compatible_from: int = 0

    @property
    def number(self) -> tuple[int, int, int]:
        """The version, to be compared."""
        return version_number(self.version)

    def file(self, path: str) -> KitFile | None:
        """The entry of a path, None where it is not listed."""
        return next((file for file in self.files if file.path == path), None)


def version_number(version: str) -> tuple[int, int, int]:
    """A kit's version as numbers.

    Raises:
        KitError: it is not three numbers with dots.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise KitError(
            f"{version[:40]!r} is not a kit's version.",
            "A version is three numbers with dots, such as 1.4.0.",
        )
    return int(match[1]), int(match[2]), int(match[3])


def check_path(path: str) -> None:
    """Refuse what is no path of a file inside a kit on every system that kits go to.

    Raises:
        KitError: it leads outside, is no plain name somewhere, or is too long.
    """
    parts = path.split("/")
    sound = (
        len(path) <= _LONGEST_PATH
        and unicodedata.normalize("NFC", path) == path
        and all(
            part and part == part.strip(" .") and not _UNSAFE.search(part) and not _RESERVED.fullmatch(part)
            for part in parts
        )
    )
    if not sound:
        raise KitError(f"the kit lists a file as no kit may: {path[:80]!r}.", "Do not use this kit.")


def folded(path: str) -> str:
    """What two paths have in common that are one file on some system."""
    return unicodedata.normalize("NFC", path).casefold()


def read_manifest(data: bytes, origin: str) -> Manifest:
    """A manifest from its bytes, with everything in it that hangs together checked.

    Args:
        origin: the file's name, for messages.

    Raises:
        FormatVersionError: it was written by a newer release.
        KitError: it is damaged, or lists what no kit may hold.
    """
    try:
        manifest = decode(data, Manifest, origin)
    except InvalidModelError as error:
        raise KitError(error.message, "Copy the whole kit again from its source.") from error
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    manifest.number  # noqa: B018 - it raises
    paths = [file.path for file in manifest.files]
    for path in paths:
        check_path(path)
    for entry in manifest.files:
        if entry.chunk_sha256 and len(entry.chunk_sha256) != -(-entry.size_bytes // CHUNK_BYTES):
            raise KitError(
                f"the kit lists {entry.path!r} in pieces that are not its own.", "Do not use this kit."
            )
    twins = {folded(path) for path in (*paths, MANIFEST, SIGNATURE)}
    # A file's name is not a folder's, either, and no folder has two spellings.
    folders = {path.rsplit("/", at)[0] for path in paths for at in range(1, path.count("/") + 1)}
    folded_folders = {folded(folder) for folder in folders}
    twice = len(twins) != len(paths) + 2 or len(folded_folders) != len(folders) or twins & folded_folders
    if paths != sorted(paths) or twice:
        raise KitError("the kit lists one file twice, or out of order.", "Do not use this kit.")
    known = set(paths)
    named = [part for model in manifest.models for file in model.files for part in file.parts]
    named += [platform.requirements for platform in manifest.platforms]
    named += [platform.runtime for platform in manifest.platforms if platform.runtime]
    for model in manifest.models:
        check_path(model.name)
        for file in model.files:
            check_path(file.name)
        names = {folded(file.name) for file in model.files}
        if (
            "/" in model.name
            or any("/" in file.name for file in model.files)
            or len(names) < len(model.files)
        ):
            raise KitError(
                f"the kit's model {model.name[:80]!r} is not a folder of files.", "Do not use this kit."
            )
    models = [folded(model.name) for model in manifest.models]
    if not known.issuperset(named) or len(set(models)) < len(models):
        raise KitError("the kit's manifest names files that it does not list.", "Do not use this kit.")
    if manifest.default_model and manifest.default_model not in {model.name for model in manifest.models}:
        raise KitError("the kit's manifest opens a model that it does not list.", "Do not use this kit.")
