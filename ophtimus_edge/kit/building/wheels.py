"""Which wheels a clinic's machine needs, and having them here.

Every version is the one that constraints.txt pins, so nothing is left for a resolver to choose: from the program's
own requirements on, each one that holds on the machine is followed to its wheel and to what that requires in turn.
pip fetches; its own resolver would read the conditions as of the machine that it runs on.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building.pip import run_pip
from ophtimus_edge.kit.building.targets import Target
from ophtimus_edge.kit.building.watching import Watcher
from ophtimus_edge.kit.building.wheel_files import Wheel, check_whole, read_wheel
from ophtimus_edge.models.digests import file_sha256

LLAMA = "llama-cpp-python"
PROGRAM = "ophtimus-edge"
_NEVER = frozenset({"torch", "transformers"})  # gigabytes that answering has no use for

Pins = Mapping[str, Version]


@dataclass
class Shelf:
    """Where wheels come from.

    Attributes:
        pool: the folder of the cache that fetched wheels stay in.
        pins: the exact version of each package.
        given: wheels that are named or built, which go before those of the pool.
        offline: fetch nothing from an index; folders that pip's own settings name are used.
        checked: the wheels that were compared with their RECORD.
    """

    pool: Path
    pins: Pins
    given: list[Wheel]
    offline: bool
    watcher: Watcher
    checked: set[Path] = field(default_factory=set)


def read_pins(text: str, origin: str) -> dict[str, Version]:
    """The versions of a constraints file, by package.

    Raises:
        KitBuildError: a line of it pins no exact version.
    """
    pins: dict[str, Version] = {}
    for line in text.splitlines():
        if not (line := line.split("#")[0].strip()):
            continue
        try:
            requirement = Requirement(line)
            (pin,) = requirement.specifier
            if pin.operator != "==":
                raise InvalidRequirement
            pins[canonicalize_name(requirement.name)] = Version(pin.version)
        except (InvalidRequirement, InvalidVersion, ValueError) as error:
            raise KitBuildError(
                f"{origin} pins no exact version in the line {line!r}.", "A line is NAME==VERSION."
            ) from error
    return pins


def collect(shelf: Shelf, target: Target, roots: Iterable[Requirement]) -> list[Wheel]:
    """All wheels that some packages need on a machine, fetched where they are not here yet.

    Returns:
        The wheels, by package name; each is whole by its own RECORD.

    Raises:
        KitBuildError: a package is not pinned, may not be in a kit, or cannot be had.
    """
    extras: dict[str, frozenset[str]] = {}
    wheels: dict[str, Wheel] = {}
    todo = list(roots)
    while todo:
        grown = set[str]()
        for requirement in todo:
            _check_wanted(shelf, requirement)
            name = canonicalize_name(requirement.name)
            wanted = extras.get(name, frozenset()) | requirement.extras
            if name not in extras or wanted != extras[name]:
                extras[name] = wanted
                grown.add(name)
        wheels |= _have(shelf, target, [name for name in sorted(grown) if name not in wheels])
        for requirement in todo:
            wheel = wheels[canonicalize_name(requirement.name)]
            if not requirement.specifier.contains(wheel.version, prereleases=True):
                raise KitBuildError(
                    f"{wheel.name} {wheel.version} is not what is required of it: {requirement}.",
                    "Name a wheel, or pin a version in constraints.txt, that suits.",
                )
        todo = [
            requirement
            for name in sorted(grown)
            for requirement in wheels[name].requirements()
            if target.applies(requirement, extras[name])
        ]
    return [wheels[name] for name in sorted(wheels)]


def _check_wanted(shelf: Shelf, requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    if name in _NEVER:
        raise KitBuildError(
            f"the program requires {name}, which no kit holds.", "Leave the extras out that need it."
        )
    if name not in shelf.pins and not any(wheel.name == name for wheel in shelf.given):
        raise KitBuildError(
            f"constraints.txt pins no version of {name}.",
            f"Pin it, so that every kit holds the same: {name}==VERSION.",
        )


def _have(shelf: Shelf, target: Target, names: list[str]) -> dict[str, Wheel]:
    """The wheels of some packages: given ones, else those of the pool, else fetched ones."""
    found = {name: _here(shelf, target, name) for name in names}
    missing = [name for name, wheel in found.items() if wheel is None]
    if missing:
        _fetch(shelf, target, missing)
        found |= {name: _here(shelf, target, name) for name in missing}
    wheels = {}
    for name, wheel in found.items():
        if wheel is None:
            raise KitBuildError(
                f"pip fetched no wheel of {name} {shelf.pins[name]} for {target}.",
                "Name one with --wheel PATH.",
            )
        if wheel.path not in shelf.checked:
            check_whole(wheel)
            shelf.checked.add(wheel.path)
        wheels[name] = wheel
    return wheels


def _here(shelf: Shelf, target: Target, name: str) -> Wheel | None:
    given = [wheel for wheel in shelf.given if wheel.name == name]
    if wheel := _best(given, target, given=True):
        return wheel
    if name == LLAMA:
        raise KitBuildError(
            f"there is no wheel of {LLAMA} for {target}, and it is published as a source only.",
            "Build it on such a machine (docs/kits.md) and name it with --wheel PATH.",
        )
    if name not in shelf.pins:
        raise KitBuildError(
            f"{given[0].path.name} does not run on {target}.", "Name its wheel for that machine too."
        )
    pool = [read_wheel(path) for path in sorted(shelf.pool.glob("*.whl"))]
    return _best([one for one in pool if one.name == name and one.version == shelf.pins[name]], target)


def _best(wheels: list[Wheel], target: Target, given: bool = False) -> Wheel | None:
    ranked = [(rank, wheel) for wheel in wheels if (rank := target.rank(wheel.tags, given)) is not None]
    return min(ranked, key=lambda pair: pair[0], default=(0, None))[1]


def _fetch(shelf: Shelf, target: Target, names: list[str]) -> None:
    shelf.watcher.step(f"fetching {len(names)} wheels for {target}")
    shelf.pool.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shelf.pool, prefix=".fetching-") as folder:
        index = ["--no-index"] if shelf.offline else []
        wanted = [f"{name}=={shelf.pins[name]}" for name in names]
        try:
            run_pip(
                ["download", "--no-deps", "--dest", folder, *index, *target.pip_options(), *wanted],
            )
        except KitBuildError as error:
            if not shelf.offline:
                raise
            raise KitBuildError(
                f"the cache has no wheels of {', '.join(wanted)} for {target}.",
                "Build once with a network; after that --offline has all it needs.",
            ) from error
        for path in sorted(Path(folder).glob("*.whl")):
            path.replace(shelf.pool / path.name)  # whole: pip compared it with the index's hash


def requirements_text(sets: Mapping[str, list[Wheel]]) -> str:
    """The requirements file of a platform: exact versions, every wheel's hash, and nothing to be resolved.

    Args:
        sets: the wheels by the version of Python that they are for.
    """
    pythons = sorted(sets, key=lambda python: int(python.partition(".")[2]))
    versions: dict[tuple[str, str], set[str]] = {}
    hashes: dict[tuple[str, str], set[str]] = {}
    for python in pythons:
        for wheel in sets[python]:
            key = wheel.name, str(wheel.version)
            versions.setdefault(key, set()).add(python)
            hashes.setdefault(key, set()).add(file_sha256(wheel.path))
    lines = [
        "# Exact versions with the hashes of their wheels: pip install --no-index --no-deps --require-hashes."
    ]
    for (name, version), of in sorted(versions.items()):
        only = " or ".join(f'python_version == "{python}"' for python in pythons if python in of)
        marker = "" if len(of) == len(pythons) else f" ; {only}"
        lines.append(f"{name}=={version}{marker} \\")
        known = sorted(hashes[name, version])
        lines += [f"    --hash=sha256:{one}{'' if one == known[-1] else ' ' + chr(92)}" for one in known]
    return "\n".join(lines) + "\n"
