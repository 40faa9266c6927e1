"""The plan of a conversion: each level's tensor types and exact size, memory, disk and time."""

import math
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from ophtimus_convert.blueprint import Blueprint
from ophtimus_convert.child import run
from ophtimus_convert.header import Head, head, metadata
from ophtimus_convert.jobs import Measure, PlanTypes, Rates, Types
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.gguf import FILE_TYPES

_CODES = {level: code for code, level in FILE_TYPES.items()}
LEVELS = (
    "F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q4_0", "Q3_K_L", "Q3_K_M",
    "Q3_K_S", "Q2_K", "Q2_K_S", "IQ4_NL", "IQ4_XS", "IQ3_M", "IQ3_S", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS",
    "IQ2_XXS", "Q5_0", "Q4_1",
)  # fmt: skip
# llama.cpp makes these only with an importance matrix (llama-quant.cpp, tensor_requires_imatrix).
NEED_IMATRIX = frozenset({"IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ3_XXS", "Q2_K_S"})

# Resident memory beside the slices: two Python processes with numpy, the tokenizer, ggml's tables.
# Measured; docs/benchmarks.md has the measured peaks beside the predicted ones.
_BASE_BYTES = 520 << 20
_SLICE_BYTES = 40 << 20  # of one thread: a slice raw, in float32, its merge, and its quantized forms
# Weights a second and core for what is not quantizing: reading, widening, merging, checking.
_READ_RATE, _MERGE_RATE, _VERIFY_BYTES_RATE = 400e6, 150e6, 500e6
_START_S = 5.0


class LevelPlan(NamedTuple):
    """One file to write."""

    level: str
    file_type: int
    head: Head

    @property
    def size_bytes(self) -> int:
        """Of the whole file, exactly."""
        return self.head.file_bytes

    @property
    def types(self) -> dict[str, str]:
        """The ggml type of each tensor, by name."""
        return {name: place.type for name, place in self.head.places.items()}


class Plan(NamedTuple):
    """What a conversion will take.

    Attributes:
        seconds: an estimate, from the speed of this machine measured a moment ago.
        peak_disk_bytes: of the outputs and what is needed on the way.
    """

    levels: list[LevelPlan]
    peak_memory_bytes: int
    peak_disk_bytes: int
    seconds: float


def file_type(level: str) -> int:
    """The number that GGUF files declare for a level."""
    return _CODES[level]


def level_plans(blueprint: Blueprint, levels: list[str], imatrix: Path | None) -> list[LevelPlan]:
    """Ask llama.cpp for the type of each tensor, and lay the files out.

    Raises:
        ConversionError: llama.cpp refuses a level.
    """
    with tempfile.TemporaryDirectory() as folder:
        skeleton = Path(folder) / "skeleton.gguf"
        _write_skeleton(blueprint, skeleton)
        answer = run(
            PlanTypes(
                str(skeleton), {level: file_type(level) for level in levels}, str(imatrix) if imatrix else ""
            )
        )
    assert isinstance(answer, Types)  # noqa: S101 - what the child answers to this job
    shapes = blueprint.shapes
    plans = []
    for level in levels:
        types = answer.types[level]
        if set(types) != set(shapes):
            lost = sorted(set(shapes) ^ set(types))
            raise ConversionError(
                f"llama.cpp's plan for {level} does not name {lost[0]} as it should.",
                "This build of llama-cpp-python is not one that this release knows: install the version "
                "of constraints.txt.",
            )
        plans.append(
            LevelPlan(level, file_type(level), head(blueprint.keys, shapes, types, file_type(level)))
        )
    return plans


def plan(
    blueprint: Blueprint, levels: list[LevelPlan], peak_disk_bytes: int, threads: int, *, weighed: bool
) -> Plan:
    """Estimate memory, disk and time.

    Args:
        peak_disk_bytes: of the outputs and what is needed on the way.
        threads: of quantizing.
        weighed: whether an importance matrix is used.
    """
    work: dict[str, int] = {}
    for level in levels:
        for place in level.head.places.values():
            work[place.type] = work.get(place.type, 0) + math.prod(place.shape)
    answer = run(Measure(sorted(work), weighed))
    assert isinstance(answer, Rates)  # noqa: S101 - what the child answers to this job
    weights = sum(math.prod(tensor.shape) for tensor in blueprint.tensors.values())
    size = sum(level.size_bytes for level in levels)
    core_seconds = sum(count / answer.weights_per_s[kind] for kind, count in work.items())
    core_seconds += weights / _READ_RATE + (weights / _MERGE_RATE if blueprint.adapter else 0)
    core_seconds += size / _VERIFY_BYTES_RATE
    return Plan(
        levels=levels,
        peak_memory_bytes=_BASE_BYTES + threads * _SLICE_BYTES,
        peak_disk_bytes=peak_disk_bytes,
        seconds=_START_S + core_seconds / threads,
    )


def check_disk(folder: Path, needed: int) -> None:
    """Refuse where the disk is too small.

    Args:
        folder: the output, which need not exist.
        needed: bytes still to be written.

    Raises:
        ConversionError: saying how much is missing.
    """
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise ConversionError(
            f"the files need {needed / 2**30:.2f} GiB, and the disk of {place} has {free / 2**30:.2f} GiB free.",
            "Free some space, name fewer levels, or name a folder on another disk with -o.",
        )


def _write_skeleton(blueprint: Blueprint, path: Path) -> None:
    """A GGUF with every tensor's name and no vocabulary; its matrices have two rows, all zero.

    The quantizer's choices depend on names and columns, never on the number of rows.
    """
    shapes = {name: (2, shape[1]) if len(shape) > 1 else shape for name, shape in blueprint.shapes.items()}
    keys = metadata(blueprint.checkpoint, blueprint.shape, None, blueprint.name, 0)
    types = blueprint.source_types
    skeleton = head(keys, shapes, types, file_type(blueprint.checkpoint.type))
    with path.open("wb") as file:
        file.write(skeleton.packed)
        file.truncate(skeleton.file_bytes)
