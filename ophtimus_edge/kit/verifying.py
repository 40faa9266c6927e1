"""A kit on a disk against its manifest: every file of it is read, and nothing of it is used before.

First the signature, of the manifest's bytes as they are; then the manifest; then what lies in the folder, by name,
kind and size; and only then the files' hashes, on all cores. Times and modes do not count: a kit that was copied is
the same kit. What changes in the folder while it is read, or later, is no matter of this file: whoever copies from
it hashes again what is copied (:mod:`ophtimus_edge.models.chunked_copy`).
"""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ophtimus_edge.errors import KitChangedError, KitError
from ophtimus_edge.kit import signature
from ophtimus_edge.kit.hashing import hash_pieces, open_regular, pieces
from ophtimus_edge.kit.manifest import (
    LARGEST_MANIFEST_BYTES,
    MANIFEST,
    SIGNATURE,
    KitFile,
    Manifest,
    folded,
    read_manifest,
)
from ophtimus_edge.kit.signature import LARGEST_SIGNATURE_BYTES

UNLISTED = "is not in the manifest"

_COPY_AGAIN = "Do not use it; copy the whole kit again from its source, or ask who gave it to you."
_LITTER = {  # what systems leave in folders by themselves, in lower case
    "$recycle.bin", ".ds_store", ".fseventsd", ".spotlight-v100", ".temporaryitems", ".trashes", "desktop.ini",
    "ehthumbs.db", "lost+found", "system volume information", "thumbs.db",
}  # fmt: skip


@dataclass(frozen=True)
class Signed:
    """A kit whose signature was checked and whose manifest was read; its files were not.

    Attributes:
        folder: the kit.
        manifest_bytes, signature_bytes: of its two own files, as they were checked.
        manifest_sha256: of the manifest's bytes: what is on the paper that came with the kit.
        signer: the key that signed it, 32 bytes.
        pinned: whether a key that is trusted here vouches for it; else it is unverified.
    """

    folder: Path
    manifest: Manifest
    manifest_bytes: bytes
    signature_bytes: bytes
    manifest_sha256: str
    signer: bytes
    pinned: bool

    @property
    def size_bytes(self) -> int:
        """All its files together, its own two left out."""
        return sum(file.size_bytes for file in self.manifest.files)


@dataclass(frozen=True)
class Verified(Signed):
    """A kit all of whose files were read: each is what the manifest says, and there is nothing else."""


def verify(
    folder: Path, pinned: bytes | None, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Verified:
    """Check a whole kit.

    Args:
        folder: the kit.
        pinned: the key that is trusted here, 32 bytes; None where there is none.
        on_progress: told the bytes that were read, and how many there are.

    Raises:
        KitError: it is no kit, or lists what no kit may hold.
        KitSignatureError: the signature is damaged, or by a key that is not trusted here.
        KitChangedError: files are missing, changed or not listed; it has all faults.
        FormatVersionError: it was made by a newer release.
    """
    return verify_files(read_signed(folder, pinned), on_progress)


def read_signed(folder: Path, pinned: bytes | None) -> Signed:
    """Read a kit's manifest, its signature checked before.

    Raises:
        KitError: it is no kit, or lists what no kit may hold.
        KitSignatureError: the signature is damaged, or by a key that is not trusted here.
        FormatVersionError: it was made by a newer release.
    """
    manifest = _own_file(folder, MANIFEST, LARGEST_MANIFEST_BYTES)
    signed = _own_file(folder, SIGNATURE, LARGEST_SIGNATURE_BYTES)
    signer = signature.check(manifest, signed, pinned).public_key
    return Signed(
        folder=folder,
        manifest=read_manifest(manifest, MANIFEST),
        manifest_bytes=manifest,
        signature_bytes=signed,
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        signer=signer,
        pinned=pinned is not None,
    )


def verify_files(kit: Signed, on_progress: Callable[[int, int], None] = lambda done, total: None) -> Verified:
    """Check that a kit holds the files of its manifest and nothing else.

    Raises:
        KitChangedError: it does not; it has all faults.
    """
    there, faults = _listed(kit.folder, kit.manifest)
    work = [piece for file in there for piece in pieces(file)]
    faults |= hash_pieces(kit.folder, work, on_progress)
    if faults:
        number = f"{len(faults)} faults, the first: " if len(faults) > 1 else ""
        path, fault = min(faults.items())
        raise KitChangedError(
            f"the kit in {kit.folder} is not as it was made: {number}{path} {fault}.",
            _COPY_AGAIN,
            tuple(sorted(faults.items())),
        )
    return Verified(**vars(kit))


def _own_file(folder: Path, name: str, most_bytes: int) -> bytes:
    """The manifest or the signature; its size is bounded before it is read."""
    try:
        with open_regular(folder / name) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(most_bytes + 1) if size <= most_bytes else b""
    except FileNotFoundError as error:
        raise KitError(
            f"{folder} is no kit: there is no {name} in it.",
            f"Name the folder that {MANIFEST} and {SIGNATURE} are in.",
        ) from error
    except OSError as error:
        raise KitError(f"{folder / name} cannot be read: {error.strerror or error}.", _COPY_AGAIN) from error
    if size > most_bytes or len(data) != size:
        raise KitError(f"{folder / name} is larger than any can be.", _COPY_AGAIN)
    return data


def _listed(root: Path, manifest: Manifest) -> tuple[list[KitFile], dict[str, str]]:
    """The files that are there with their right size, and what is wrong with everything else, by path."""
    wanted = {file.path: file for file in manifest.files}
    folders = {path.rsplit("/", at)[0] for path in wanted for at in range(1, path.count("/") + 1)}
    twins = {folded(path): path for path in (MANIFEST, SIGNATURE, *folders, *wanted)}
    found, faults = list[KitFile](), dict[str, str]()
    seen, waiting = set[str](), [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(root / inside) as entries:
                states = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            faults[inside or "."] = f"cannot be read: {error.strerror or error}"
            continue
        for name, state in states:
            path = f"{inside}/{name}" if inside else name
            if path in {MANIFEST, SIGNATURE}:
                continue  # they were read as regular files, or nobody came here
            seen.add(path)
            if stat.S_ISDIR(state.st_mode) and not _is_link(state) and path in folders:
                waiting.append(path)
                continue
            file = wanted.get(path)
            fault = _fault(path, state, file, twins)
            if fault:
                faults[path] = fault
            elif file is not None:
                found.append(file)
    for path in wanted.keys() - seen:
        faults[path] = "is missing"
    return found, faults


def _fault(path: str, state: os.stat_result, file: KitFile | None, listed: dict[str, str]) -> str:
    """What is wrong with an entry of a folder that is none of the kit's folders; "" where nothing is."""
    if _is_link(state):
        return "is a link, and no kit has any"
    if file is None:
        return _unlisted(path, listed)
    if not stat.S_ISREG(state.st_mode):
        return "is not a file"
    if state.st_size != file.size_bytes:
        return f"has {state.st_size} bytes instead of {file.size_bytes}"
    return ""


def _is_link(state: os.stat_result) -> bool:
    """Whether it is a link of any kind; on Windows a junction too, and whatever else leads elsewhere."""
    reparse = getattr(state, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_REPARSE_POINT
    return stat.S_ISLNK(state.st_mode) or bool(reparse)


def _unlisted(path: str, listed: dict[str, str]) -> str:
    name = path.rsplit("/", 1)[-1].casefold()
    if name in _LITTER or name.startswith(("._", ".trash-", "found.0")):
        return f"{UNLISTED}: the system left it there, and it can be deleted"
    twin = listed.get(folded(path))
    return f"{UNLISTED}, and named as {twin} but for its letters" if twin else UNLISTED
