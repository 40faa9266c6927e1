"""Small kits for tests: real files, a manifest of them, signed by a real key."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ophtimus_edge.kit import signature
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.manifest import MANIFEST, SIGNATURE, KitFile, KitPlatform, Manifest
from ophtimus_edge.kit.signature import Succession
from ophtimus_edge.kit.state import Highest, KitState
from ophtimus_edge.kit.verifying import Signed
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import encode

REQUIREMENTS = "wheels/requirements-linux-x86_64.txt"
SMALL = {
    "install.sh": b"#!/bin/sh\necho installing\n",
    "install.cmd": b"@echo off\r\n",
    "licences/msgspec/LICENSE": b"BSD-3-Clause\n",
    "licences/empty.txt": b"",
    "models/tiny/model.json": b'{"name": "tiny"}\n',
    "models/tiny/tiny-Q4_K_M.gguf": bytes(range(256)) * 40,
    REQUIREMENTS: b"msgspec==0.19.0\n",
    "wheels/linux-x86_64/msgspec-0.19.0-py3-none-any.whl": b"PK\x03\x04" + b"wheel" * 300,
}


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a kit, by their paths in it."""
    for path, data in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def listed(path: str, data: bytes) -> KitFile:
    """What a manifest says of a file."""
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    hashes = [hashlib.sha256(chunk).hexdigest() for chunk in chunks]
    return KitFile(
        path=path,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        chunk_sha256=hashes if len(hashes) > 1 else [],
    )


def manifest_of(files: dict[str, bytes], version: str = "1.2.0", name: str = "eye-clinic") -> Manifest:
    """The manifest of a kit with these files; one of them is :data:`REQUIREMENTS`."""
    return Manifest(
        name=name,
        version=version,
        program="0.1.0",
        files=[listed(path, files[path]) for path in sorted(files)],
        platforms=[KitPlatform(platform="linux-x86_64", pythons=["3.11"], requirements=REQUIREMENTS)],
    )


def write_signed(
    folder: Path, manifest: bytes, key: SigningKey, succession: Sequence[Succession] = ()
) -> None:
    """Write a manifest as it is, and its signature."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(manifest)
    (folder / SIGNATURE).write_bytes(signature.sign(manifest, key, list(succession)))


def make_kit(
    folder: Path,
    key: SigningKey,
    files: dict[str, bytes] = SMALL,
    version: str = "1.2.0",
    name: str = "eye-clinic",
    succession: Sequence[Succession] = (),
) -> Path:
    """A whole kit in a new folder."""
    write_files(folder, files)
    write_signed(folder, encode(manifest_of(files, version, name)), key, succession)
    return folder


def state_of(kit: Signed) -> KitState:
    """What an installation remembers of a kit that was installed there."""
    version = kit.manifest.version
    return KitState(
        name=kit.manifest.name,
        public_key=kit.signer,
        highest={kit.manifest.name: Highest(version=version, manifest_sha256=kit.manifest_sha256)},
        current=version,
    )
