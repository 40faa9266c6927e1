"""A conversion from end to end: plan, write, verify, gate, publish."""

import hashlib
import importlib.metadata
import math
from concurrent.futures import wait
from pathlib import Path
from typing import Literal, NamedTuple

from ophtimus_convert import gates
from ophtimus_convert.blueprint import Blueprint, draw
from ophtimus_convert.calibration_text import read_text
from ophtimus_convert.child import run
from ophtimus_convert.display import Display
from ophtimus_convert.folder import (
    Hashing,
    added,
    check_same,
    copy_licences,
    copy_provenance,
    describe,
    publish,
    read_existing,
)
from ophtimus_convert.imatrix import check_covers, check_fits, copy_as_gguf, planning_matrix, read_imatrix
from ophtimus_convert.jobs import Calibrate, Quantize, Verified, Verify
from ophtimus_convert.passes import write_levels
from ophtimus_convert.plan import LevelPlan, Plan, check_disk, level_plans, plan
from ophtimus_convert.staging import Staging, key_of, staging
from ophtimus_edge import __version__
from ophtimus_edge.errors import ConversionError, ConversionInterruptedError
from ophtimus_edge.models.formats import Level, ModelFolder
from ophtimus_edge.models.hardware import usable_cores
from ophtimus_edge.models.store import sha256_of

CHUNK = 4 << 20
_WINDOW = 512  # tokens of a calibration window, as llama.cpp's own tool takes
_IMATRIX = "imatrix.gguf"


class Options(NamedTuple):
    """What a conversion is asked for.

    Attributes:
        source_id, revision: of the hub, where it came from there.
        levels: the quantization levels to write.
        imatrix: an importance matrix to use.
        calibrate: a text to compute one on.
        skip_gates: the names of gates to leave out.
        gate_long: compare logits behind a long prompt too, which takes minutes.
        float_sum: quantize the merged float32 sum without rounding it to the checkpoint's type first.
    """

    source: Path
    levels: list[str]
    out: Path
    name: str
    version: str = "1"
    source_id: str = ""
    revision: str = ""
    adapter: Path | None = None
    imatrix: Path | None = None
    calibrate: Path | None = None
    tokenizer: Path | None = None
    template: Path | None = None
    method: Literal["fused", "staged"] = "fused"
    prove: bool = False
    skip_gates: frozenset[str] = frozenset()
    gate_long: bool = False
    float_sum: bool = False


def prepare(options: Options, display: Display) -> Blueprint:
    """Read and check everything but the weights.

    Raises:
        ConversionError: something cannot be converted.
    """
    out = options.out.resolve()
    if options.source.resolve() == out or out in options.source.resolve().parents:
        raise ConversionError(
            f"the source {options.source} lies inside the output folder {options.out}.",
            "Name another folder with -o.",
        )
    blueprint = draw(
        options.source, options.adapter, options.tokenizer, options.template, options.name, options.source_id
    )
    for note in blueprint.notes:
        display.note(note)
    if options.imatrix:
        check_fits(read_imatrix(options.imatrix), blueprint.shapes, options.imatrix)
    if options.calibrate:
        read_text(options.calibrate)
    return blueprint


def estimate(options: Options, blueprint: Blueprint) -> Plan:
    """The plan: sizes, memory, disk and time of the levels that are not there yet; nothing is written.

    Raises:
        ConversionError: llama.cpp refuses a level, the folder holds another model, or the disk is too
            small.
    """
    existing = _existing(options, blueprint, None)
    with planning_matrix(options.imatrix, bool(options.calibrate), blueprint.shapes) as matrix:
        levels = level_plans(blueprint, _wanted(options, existing), matrix)
    planned = plan(
        blueprint, levels, _peak_disk(options, blueprint, levels), usable_cores(), weighed=matrix is not None
    )
    check_disk(options.out, planned.peak_disk_bytes)
    return planned


def convert(
    options: Options, blueprint: Blueprint, display: Display, hashing: Hashing | None = None
) -> ModelFolder:
    """Write the levels that are not there yet, verify them, and put them in the model folder.

    Args:
        hashing: of the source's weights, where it was begun before.

    Raises:
        ConversionError: the model cannot be written as asked; the folder is as it was.
        AdapterError: the adapter cannot be merged.
    """
    out = options.out.resolve()
    hashing = hashing or Hashing(options.source)
    existing = _existing(options, blueprint, hashing)
    wanted = _wanted(options, existing)
    if existing and not wanted:
        display.note(f"{options.out} has all of these levels already; nothing was made or proven.")
        return existing
    with staging(out, _key(options, blueprint)) as stage:
        try:
            preparation = gates.Preparation(blueprint.vocabulary.folder, options.skip_gates)
            with planning_matrix(options.imatrix, bool(options.calibrate), blueprint.shapes) as matrix:
                # llama.cpp's plan depends on which tensors a matrix names, not on its numbers.
                plans = level_plans(blueprint, wanted, matrix)
            check_disk(stage.folder, _still_needed(options, blueprint, plans, stage))
            imatrix = _importance(options, blueprint, stage, display)
            if imatrix:
                for level in plans:
                    check_covers(read_imatrix(imatrix), level.level, level.types)
            files = {level: stage.ready / _file(blueprint, level) for level in wanted}
            _write(options, blueprint, plans, imatrix, stage, display)
            gating = gates.begin(
                blueprint, files, options.skip_gates, options.gate_long, preparation, display
            )
            try:
                for level in plans:
                    if level.level not in stage.finished:
                        stage.finish(verified(files[level.level], level, imatrix, options.float_sum, display))
                if options.prove:
                    _prove(options, blueprint, plans, imatrix, stage, display)
            except ConversionError:
                wait([gating])  # they read files that are removed now
                raise
            # From here on the files are sound: what goes wrong must not cost them.
            stage.keep = True
            entries = [stage.finished[level] for level in wanted]
            results = gating.result()
            licences = [] if existing else copy_licences(blueprint, stage.ready)
            if not licences and not existing:
                display.note(
                    "Nothing that the model is made from carries a licence file. Llama's licence must travel with "
                    "the model: put LICENSE and NOTICE into the source folder."
                )
            provenance = [] if existing else copy_provenance(blueprint, stage.ready)
            model = describe(
                blueprint,
                hashing.origin(blueprint, options.source_id, options.revision),
                options.version,
                entries,
                licences,
                imatrix.name if imatrix else "",
                results,
                provenance,
            )
            names = [entry.file for entry in entries] + [licence.file for licence in licences]
            names += [file.name for file in provenance]
            names += [imatrix.name] if imatrix else []
            model = added(existing, model) if existing else model
            publish(stage.ready, names, out, model)
        except ConversionInterruptedError:
            stage.keep = True
            raise
        except OSError as error:
            raise ConversionError(
                f"{error.filename or stage.folder} cannot be read or written: {error.strerror or error}.",
                "Free some space, or name another folder with -o.",
            ) from error
    return model


def _existing(options: Options, blueprint: Blueprint, hashing: Hashing | None) -> ModelFolder | None:
    """The model folder that is there already, once it is known to be of this model.

    Raises:
        ConversionError: it is of another, or another importance matrix would take its matrix's place.
    """
    existing = read_existing(options.out.resolve())
    if existing is None:
        return None
    origin = (hashing or Hashing(options.source)).origin(blueprint, options.source_id, options.revision)
    nothing = Level(level="", file="", size_bytes=0, sha256="")
    check_same(existing, describe(blueprint, origin, options.version, [nothing], [], "", {}, []), options.out)
    own = options.out / existing.imatrix
    if existing.imatrix and (
        options.calibrate or (options.imatrix and options.imatrix.read_bytes() != own.read_bytes())
    ):
        raise ConversionError(
            f"{options.out} has an importance matrix already, and a folder has one.",
            f"Use it with --imatrix {own}, or name a new folder with -o.",
        )
    return existing


def _wanted(options: Options, existing: ModelFolder | None) -> list[str]:
    out = options.out.resolve()
    there = {entry.level for entry in existing.levels if (out / entry.file).is_file()} if existing else set()
    return [level for level in options.levels if level not in there]


def _write(
    options: Options,
    blueprint: Blueprint,
    levels: list[LevelPlan],
    imatrix: Path | None,
    stage: Staging,
    display: Display,
) -> None:
    levels = [level for level in levels if level.level not in stage.finished]
    if not levels:
        return
    paths = {level.level: stage.ready / _file(blueprint, level.level) for level in levels}
    if options.method == "fused":
        write_levels(
            blueprint, paths, levels, stage.folder, imatrix, not options.float_sum,
            lambda done, total, what: display.show("write", "bytes", done, total, what),
        )  # fmt: skip
    else:
        merged = _merged(options, blueprint, stage, display)
        for level in levels:
            _quantize(merged, paths[level.level], level, imatrix, display)
        merged.unlink()


def _merged(options: Options, blueprint: Blueprint, stage: Staging, display: Display) -> Path:
    """The merged model as one GGUF of the checkpoint's own type: what the staged way quantizes."""
    kind = "F32" if options.float_sum else blueprint.checkpoint.type
    target = stage.folder / f"merged-{kind}.gguf"
    write_levels(
        blueprint, {kind: target}, level_plans(blueprint, [kind], None), stage.folder, None, not options.float_sum,
        lambda done, total, what: display.show("merge", "bytes", done, total, what),
    )  # fmt: skip
    return target


def _quantize(merged: Path, target: Path, level: LevelPlan, imatrix: Path | None, display: Display) -> None:
    run(
        Quantize(str(merged), str(target), level.file_type, usable_cores(), str(imatrix) if imatrix else ""),
        lambda done, total, what: display.show(level.level, "tensors", done, total, what),
    )


def _prove(
    options: Options,
    blueprint: Blueprint,
    plans: list[LevelPlan],
    imatrix: Path | None,
    stage: Staging,
    display: Display,
) -> None:
    """Make every level the other way too, and compare the hashes.

    Raises:
        ConversionError: one differs.
    """
    proof = stage.folder / "proof.gguf"
    merged = _merged(options, blueprint, stage, display) if options.method == "fused" else None
    for level in plans:
        if merged:
            _quantize(merged, proof, level, imatrix, display)
        else:
            write_levels(
                blueprint, {level.level: proof}, [level], stage.folder, imatrix, not options.float_sum,
                lambda done, total, what: display.show("prove", "bytes", done, total, what),
            )  # fmt: skip
        other = verified(proof, level, imatrix, options.float_sum, display).sha256
        proof.unlink()
        own = stage.finished[level.level].sha256
        if other != own:
            raise ConversionError(
                f"{level.level} differs between the fused pass and llama.cpp's quantizer: "
                f"{own[:12]}… and {other[:12]}….",
                "Use --method staged, and report this with the checkpoint's config.json.",
            )
        display.note(f"{level.level}: the fused pass and llama.cpp's quantizer give the same file, {own}.")
    if merged:
        merged.unlink()


def verified(path: Path, level: LevelPlan, imatrix: Path | None, float_sum: bool, display: Display) -> Level:
    """Read a file back, compare it with its plan, and hash it.

    Raises:
        ConversionError: it is not sound, or not what was planned.
    """
    checked = run(
        Verify(str(path), CHUNK),
        lambda done, total, what: display.show(f"verify {level.level}", "bytes", done, total, what),
    )
    assert isinstance(checked, Verified)  # noqa: S101 - what the child answers to this job
    with path.open("rb") as file:
        packed = file.read(len(level.head.packed))
    if (checked.tensors, path.stat().st_size, packed) != (
        len(level.head.places), level.size_bytes, level.head.packed,
    ):  # fmt: skip
        raise ConversionError(
            f"{path.name} is not what was planned: {checked.tensors} tensors in {path.stat().st_size} bytes.",
            "This build of llama-cpp-python is not one that this release knows: install the version of "
            "constraints.txt.",
        )
    return Level(
        level=level.level,
        file=path.name,
        size_bytes=path.stat().st_size,
        sha256=checked.sha256,
        chunk_sha256=checked.chunk_sha256,
        imatrix_sha256=sha256_of(imatrix) if imatrix else "",
        float_sum=float_sum,
    )


def _importance(options: Options, blueprint: Blueprint, stage: Staging, display: Display) -> Path | None:
    """The importance matrix in the folder to be: the given one, or one computed on the text."""
    target = stage.ready / _IMATRIX
    if options.imatrix:
        copy_as_gguf(options.imatrix, target)
        return target
    if not options.calibrate:
        return None
    if not target.is_file():
        merged = _merged(options._replace(float_sum=False), blueprint, stage, display)
        part = stage.folder / "imatrix.part"
        run(
            Calibrate(str(merged), str(options.calibrate), str(part), _WINDOW, 0, usable_cores()),
            lambda done, total, what: display.show("calibrate", "windows", done, total, what),
        )
        part.replace(target)
        merged.unlink()
    return target


def _file(blueprint: Blueprint, level: str) -> str:
    return f"{blueprint.name}-{level}.gguf"


def _peak_disk(options: Options, blueprint: Blueprint, levels: list[LevelPlan]) -> int:
    """Bytes at the peak: the outputs, and beside them the merged model and the second copy of a proof."""
    outputs = sum(level.size_bytes for level in levels)
    weights = sum(math.prod(tensor.shape) for tensor in blueprint.tensors.values())
    merged = weights * (4 if blueprint.checkpoint.type == "F32" or options.float_sum else 2)
    beside = 0
    if options.method == "staged" or options.prove:
        beside += merged
    if options.prove:
        beside += max((level.size_bytes for level in levels), default=0)
    # The matrix is computed before the outputs are begun, on a merged model that is removed then.
    return max(outputs + beside, merged if options.calibrate else 0)


def _still_needed(options: Options, blueprint: Blueprint, levels: list[LevelPlan], stage: Staging) -> int:
    paths = [stage.ready / _file(blueprint, level.level) for level in levels]
    # A killed run's files have their whole size already, and on the disk only what was written.
    written = sum(512 * int(getattr(path.stat(), "st_blocks", 0)) for path in paths if path.is_file())
    return max(_peak_disk(options, blueprint, levels) - written, 0)


def _key(options: Options, blueprint: Blueprint) -> str:
    """Of everything that decides the bytes of a level; which levels are asked for does not."""
    files = [blueprint.checkpoint.folder / "config.json", *blueprint.checkpoint.files]
    files += blueprint.adapter.files if blueprint.adapter else []
    files += [path for path in (options.imatrix, options.calibrate) if path]
    settings = {
        "metadata": hashlib.sha256(blueprint.keys.packed).hexdigest(),
        "float_sum": str(options.float_sum),
        "calibrate": str(options.calibrate),
        "method": options.method,
        "versions": f"{__version__} {importlib.metadata.version('llama-cpp-python')}",
    }
    return key_of(files, settings)
