"""Model files that a kit takes back: named on the command line or in a file, and those of the kit before."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ophtimus_edge.errors import KitBuildError, KitError
from ophtimus_edge.kit.keys import fingerprint
from ophtimus_edge.kit.manifest import Manifest, Withdrawn, version_number
from ophtimus_edge.kit.verifying import read_signed
from ophtimus_edge.kit.withdrawn import carried_on

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_REASON = 1000


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    sha256: str
    en: str = ""
    ko: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    withdrawn: list[_Entry]


def read_withdrawn(words: Iterable[str], files: Iterable[Path], previous: Manifest | None) -> list[Withdrawn]:
    """What a kit withdraws, sorted by hash; a later reason goes before the one of the kit before.

    Args:
        words: ``SHA256=REASON``, with an English reason.
        files: TOML with entries ``[[withdrawn]]`` of ``sha256``, ``en`` and ``ko``.
        previous: the kit before, whose list is repeated.

    Raises:
        KitBuildError: a hash or a file cannot be read, or a reason is missing.
    """
    # With its size, a file that lies somewhere by itself is hashed only where it could be the one.
    sizes = {
        file.sha256: file.size_bytes
        for model in (previous.models if previous else [])
        for file in model.files
    }
    found: dict[str, Withdrawn] = {}
    for path in files:
        for entry in _read(path).withdrawn:
            found[entry.sha256] = _entry(str(path), entry.sha256, entry.en, entry.ko, sizes)
    for word in words:
        sha256, _, reason = word.partition("=")
        found[sha256] = _entry("--withdraw", sha256, reason, "", sizes)
    return carried_on(previous.withdrawn if previous else (), found.values())


def read_previous(folder: Path, name: str, version: str, trusted: Collection[bytes]) -> Manifest:
    """The manifest of the kit that this one follows.

    Args:
        folder: the kit; of its files only the manifest and the signature are read.
        trusted: the key that signs now, and those that it succeeds.

    Raises:
        KitBuildError: it cannot be read, was signed by another key, is of another kit, or is no earlier one.
    """
    try:
        signed = read_signed(folder, None)
    except KitError as error:
        raise KitBuildError(error.message, "Name the folder of the kit before.") from error
    if signed.signer not in trusted:
        raise KitBuildError(
            f"the kit before was signed by another key: {fingerprint(signed.signer)}.",
            "Sign with the same key, or with one that succeeds it (ophtimus kit keygen --succeeds).",
        )
    manifest = signed.manifest
    if manifest.name != name:
        raise KitBuildError(
            f"the kit before is {manifest.name}, and this one {name}.",
            "Kits that follow one another have one name.",
        )
    if manifest.number >= version_number(version):
        raise KitBuildError(
            f"the kit before has version {manifest.version}, which {version} does not follow.",
            "Versions only go up.",
        )
    return manifest


def _entry(origin: str, sha256: str, english: str, korean: str, sizes: Mapping[str, int]) -> Withdrawn:
    if not _SHA256.fullmatch(sha256):
        raise KitBuildError(
            f"{origin} names no model file by its SHA-256: {sha256[:70]!r}.",
            "It is the 64 digits that ophtimus models list --json and model.json have for the level.",
        )
    reason: dict[Literal["en", "ko"], str] = {}
    if english := " ".join(english.split()):
        reason["en"] = english
    if korean := " ".join(korean.split()):
        reason["ko"] = korean
    if not reason or any(len(text) > _LONGEST_REASON for text in reason.values()):
        raise KitBuildError(
            f"{origin} gives no reason of up to {_LONGEST_REASON} letters for {sha256[:16]}….",
            "Say in a sentence why the model must not be used: the clinic reads it.",
        )
    return Withdrawn(sha256=sha256, reason=reason, size_bytes=sizes.get(sha256, 0))


def _read(path: Path) -> _File:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), type=_File)
    except OSError as error:
        raise KitBuildError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise KitBuildError(
            f"{path} is no list of withdrawn models: {error}.",
            "It has entries [[withdrawn]] with sha256, en and ko.",
        ) from error
