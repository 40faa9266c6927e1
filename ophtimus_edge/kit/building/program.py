"""The program's own wheel: built from its source, or made again from an installation, file by file.

A developer has a clone, in which the program runs as it stands there, or an installation. Either gives the same
wheel whenever it is made: hatchling names no moment and no machine in it, nor does what is made from RECORD.
"""

import importlib.metadata
import importlib.util
import tempfile
import tomllib
from pathlib import Path, PurePosixPath

from packaging.version import Version

import ophtimus_edge
from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building.pip import run_pip
from ophtimus_edge.kit.building.targets import Target
from ophtimus_edge.kit.building.watching import Watcher
from ophtimus_edge.kit.building.wheel_files import Wheel, check_whole, read_wheel, record_hash, write_wheel
from ophtimus_edge.kit.building.wheels import PROGRAM, Pins

_BACKEND = "hatchling"
_EPOCH = "1580601600"  # 2 February 2020, what hatchling itself dates its files with
# What an installer adds to what was in the wheel.
_OF_INSTALLERS = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "RECORD", "provenance_url.json"})
_NAME_A_WHEEL = "Name its wheel with --program-wheel PATH, as pip wheel --no-deps makes it from the source."


def source_tree() -> Path | None:
    """The clone that this program runs from; None where it is installed."""
    root = Path(ophtimus_edge.__file__).resolve().parent.parent
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None
    return root if project.get("project", {}).get("name") == PROGRAM else None


def program_wheel(folder: Path, pins: Pins, offline: bool, watcher: Watcher) -> Wheel:
    """Make the wheel of the program that is running.

    Args:
        folder: of the cache; the wheel lies in it afterwards, and what builds it stays there.

    Raises:
        KitBuildError: what is installed was changed, or the source cannot be built.
    """
    watcher.step("making the program's own wheel")
    folder.mkdir(parents=True, exist_ok=True)
    root = source_tree()
    wheel = _from_installation(folder) if root is None else _from_source(root, folder, pins, offline, watcher)
    check_whole(wheel)
    return wheel


def _from_source(root: Path, folder: Path, pins: Pins, offline: bool, watcher: Watcher) -> Wheel:
    options = ["--no-build-isolation"]
    if not _has_backend(pins):
        options = ["--no-index", "--find-links", str(_backend(folder, pins, offline, watcher))]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as out:
        run_pip(
            ["wheel", "--no-deps", "--wheel-dir", out, *options, str(root)],
            {"SOURCE_DATE_EPOCH": _EPOCH, "PIP_NO_CACHE_DIR": "1"},
        )
        (built,) = Path(out).glob("*.whl")
        target = folder / built.name
        built.replace(target)
    return read_wheel(target)


def _has_backend(pins: Pins) -> bool:
    """Whether the pinned hatchling is installed beside the program: it is in the [dev] extra."""
    try:
        return Version(importlib.metadata.version(_BACKEND)) == pins.get(_BACKEND)
    except importlib.metadata.PackageNotFoundError:
        return False


def _backend(folder: Path, pins: Pins, offline: bool, watcher: Watcher) -> Path:
    """The folder with hatchling and what it needs, fetched once."""
    if _BACKEND not in pins:
        raise KitBuildError(f"constraints.txt pins no version of {_BACKEND}.", _NAME_A_WHEEL)
    place = folder / f"{_BACKEND}-{pins[_BACKEND]}"
    if not place.is_dir():
        if offline:
            raise KitBuildError(
                f"the cache has no {_BACKEND}, which the program's wheel is built with.",
                "Build once with a network, or name the wheel with --program-wheel PATH.",
            )
        watcher.step(f"fetching {_BACKEND}")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as part:
            pinned = Path(part) / "pins.txt"
            pinned.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), "utf-8")
            wheels = Path(part) / "wheels"
            run_pip(
                [
                    "download",
                    "--only-binary",
                    ":all:",
                    "--dest",
                    str(wheels),
                    "--constraint",
                    str(pinned),
                    _BACKEND,
                ],
            )
            wheels.replace(place)
    return place


def _from_installation(folder: Path) -> Wheel:
    """The wheel that an installation was made of."""
    try:
        found = importlib.metadata.distribution(PROGRAM)
    except importlib.metadata.PackageNotFoundError as error:
        raise KitBuildError("it is not known how this program was installed.", _NAME_A_WHEEL) from error
    files: dict[str, bytes] = {}
    info = ""
    for file in found.files or []:
        path = PurePosixPath(file)
        if path.parts[0].endswith(".dist-info"):
            info = path.parts[0]
            if path.name in _OF_INSTALLERS and len(path.parts) == 2:
                continue
        if ".." in path.parts or path.suffix == ".pyc":  # commands, which installers make; compiled files
            continue
        try:
            data = Path(str(found.locate_file(file))).read_bytes()
        except OSError as error:
            raise KitBuildError(
                f"the installed file {file} cannot be read: {error.strerror or error}.", _NAME_A_WHEEL
            ) from error
        if file.hash is None or f"{file.hash.mode}={file.hash.value}" != record_hash(data):
            raise KitBuildError(
                f"the installed file {file} was changed since it was installed.",
                f"Install the program again. {_NAME_A_WHEEL}",
            )
        files[str(path)] = data
    here = Path(ophtimus_edge.__file__).resolve()
    if not info or Path(str(found.locate_file("ophtimus_edge/__init__.py"))).resolve() != here:
        raise KitBuildError("the program that is running is not the one that is installed.", _NAME_A_WHEEL)
    target = folder / f"{info.removesuffix('.dist-info')}-py3-none-any.whl"
    write_wheel(target, files, info)
    return read_wheel(target)


def check_program(wheel: Wheel, targets: list[Target]) -> None:
    """Refuse a wheel that is not the program's, or does not run on a machine that the kit is for.

    Raises:
        KitBuildError: it is another package's.
    """
    if wheel.name != PROGRAM:
        raise KitBuildError(f"{wheel.path} is not the wheel of {PROGRAM}.", "Name the program's own.")
    for target in targets:
        if target.rank(wheel.tags) is None:
            raise KitBuildError(f"{wheel.path} does not run on {target}.", "Name the program's own.")
    check_whole(wheel)
