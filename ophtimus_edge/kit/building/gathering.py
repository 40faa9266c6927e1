"""Everything that goes into a kit, checked and brought onto this disk before anything is written.

What can be said at once is said at once: a licence that is missing must not come up after ten minutes of building.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building import models, program, proving, withdrawing
from ophtimus_edge.kit.building.models import ChosenFolder
from ophtimus_edge.kit.building.order import KitOrder, checked_name
from ophtimus_edge.kit.building.portable import has_variants, portable_wheel
from ophtimus_edge.kit.building.reports import match_reports
from ophtimus_edge.kit.building.runtimes import Runtime, read_runtime
from ophtimus_edge.kit.building.targets import Target, checked_python
from ophtimus_edge.kit.building.watching import Watcher
from ophtimus_edge.kit.building.wheel_files import Wheel, read_wheel
from ophtimus_edge.kit.building.wheels import LLAMA, PROGRAM, Shelf, collect, read_pins
from ophtimus_edge.kit.manifest import Platform, Withdrawn, version_number

ROOTS = (f"{PROGRAM}[tui]",)  # what a clinic runs: the program with its app
# Whose libraries llama.cpp asks for on NVIDIA's cards. They are not in constraints.txt, since torch pins its own.
_CUDA = {"nvidia-cublas": "13.1.2.11", "nvidia-cuda-runtime": "13.0.96"}
_CUDA_TOO = {"nvidia-cuda-nvrtc": "13.0.88"}  # which cuBLAS requires


@dataclass(frozen=True)
class Gathered:
    """Everything that goes into a kit, checked and lying on this disk."""

    models: list[ChosenFolder]
    reports: Mapping[str, Path]
    withdrawn: list[Withdrawn]
    runtimes: Mapping[Platform, Runtime]
    program: Wheel
    wheels: Mapping[Platform, Mapping[str, list[Wheel]]]  # by platform, then by Python

    def all_wheels(self) -> list[Wheel]:
        """Each wheel once."""
        every = {wheel.path: wheel for sets in self.wheels.values() for one in sets.values() for wheel in one}
        return [every[path] for path in sorted(every)]


def gather(order: KitOrder, trusted: Collection[bytes], watcher: Watcher) -> Gathered:
    """Check what was named, then have all wheels here.

    Args:
        trusted: the keys that may have signed the kit before.

    Raises:
        KitBuildError: something is missing or does not suit.
        OphtimusError: a model or the earlier kit is damaged; the subclass says what.
    """
    checked_name(order.name)
    version_number(order.version)
    runtimes = _runtimes(order)
    targets = _targets(order, runtimes)
    previous = None
    if order.previous is not None:
        previous = withdrawing.read_previous(order.previous, order.name, order.version, trusted)
    withdrawn = withdrawing.read_withdrawn(order.withdraw, order.withdrawn_files, previous)
    chosen = [models.choose(folder, order.levels, withdrawn) for folder in order.models]
    _check_apart(chosen)
    for model in chosen:
        for name in model.left_behind:
            watcher.note(f"left behind, since {model.name}'s model.json does not list it: {name}")
    reports = match_reports(order.reports, chosen)
    for package, path in order.licences.items():
        if not path.is_file():
            raise KitBuildError(f"there is no licence text {path} of {package}.", "Check the path.")
    pins = pins_of(order)
    if order.accelerator:
        pins = {name: Version(version) for name, version in (_CUDA | _CUDA_TOO).items()} | pins
    given = [read_wheel(path) for path in order.wheels]
    shelf = Shelf(order.cache / "wheels", pins, given, order.offline, watcher)
    _check_llama(order, shelf, targets)
    wheel = read_wheel(order.program_wheel) if order.program_wheel else None
    if wheel is None:
        wheel = program.program_wheel(order.cache / "program", pins, order.offline, watcher)
    program.check_program(wheel, targets)
    shelf.given.append(wheel)
    built = None
    linux = [target for target in targets if target.platform == "linux-x86_64"]
    if any(not any(_is_llama_for(one, target) for one in given) for target in linux):
        if LLAMA not in pins:
            raise KitBuildError(f"constraints.txt pins no version of {LLAMA}.", f"Pin it: {LLAMA}==VERSION.")
        built = portable_wheel(
            order.cache / "portable", pins[LLAMA], order.accelerator, order.offline, watcher
        )
        shelf.given.append(built)
    roots = [Requirement(root) for root in ROOTS]
    wheels: dict[Platform, dict[str, list[Wheel]]] = {}
    for target in targets:
        more = (
            [Requirement(name) for name in _CUDA]
            if order.accelerator and target.platform == "linux-x86_64"
            else []
        )
        wheels.setdefault(target.platform, {})[target.python] = collect(shelf, target, [*roots, *more])
    if built is not None:
        proving.prove(built, shelf, roots, watcher)
    return Gathered(chosen, reports, withdrawn, runtimes, wheel, wheels)


def _runtimes(order: KitOrder) -> dict[Platform, Runtime]:
    runtimes: dict[Platform, Runtime] = {}
    for path in order.archives:
        runtime = read_runtime(path)
        if runtime.platform not in order.platforms:
            raise KitBuildError(
                f"{path} is a Python for {runtime.platform}, which the kit is not for.",
                f"Add --platform {runtime.platform}, or leave the archive out.",
            )
        if runtime.platform in runtimes:
            raise KitBuildError(f"two archives are a Python for {runtime.platform}.", "Name one of them.")
        runtimes[runtime.platform] = runtime
    if "win_amd64" in order.platforms and "win_amd64" not in runtimes:
        raise KitBuildError(
            "a kit for Windows needs a Python of its own, since clinics' computers have none.",
            "Name a relocatable one for Windows: --python-archive PATH (docs/kits.md says where from).",
        )
    return runtimes


def _targets(order: KitOrder, runtimes: Mapping[Platform, Runtime]) -> list[Target]:
    if not order.platforms:
        raise KitBuildError("the kit is for no platform.", "Name one: --platform linux-x86_64.")
    targets = []
    for platform in dict.fromkeys(order.platforms):
        own = runtimes.get(platform)
        versions = [own.python] if own else sorted({*order.pythons}, key=lambda one: (len(one), one))
        targets += [Target(platform, checked_python(version)) for version in versions]
    if order.accelerator and "linux-x86_64" not in order.platforms:
        raise KitBuildError(
            "llama.cpp is built for NVIDIA's cards on Linux only.",
            "Leave --accelerator out, and name a wheel for Windows with --wheel PATH.",
        )
    return targets


def _check_apart(chosen: Sequence[ChosenFolder]) -> None:
    seen = set[str]()
    for model in chosen:
        if model.name.casefold() in seen:
            raise KitBuildError(
                f"two of the model folders are named {model.name}.", "Convert one again with another --name."
            )
        seen.add(model.name.casefold())


def pins_of(order: KitOrder) -> dict[str, Version]:
    """The exact versions that the kit is built with.

    Raises:
        KitBuildError: they cannot be read.
    """
    path = order.constraints
    if path is None and (root := program.source_tree()):
        path = root / "constraints.txt"
    try:
        if path is not None:
            return read_pins(path.read_text("utf-8"), str(path))
        packed = resources.files("ophtimus_edge.kit.building").joinpath("constraints.txt")
        return read_pins(packed.read_text("utf-8"), "constraints.txt")
    except (OSError, UnicodeDecodeError) as error:
        raise KitBuildError(
            f"{path or 'constraints.txt'} cannot be read: {error}.",
            "Name the file of exact versions with --constraints PATH; it is in the project's folder.",
        ) from error


def _is_llama_for(wheel: Wheel, target: Target) -> bool:
    return wheel.name == LLAMA and target.rank(wheel.tags, given=True) is not None


def _check_llama(order: KitOrder, shelf: Shelf, targets: Sequence[Target]) -> None:
    """Refuse at once what would be missing in the end, and a wheel that runs on its maker's computer only."""
    for target in targets:
        given = [wheel for wheel in shelf.given if _is_llama_for(wheel, target)]
        if target.platform == "win_amd64" and not given:
            raise KitBuildError(
                f"a kit for Windows needs a wheel of {LLAMA} for it, which can be built there only.",
                "Build it on Windows (docs/kits.md) and name it with --wheel PATH.",
            )
        for wheel in given:
            if not has_variants(wheel):
                if target.platform == "linux-x86_64":
                    raise KitBuildError(
                        f"{wheel.path.name} holds llama.cpp for one kind of processor only.",
                        "Leave it out, and the kit builds one for all of them.",
                    )
                shelf.watcher.note(
                    f"{wheel.path.name} holds llama.cpp for one kind of processor; older ones may not run it."
                )
