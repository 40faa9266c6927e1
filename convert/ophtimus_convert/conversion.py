"""A conversion from end to end: plan, write, verify, gate, publish."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from ophtimus_convert import gates
from ophtimus_convert.blueprint import Blueprint, draw
from ophtimus_convert.child import run
from ophtimus_convert.folder import Origin, check_same, copy_licences, describe, publish, read_existing
from ophtimus_convert.imatrix import check_fits, read_imatrix
from ophtimus_convert.jobs import Calibrate, Quantize, Verified, Verify
from ophtimus_convert.passes import write_levels
from ophtimus_convert.plan import LevelPlan, Plan, check_disk, file_type, level_plans, plan
from ophtimus_convert.staging import Staging, key_of, staging
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.formats import Level, ModelFolder
from ophtimus_edge.models.hardware import usable_cores

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


class Display(Protocol):
    """Where a conversion says what it does."""

    def note(self, text: str) -> None:
        """Say a sentence."""

    def show(self, step: str, unit: str, done: int, total: int, what: str) -> None:
        """Show how far a step is, in bytes, tensors, windows or gates."""


def prepare(options: Options, display: Display) -> Blueprint:
    """Read and check everything but the weights.

    Raises:
        ConversionError: something cannot be converted.
    """
    if (
        options.source.resolve() == options.out.resolve()
        or options.out.resolve() in options.source.resolve().parents
    ):
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
    return blueprint


def estimate(options: Options, blueprint: Blueprint) -> Plan:
    """The plan: sizes, memory, disk and time; nothing is written.

    Raises:
        ConversionError: llama.cpp refuses a level, or the disk is too small.
    """
    levels = level_plans(blueprint, options.levels, options.imatrix)
    planned = plan(
        blueprint,
        levels,
        _extra_disk(options, blueprint, levels),
        usable_cores(),
        weighed=bool(options.imatrix or options.calibrate),
    )
    check_disk(options.out, planned.peak_disk_bytes)
    return planned


def convert(options: Options, blueprint: Blueprint, display: Display) -> ModelFolder:
    """Write the levels that are not there yet, verify them, and put them in the model folder.

    Raises:
        ConversionError: the model cannot be written as asked; the folder is as it was.
        AdapterError: the adapter cannot be merged.
    """
    existing = read_existing(options.out)
    with ThreadPoolExecutor(1) as pool:
        origin = pool.submit(Origin, blueprint, options.source_id, options.revision)
        if existing:
            wanted_model = describe(blueprint, origin.result(), options.version, [_NONE], [], "", {})
            check_same(existing, wanted_model, options.out)
        there = {entry.level for entry in existing.levels} if existing else set()
        wanted = [level for level in options.levels if level not in there]
        if existing and not wanted:
            display.note(f"{options.out} has all of these levels already.")
            return existing
        with staging(options.out, _key(options, blueprint)) as stage:
            ready = stage.folder / "model"
            ready.mkdir(exist_ok=True)
            try:
                imatrix = _importance(options, blueprint, stage, ready, display)
                plans = level_plans(blueprint, wanted, imatrix)
                missing = [level for level in plans if level.level not in stage.finished]
                check_disk(stage.folder, _still_needed(options, blueprint, missing, ready))
                _write(options, blueprint, missing, imatrix, stage, ready, display)
                entries = [stage.finished[level] for level in wanted]
                if options.prove:
                    _prove(options, blueprint, plans, imatrix, stage, ready, display)
                stage.keep = True  # the files are sound: a gate that fails must not cost them
                files = {entry.level: ready / entry.file for entry in entries}
                results = gates.run(blueprint, files, options.skip_gates, options.gate_long, display)
                licences = copy_licences(blueprint, ready)
                if not licences and not existing:
                    display.note(
                        "The checkpoint carries no licence file. Llama's licence must travel with the model: "
                        "put LICENSE and NOTICE into the source folder."
                    )
                model = describe(
                    blueprint,
                    origin.result(),
                    options.version,
                    [*(existing.levels if existing else []), *entries],
                    existing.licences if existing else licences,
                    _IMATRIX if imatrix else existing.imatrix if existing else "",
                    {**(existing.gates if existing else {}), **results},
                )
                publish(ready, options.out, model)
            except OSError as error:
                raise ConversionError(
                    f"{error.filename or stage.folder} cannot be read or written: {error.strerror or error}.",
                    "Free some space, or name another folder with -o.",
                ) from error
    return model


_NONE = Level(level="", file="", size_bytes=0, sha256="")


def _write(
    options: Options,
    blueprint: Blueprint,
    levels: list[LevelPlan],
    imatrix: Path | None,
    stage: Staging,
    ready: Path,
    display: Display,
) -> None:
    if not levels:
        return
    if options.method == "fused":
        write_levels(
            blueprint, {level.level: ready / _file(blueprint, level.level) for level in levels}, levels,
            stage.folder, imatrix, not options.float_sum,
            lambda done, total, what: display.show("write", "bytes", done, total, what),
        )  # fmt: skip
        for level in levels:
            stage.finish(verify(ready / _file(blueprint, level.level), level.level, display))
        return
    merged = _merged(options, blueprint, stage, display)
    for level in levels:
        target = ready / _file(blueprint, level.level)
        _quantize(merged, target, level, imatrix, display)
        stage.finish(verify(target, level.level, display))
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
    ready: Path,
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
        other = verify(proof, f"proof of {level.level}", display).sha256
        proof.unlink()
        own = stage.finished[level.level].sha256
        if other != own:
            raise ConversionError(
                f"{level.level} differs between the fused pass ({own[:12]}…) and llama.cpp's quantizer "
                f"({other[:12]}…).",
                "Use --method staged, and report this with the checkpoint's config.json.",
            )
        display.note(f"{level.level}: the fused pass and llama.cpp's quantizer give the same file, {own}.")
    if merged:
        merged.unlink()


def verify(path: Path, step: str, display: Display) -> Level:
    """Read a file back and hash it.

    Raises:
        ConversionError: it is not sound.
    """
    checked = run(
        Verify(str(path), CHUNK),
        lambda done, total, what: display.show(f"verify {step}", "bytes", done, total, what),
    )
    assert isinstance(checked, Verified)  # noqa: S101 - what the child answers to this job
    return Level(
        level=step,
        file=path.name,
        size_bytes=path.stat().st_size,
        sha256=checked.sha256,
        chunk_sha256=checked.chunk_sha256,
    )


def _importance(
    options: Options, blueprint: Blueprint, stage: Staging, ready: Path, display: Display
) -> Path | None:
    """The importance matrix: the given one, copied into the folder, or one computed on the text."""
    target = ready / _IMATRIX
    if options.imatrix:
        target.write_bytes(options.imatrix.read_bytes())
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


def _extra_disk(options: Options, blueprint: Blueprint, levels: list[LevelPlan]) -> int:
    """Bytes of what is needed on the way: the merged model, and the second copy of a proof."""
    merged = sum(math.prod(tensor.shape) for tensor in blueprint.tensors.values())
    merged *= 4 if blueprint.checkpoint.type == "F32" or options.float_sum else 2
    on_the_way = 0
    if options.calibrate or options.method == "staged" or options.prove:
        on_the_way += merged
    if options.prove:
        on_the_way += max((level.size_bytes for level in levels), default=0)
    return on_the_way


def _still_needed(options: Options, blueprint: Blueprint, levels: list[LevelPlan], ready: Path) -> int:
    sizes = sum(level.size_bytes for level in levels)
    paths = [ready / _file(blueprint, level.level) for level in levels]
    # A killed run's files have their whole size already, and on the disk only what was written.
    written = sum(512 * int(getattr(path.stat(), "st_blocks", 0)) for path in paths if path.is_file())
    return max(sizes - written, 0) + _extra_disk(options, blueprint, levels)


def _key(options: Options, blueprint: Blueprint) -> str:
    files = [blueprint.checkpoint.folder / "config.json", *blueprint.checkpoint.files]
    files += blueprint.adapter.files if blueprint.adapter else []
    files += [blueprint.vocabulary.folder / "tokenizer.json"]
    files += [path for path in (options.imatrix, options.calibrate, options.template) if path]
    settings = {
        "name": options.name,
        "version": options.version,
        "template": blueprint.vocabulary.template,
        "float_sum": str(options.float_sum),
        "calibrate": str(options.calibrate),
        "method": options.method,
    }
    return key_of(files, settings)


__all__ = ["Display", "Options", "convert", "estimate", "file_type", "prepare", "verify"]
