"""What makes a checkpoint sound: its manifest, and the search for the last one that agrees with it.

A checkpoint is a folder ``checkpoint-<step>``. Its ``manifest.json`` names every other file with its size and
SHA-256, and is written last, before the folder gets its name: a folder of that name that does not agree with its
manifest was damaged afterwards, and is never read further.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import msgspec

from ophtimus_edge.locations import sync_folder
from ophtimus_edge.models.digests import file_sha256

MANIFEST = "manifest.json"
_SCHEMA = 1
_NAME = re.compile(r"checkpoint-(\d+)")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    size: int
    sha256: str


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    schema_version: int
    step: int
    files: list[_File]


def step_of(folder: Path) -> int | None:
    """The step of a checkpoint by its folder's name; None for a folder that is none."""
    match = _NAME.fullmatch(folder.name)
    return int(match[1]) if match else None


def checkpoints(work: Path) -> list[Path]:
    """The checkpoints in a folder, sound or not, the latest step first."""
    steps = {entry: step_of(entry) for entry in work.iterdir() if entry.is_dir()} if work.is_dir() else {}
    return sorted((entry for entry in steps if steps[entry] is not None), key=lambda one: -(steps[one] or 0))


def publish(part: Path, final: Path) -> None:
    """Write the manifest of a finished folder, bring all of it to the disk and give it its name.

    What had that name before, a damaged checkpoint of the same step, is removed once the new one has it.

    Raises:
        OSError: the disk is full, or fails.
    """
    step = step_of(final)
    assert step is not None  # noqa: S101  # named by the trainer, never by a person
    paths = sorted(path for path in part.rglob("*") if path.is_file())
    files = [_File(str(path.relative_to(part)), path.stat().st_size, file_sha256(path)) for path in paths]
    (part / MANIFEST).write_bytes(msgspec.json.encode(_Manifest(_SCHEMA, step, files)))
    for path in [*paths, part / MANIFEST]:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    for folder in [part, *(path for path in part.rglob("*") if path.is_dir())]:
        sync_folder(folder)
    old = final.with_name(f".{final.name}.old")
    if final.exists():
        final.rename(old)
    part.rename(final)
    sync_folder(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint, in words; None for a sound one."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_Manifest)
    except FileNotFoundError:
        return "it has no manifest"
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return "its manifest cannot be read"
    if manifest.schema_version != _SCHEMA or manifest.step != step_of(folder):
        return "its manifest is of another step or release"
    for entry in manifest.files:
        path = folder / entry.name
        try:
            size = path.stat().st_size
            if size != entry.size:
                return f"{entry.name} has {size} bytes, not {entry.size}"
            if file_sha256(path) != entry.sha256:
                return f"{entry.name} is not what was written"
        except FileNotFoundError:
            return f"{entry.name} is missing"
        except OSError as error:
            return f"{entry.name} cannot be read ({error.strerror})"
    return None


def latest_sound(work: Path) -> Path | None:
    """The last checkpoint that is what was written; None where there is none.

    Every file is read and hashed. Each damaged checkpoint that is passed over is said on standard error, with the
    reason; it stays where it is until the run writes that step again.
    """
    for folder in checkpoints(work):
        reason = damage(folder)
        if reason is None:
            return folder
        sys.stderr.write(f"{folder.name} is damaged: {reason}. The one before it is used.\n")
    return None


def prune(work: Path, newest: Path, keep: int) -> None:
    """Remove the oldest checkpoints up to ``newest``, so that ``keep`` of them stay.

    Those of later steps were damaged, or the run would have gone on from them: they do not count.
    """
    step = step_of(newest) or 0
    counted = [folder for folder in checkpoints(work) if (step_of(folder) or 0) <= step]
    for folder in counted[keep:]:
        gone = folder.with_name(
            f".{folder.name}.old"
        )  # a half-removed folder must not look like a checkpoint
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def sweep(work: Path) -> None:
    """Remove what a killed run left of a checkpoint that was being written or removed."""
    for entry in work.glob(".checkpoint-*"):
        shutil.rmtree(entry, ignore_errors=True)
