"""What this machine has, what llama.cpp finds on it, and which models it can run how fast."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from ophtimus_edge import __version__, locations, specialties
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Described, Device
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models import fit, gguf, hardware, probe, shapes, store, withdrawals
from ophtimus_edge.models.formats import ModelFolder, read_model_folder
from ophtimus_edge.text import sanitize

Origin = Literal["demonstration", "installed", "published"]


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong here, and what to do about it."""

    message: str
    hint: str


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A model at a level, and what it would be like here.

    Attributes:
        model: the name by which it is asked for, where it is installed; else as its makers call it.
        origin: ``published`` models are not on this machine; their sizes are expected ones.
        verdict: ``damaged`` where the file cannot be used at all, ``withdrawn`` where its maker took it back.
        reason: one sentence.
        cause: what is short here, as :class:`ophtimus_edge.models.fit.Judgement` has it.
        tokens_per_s: while writing; None where nothing could be measured.
        gpu_bytes: of the graphics card's memory.
    """

    model: str
    level: str
    origin: Origin
    file_bytes: int
    verdict: Literal["fits", "slow", "does not fit", "damaged", "withdrawn"]
    reason: str
    cause: fit.Cause = ""
    context: int = 0
    gpu_layers: int = 0
    memory_bytes: int = 0
    gpu_bytes: int = 0
    tokens_per_s: float | None = None


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ``ophtimus doctor`` says.

    Attributes:
        disk_bytes, disk_free_bytes: of the disk that the store of models lies on.
        speed: what was measured, None where it could not be.
        build, features, devices: what llama.cpp says of itself; empty where it does not start.
        protections: of the engine's process, by name: "on", or why it is off.
    """

    version: str
    machine: hardware.Machine
    disk_bytes: int
    disk_free_bytes: int
    speed: probe.Probe | None
    build: str
    features: str
    devices: list[Device]
    protections: dict[str, str]
    models: list[Candidate]
    problems: list[Problem]


async def examine(on_step: Callable[[str], None] = lambda _step: None) -> Examination:
    """Examine this machine; takes some seconds.

    What cannot be found out is among the problems, and the rest is there all the same.

    Args:
        on_step: told what is being looked at.
    """
    on_step("reading what this machine has")
    machine = await asyncio.to_thread(hardware.read_machine)
    problems: list[Problem] = []
    described: Described | None = None
    speed: probe.Probe | None = None
    if hardware.lacks_avx(machine):
        problems.append(
            Problem(
                "the processor has no AVX instructions, which the engine needs.",
                "Use a computer whose processor is of 2011 or later: Intel Sandy Bridge, AMD Bulldozer.",
            )
        )
    else:
        on_step("starting the engine")
        described = await _described(problems)
        on_step("measuring memory and arithmetic")
        speed = await _measured(machine, problems)
    if described and machine.gpu_build and not any(device.kind != "cpu" for device in described.devices):
        problems.append(
            Problem(
                "this llama.cpp can use a graphics card, and finds none.",
                "Install the card's driver, or a newer one; without it, everything runs on the processor.",
            )
        )
    disk = _disk(locations.models_folder())
    on_step("looking at the models")
    models = await asyncio.to_thread(lambda: list(_candidates(machine, speed, disk[1])))
    return Examination(
        version=__version__,
        machine=machine,
        disk_bytes=disk[0],
        disk_free_bytes=disk[1],
        speed=speed,
        build=described.build if described else "",
        features=described.features if described else "",
        devices=described.devices if described else [],
        protections=described.protections if described else {},
        models=models,
        problems=problems,
    )


async def _described(problems: list[Problem]) -> Described | None:
    try:
        async with Engine() as engine:
            return await engine.describe()
    except OphtimusError as error:
        problems.append(Problem(error.message, error.hint))
        return None


async def _measured(machine: hardware.Machine, problems: list[Problem]) -> probe.Probe | None:
    try:
        return await asyncio.to_thread(probe.run, machine, fit.computing_threads(machine))
    except probe.ProbeError as error:
        problems.append(Problem(error.message, error.hint))
        return None


def _disk(folder: Path) -> tuple[int, int]:
    """Bytes of the disk that a folder is, or would be, on, and those that are free."""
    there = next((place for place in (folder, *folder.parents) if place.is_dir()), Path.cwd())
    usage = shutil.disk_usage(there)
    return usage.total, usage.free


def _candidates(machine: hardware.Machine, speed: probe.Probe | None, disk_free: int) -> Iterator[Candidate]:
    here: set[str] = set()
    folders: list[tuple[str, Path, Origin]] = [("", locations.demo_folder(), "demonstration")]
    folders += [(name, folder, "installed") for name, folder in sorted(store.installed_folders().items())]
    for name, folder, origin in folders:
        try:
            description = read_model_folder(folder)
        except OphtimusError as error:
            yield _damaged(name, "", origin, error)
            continue
        here.add(description.name)
        yield from _of_folder(name or description.name, folder, description, origin, machine, speed)
    for published in specialties.catalog():
        if published.name in here:
            continue
        for level in shapes.LEVELS:
            header, size = shapes.expected_header(published.parameters, level)
            yield _candidate(published.name, level, "published", header, size, machine, speed, disk_free)


def _of_folder(
    name: str,
    folder: Path,
    description: ModelFolder,
    origin: Origin,
    machine: hardware.Machine,
    speed: probe.Probe | None,
) -> Iterator[Candidate]:
    for entry in description.levels:
        candidate = examine_file(folder / entry.file, name, entry.level, origin, machine, speed)
        if taken_back := withdrawals.of(entry.sha256):
            candidate = msgspec.structs.replace(candidate, verdict="withdrawn", reason=taken_back.why("en"))
        yield candidate


def examine_file(
    path: Path,
    model: str,
    level: str,
    origin: Origin,
    machine: hardware.Machine,
    speed: probe.Probe | None,
    check: Callable[[Path], gguf.Header] = gguf.check,
) -> Candidate:
    """What a model file that is here would be like.

    Args:
        speed: None where nothing was measured; then no speed is predicted.
        check: reads the header; for whoever keeps the headers that were read before.
    """
    model, level = sanitize(model), sanitize(level)
    try:
        header = check(path)
        size = path.stat().st_size
    except (OphtimusError, OSError) as error:
        return _damaged(model, level, origin, error)
    return _candidate(model, level, origin, header, size, machine, speed, None)


def _damaged(name: str, level: str, origin: Origin, error: Exception) -> Candidate:
    message = error.message if isinstance(error, OphtimusError) else "its file cannot be read."
    return Candidate(
        model=sanitize(name),
        level=sanitize(level),
        origin=origin,
        file_bytes=0,
        verdict="damaged",
        reason=sanitize(message),
    )


def _candidate(
    name: str,
    level: str,
    origin: Origin,
    header: gguf.Header,
    size: int,
    machine: hardware.Machine,
    speed: probe.Probe | None,
    disk_free: int | None,
) -> Candidate:
    settings = fit.choose_settings(header, size, machine)
    need = fit.predict_memory(header, size, settings.context, settings.gpu_layers, machine)
    memory = fit.memory_of(header, settings.context, settings.gpu_layers, machine)
    rate = fit.predict_speed(header, size, machine, speed, settings.gpu_layers) if speed else None
    judgement = fit.judge(need, rate, machine, size, disk_free)
    return Candidate(
        model=name,
        level=level,
        origin=origin,
        file_bytes=size,
        verdict=judgement.verdict,
        reason=judgement.reason,
        cause=judgement.cause,
        context=settings.context,
        gpu_layers=settings.gpu_layers,
        memory_bytes=need,
        gpu_bytes=memory.gpu_weights + memory.gpu_other,
        tokens_per_s=rate,
    )
