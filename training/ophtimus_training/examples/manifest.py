"""``manifest.json`` of a prepared folder: what was read, what was written, and the hashes of both."""

from pathlib import Path
from typing import Literal

import msgspec

from ophtimus_edge.errors import FormatVersionError, TrainingDataError
from ophtimus_edge.models.store import sha256_of

MANIFEST = "manifest.json"
VERSION = 1
Split = Literal["train", "heldout"]


class InputFile(msgspec.Struct, frozen=True):
    """A file that rows were taken from."""

    name: str
    split: Split
    sha256: str
    rows: int


class OutputFile(msgspec.Struct, frozen=True):
    """A file of the folder, with the split that it is of."""

    name: str
    split: Split
    sha256: str
    size_bytes: int
    rows: int
    tokens: int = 0


class Manifest(msgspec.Struct, kw_only=True, frozen=True):
    """What a prepared folder is.

    Attributes:
        kind: tells it from other manifests.
        recipe: the name of the recipe that it was prepared for.
        settings: what decided which rows are kept.
        tokenizer_sha256: of what packed the windows; "" where the rows are texts.
    """

    kind: Literal["prepared"] = "prepared"
    schema_version: int = VERSION
    program: str
    recipe: str
    settings: dict[str, str | int | float | bool | list[str]]
    tokenizer_sha256: str = ""
    inputs: list[InputFile]
    outputs: list[OutputFile]


def is_prepared(folder: Path) -> bool:
    """Whether a folder says of itself that ``prepare`` wrote it."""
    try:
        told = msgspec.json.decode((folder / MANIFEST).read_bytes())
    except (OSError, msgspec.DecodeError):
        return False
    return isinstance(told, dict) and told.get("kind") == "prepared"


def read_manifest(folder: Path) -> Manifest:
    """A prepared folder's manifest, where its files are as it says.

    Raises:
        FormatVersionError: it was written by a newer release.
        TrainingDataError: it is damaged, or a file is missing or not the one that was written.
    """
    again = "Run ophtimus-train prepare again, or copy the whole folder from its source."
    try:
        content = (folder / MANIFEST).read_bytes()
        told = msgspec.json.decode(content)
        if isinstance(told.get("schema_version"), int) and told["schema_version"] > VERSION:
            raise FormatVersionError(
                f"{folder} was prepared by a newer release than this one.",
                "Update this program, or prepare the data with it.",
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except (OSError, AttributeError, msgspec.DecodeError) as error:
        raise TrainingDataError(f"{folder / MANIFEST} is damaged: {error}.", again) from error
    for output in manifest.outputs:
        path = folder / output.name
        if Path(output.name).name != output.name or not path.is_file():
            raise TrainingDataError(f"{path}, which {MANIFEST} names, is not there.", again)
        if sha256_of(path) != output.sha256:
            raise TrainingDataError(f"{path} is not the file that was prepared: its hash differs.", again)
    return manifest
