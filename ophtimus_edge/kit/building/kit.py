"""A kit from what it is ordered of to its signature: staged in a folder beside its place, and renamed at the end.

The same order, with the same cache, gives the same manifest. A build that was stopped leaves its folder
``.NAME.part``; the next one takes what is in it where it is the same, and puts right what is not.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ophtimus_edge import __version__, locations
from ophtimus_edge.errors import KitBuildError, OphtimusError
from ophtimus_edge.history.migrations import MIGRATIONS
from ophtimus_edge.kit import keys, signature, verifying
from ophtimus_edge.kit.building import models, sheets
from ophtimus_edge.kit.building.gathering import Gathered, gather
from ophtimus_edge.kit.building.licences import add_licences
from ophtimus_edge.kit.building.models import ChosenFolder, add_model
from ophtimus_edge.kit.building.order import SPLIT_AUTOMATICALLY, KitOrder
from ophtimus_edge.kit.building.pieces import Stage
from ophtimus_edge.kit.building.reports import add_report
from ophtimus_edge.kit.building.targets import glibc_of
from ophtimus_edge.kit.building.watching import Watcher
from ophtimus_edge.kit.building.wheels import requirements_text
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.manifest import (
    MANIFEST,
    SIGNATURE,
    KitModel,
    KitPlatform,
    Manifest,
    Platform,
    read_manifest,
)
from ophtimus_edge.kit.signature import Succession
from ophtimus_edge.locations import staged, sync_folder
from ophtimus_edge.models.formats import encode

PART = ".part"
KEPT = "What was done is kept; run the same command to go on."
_ROOM = 16 << 20  # for what is written beside wheels and models
_UNPACKED = 4  # how much larger wheels are once they are installed and compiled, about


@dataclass(frozen=True)
class Built:
    """A kit that is done.

    Attributes:
        sheets: the files for paper, which lie beside the kit and must not go onto the stick.
    """

    folder: Path
    manifest: Manifest
    manifest_sha256: str
    signed_by: bytes
    sheets: list[Path]

    @property
    def size_bytes(self) -> int:
        """Of all its files but its own two."""
        return sum(file.size_bytes for file in self.manifest.files)


def build(order: KitOrder, key: SigningKey, succession: list[Succession], watcher: Watcher) -> Built:
    """Build and sign a kit.

    Raises:
        KitBuildError: something that was named is missing, does not suit, or cannot be written.
        OphtimusError: a model, a key or the earlier kit is damaged; the subclass says what.
    """
    out = order.out.expanduser().absolute()
    _check_out(out)
    try:
        with _held(out, order.cache):
            gathered = gather(order, {key.public, *(link.old_key for link in succession)}, watcher)
            return _assemble(order, gathered, out, key, succession, watcher)
    except OSError as error:
        raise KitBuildError(
            f"{error.filename or out} cannot be written: {error.strerror or error}.",
            f"Free some space, or check that you may write there. {KEPT}",
        ) from error


def _check_out(out: Path) -> None:
    if os.path.lexists(out):
        raise KitBuildError(f"{out} is there already.", "Name a new folder; a kit is never written over.")
    if not out.parent.is_dir():
        raise KitBuildError(f"there is no folder {out.parent} to build the kit in.", "Make it first.")


def _assemble(
    order: KitOrder,
    gathered: Gathered,
    out: Path,
    key: SigningKey,
    succession: list[Succession],
    watcher: Watcher,
) -> Built:
    part = out.with_name(f".{out.name}{PART}")
    wheel_bytes = sum(wheel.path.stat().st_size for wheel in gathered.all_wheels())
    total = wheel_bytes + sum(model.size_bytes for model in gathered.models)
    total += sum(runtime.path.stat().st_size for runtime in gathered.runtimes.values())
    _check_space(part, total)
    part.mkdir(exist_ok=True)
    watcher.step("writing the kit")
    done = 0

    def told(count: int, file: str) -> None:
        nonlocal done
        done += count
        watcher.progress(min(done, total), total, file)

    stage = Stage(part, told)
    platforms = [_add_platform(stage, order, gathered, platform) for platform in sorted(gathered.wheels)]
    in_kit = _add_models(stage, order, gathered, out, watcher)
    add_licences(stage, gathered.all_wheels(), order.licences)
    _add_pages(stage, order, gathered, platforms, total + wheel_bytes * _UNPACKED)
    own = str(gathered.program.version) == __version__  # of another release's histories nothing is known here
    manifest = Manifest(
        name=order.name,
        version=order.version,
        program=str(gathered.program.version),
        files=stage.files,
        platforms=platforms,
        models=in_kit,
        default_model=in_kit[0].name if in_kit else "",
        withdrawn=gathered.withdrawn,
        history_schema=len(MIGRATIONS) if own else 0,
        history_compatible_from=max(step.compatible_from for step in MIGRATIONS) if own else 0,
    )
    data = encode(manifest)
    read_manifest(data, MANIFEST)  # what a clinic would refuse is not signed
    _sign(stage, data, key, succession)
    watcher.step("reading the whole kit again")
    with _explained():
        verifying.verify(part, key.public, lambda read, of: watcher.progress(read, of, ""))
    sha256 = hashlib.sha256(data).hexdigest()
    papers = _write_papers(out, order, key, sha256)  # first: a kit that is there has its sheets
    part.rename(out)
    sync_folder(out.parent)
    return Built(out, manifest, sha256, key.public, papers)


def _check_space(part: Path, total: int) -> None:
    """Refuse, before anything is written, what the disk cannot hold."""
    there = sum(path.lstat().st_size for path in part.rglob("*") if path.is_file()) if part.is_dir() else 0
    need = max(total - there, 0) + _ROOM
    free = shutil.disk_usage(part.parent).free
    if free < need:
        raise KitBuildError(
            f"the kit needs {need / 2**20:.0f} MiB more, and the disk of {part.parent} has "
            f"{free / 2**20:.0f} MiB free.",
            "Free some space, or name a folder on another disk with --out.",
        )


def _add_platform(stage: Stage, order: KitOrder, gathered: Gathered, platform: Platform) -> KitPlatform:
    sets = gathered.wheels[platform]
    wheels = {wheel.path.name: wheel for one in sets.values() for wheel in one}
    for name, wheel in sorted(wheels.items()):
        stage.copy(wheel.path, f"wheels/{platform}/{name}")
    requirements = f"requirements-{platform}.txt"
    stage.write(requirements, requirements_text(sets).encode("utf-8"))
    archive = ""
    if runtime := gathered.runtimes.get(platform):
        archive = f"runtime/{platform}{runtime.suffix}"
        stage.copy(runtime.path, archive)
    glibcs = [glibc for wheel in wheels.values() if (glibc := glibc_of(wheel.tags)) is not None]
    return KitPlatform(
        platform=platform,
        pythons=list(sets),
        requirements=requirements,
        runtime=archive,
        glibc=f"2.{max(glibcs, default=17)}" if platform == "linux-x86_64" else "",
        accelerator=order.accelerator if platform == "linux-x86_64" else "",
    )


def _add_models(
    stage: Stage, order: KitOrder, gathered: Gathered, out: Path, watcher: Watcher
) -> list[KitModel]:
    limit = order.split_bytes
    if limit == SPLIT_AUTOMATICALLY:
        limit = models.limit_of(out.parent)
    part_bytes = models.part_bytes(limit) if limit else 0
    added = []
    for model in gathered.models:
        folder = gathered.reports.get(model.name)
        report = add_report(stage, folder, model.name) if folder else ""
        added.append(add_model(stage, model, part_bytes, report))
        longest = max(file.size_bytes for file in stage.files)
        if not limit and longest >= models.FAT_LIMIT:
            watcher.note(
                f"a file of {model.name} has {longest / 2**30:.1f} GiB, which a stick with FAT32 cannot hold: "
                "format it with exFAT, or build with --split 4GiB."
            )
    return added


def _add_pages(
    stage: Stage, order: KitOrder, gathered: Gathered, platforms: Sequence[KitPlatform], installed_bytes: int
) -> None:
    linux = next((one for one in platforms if one.platform == "linux-x86_64"), None)
    facts = sheets.Facts(
        name=order.name,
        version=order.version,
        models=[_spoken(model) for model in gathered.models],
        size_bytes=installed_bytes,
        linux=linux is not None,
        windows=any(one.platform == "win_amd64" for one in platforms),
        pythons=linux.pythons if linux and not linux.runtime else [],
        glibc=linux.glibc if linux else "",
        demonstration=not gathered.models
        or any(model.description.demonstration for model in gathered.models),
    )
    for name, data in sheets.clinic_sheets(facts).items():
        stage.write(name, data)
    installers = resources.files("ophtimus_edge.kit.installing")
    wanted = (("install.sh", linux is not None), ("install.cmd", facts.windows))
    for name in (name for name, is_wanted in wanted if is_wanted):
        data = installers.joinpath(name).read_bytes()
        if name.endswith(
            ".cmd"
        ):  # Windows' own interpreter finds labels only in files with its own line ends
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        stage.write(name, data, executable=True)


def _spoken(model: ChosenFolder) -> str:
    levels = ", ".join(level.level for level in model.description.levels)
    return f"{model.name} {model.description.version} ({levels})"


def _sign(stage: Stage, manifest: bytes, key: SigningKey, succession: list[Succession]) -> None:
    """Write the manifest and, last of all, its signature."""
    (stage.folder / SIGNATURE).unlink(missing_ok=True)
    stage.clear({MANIFEST})
    signed = signature.sign(manifest, key, succession)
    for name, data in ((MANIFEST, manifest), (SIGNATURE, signed)):
        with staged(stage.folder / name) as part:
            part.write_bytes(data)
        (stage.folder / name).chmod(0o644)
    for folder, _names, _files in os.walk(stage.folder):
        sync_folder(Path(folder))


def _write_papers(out: Path, order: KitOrder, key: SigningKey, sha256: str) -> list[Path]:
    written = []
    papers = sheets.paper_sheets(
        order.name, order.version, keys.fingerprint(key.public), keys.in_groups(sha256)
    )
    for suffix, data in papers.items():
        path = out.with_name(f"{out.name}-fingerprint{suffix}")
        with staged(path) as part:
            part.write_bytes(data)
        written.append(path)
    return written


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """A kit that is not what was just written means a disk that does not keep what it is given."""
    try:
        yield
    except OphtimusError as error:
        raise KitBuildError(
            f"the kit is not on the disk as it was written: {error.message}",
            "Build it on another disk or stick; nothing was put in its place.",
        ) from error


def _held(out: Path, cache: Path) -> AbstractContextManager[None]:
    """Keep a second build out of the same folder."""
    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(os.fsencode(out)).hexdigest()[:32]
    taken = KitBuildError(f"{out} is being built by another program.", "Wait for its end.")
    return locations.held(locks / f"{name}.lock", taken)
