"""The fused pass, from outside: lay the files out, hand the child its work, take the level files back."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from ophtimus_convert.blueprint import Blueprint
from ophtimus_convert.child import run
from ophtimus_convert.jobs import Fuse, FusedTensor, Place
from ophtimus_convert.plan import LevelPlan
from ophtimus_convert.tensors import ROPE_FACTORS, is_permuted
from ophtimus_edge.models.hardware import usable_cores


def write_levels(
    blueprint: Blueprint,
    paths: dict[str, Path],
    levels: list[LevelPlan],
    journals: Path,
    imatrix: Path | None,
    round_to_source: bool,
    on_progress: Callable[[int, int, str], None],
) -> None:
    """Write level files in one read of the checkpoint; what a killed run wrote is not done again.

    Args:
        paths: where each level goes.
        levels: what to write.
        journals: the folder of the journals.
        imatrix: an importance matrix in either of its forms.
        round_to_source: round the merged sum once to the checkpoint's type.
        on_progress: told the bytes of the checkpoint done, all of them, and the tensor's name.

    Raises:
        ConversionError: the weights cannot be converted.
        AdapterError: the adapter cannot be merged.
        OSError: a file cannot be written.
    """
    outputs = [paths[level.level] for level in levels]
    journal = journals / f"journal-{_plan_hash(levels, outputs)}"
    if not all(path.is_file() for path in outputs):
        journal.unlink(missing_ok=True)
    for level, path in zip(levels, outputs, strict=True):
        _lay_out(blueprint, level, path)
    run(
        Fuse(
            source=str(blueprint.checkpoint.folder),
            adapter=str(blueprint.adapter.folder) if blueprint.adapter else "",
            outputs=[str(path) for path in outputs],
            tensors=_tensors(blueprint, levels),
            journal=str(journal),
            threads=usable_cores(),
            imatrix=str(imatrix) if imatrix else "",
            round_to_source=round_to_source,
        ),
        on_progress,
    )
    journal.unlink()


def _lay_out(blueprint: Blueprint, level: LevelPlan, path: Path) -> None:
    """A file of its final size, with its head and the rotary factors; what else is in it stays."""
    path.touch()
    with path.open("rb+") as file:
        file.write(level.head.packed)
        file.truncate(level.size_bytes)
        if blueprint.factors is not None:
            file.seek(len(level.head.packed) + level.head.places[ROPE_FACTORS].offset)
            file.write(blueprint.factors.tobytes())


def _tensors(blueprint: Blueprint, levels: list[LevelPlan]) -> list[FusedTensor]:
    tensors = []
    for target, tensor in blueprint.tensors.items():
        places = []
        for level in levels:
            place = level.head.places[target]
            places.append(Place(place.type, len(level.head.packed) + place.offset))
        permuted = is_permuted(tensor.name)
        rows, columns = tensor.shape if len(tensor.shape) > 1 else (1, tensor.shape[0])
        tensors.append(
            FusedTensor(
                name=tensor.name,
                base=tensor.base,
                target=target,
                rows=rows,
                columns=columns,
                step=blueprint.shape.head_dim if permuted else 1,
                permuted=permuted,
                places=places,
            )
        )
    return tensors


def _plan_hash(levels: list[LevelPlan], outputs: list[Path]) -> str:
    """Which files a journal is about: their names, and every type and offset in them."""
    digest = hashlib.sha256()
    for level, path in zip(levels, outputs, strict=True):
        digest.update(path.name.encode() + b"\0" + level.head.packed)
    return digest.hexdigest()[:16]
