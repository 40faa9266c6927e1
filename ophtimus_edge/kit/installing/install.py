"""From a kit on a stick to the program that runs: checked, copied, tried, and only then switched to.

Until the switch the version before runs as it did, whatever happens; what is done is kept, and the same command goes
on. A kit that is installed already is only switched to.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from ophtimus_edge import locations
from ophtimus_edge.errors import HistoryError, KitError, KitInstallError
from ophtimus_edge.kit.installing import environment, histories, launchers, machine, proving, running
from ophtimus_edge.kit.installing import transfer as transfers
from ophtimus_edge.kit.installing import versions as layout
from ophtimus_edge.kit.installing.first import UNPACKED
from ophtimus_edge.kit.installing.following import settled, switched
from ophtimus_edge.kit.installing.running import Running
from ophtimus_edge.kit.manifest import MANIFEST, KitPlatform
from ophtimus_edge.kit.state import KitState, installed, read_state, write_state
from ophtimus_edge.kit.succeeding import check_follows
from ophtimus_edge.kit.verifying import Signed, Verified, read_signed, verify_files

Step = Literal["verify", "packages", "copy", "try", "remove"]
_ROOM = 16 << 20  # for what is written beside the files
_MIB = 2**20


class Company(Protocol):
    """Who is there while a kit is installed: a person at a terminal, or nobody."""

    def show(self, step: Step, done: int, total: int, what: str) -> None:
        """How far a step is: bytes for ``verify`` and ``copy``, wheels for ``packages``, parts for ``remove``."""

    def accepts(self, kit: Signed) -> bool:
        """Whether to install a kit that no key vouches for here, its manifest's SHA-256 compared with paper."""

    def closes(self, programs: list[Running]) -> bool:
        """Ask to close programs; whether to look again."""


class Installed(NamedTuple):
    """What an installation came to.

    Attributes:
        before: the version that ran until now, "" for none.
        already: whether this kit ran already.
        from_kit, linked: bytes that were read from the stick, and those that both versions have together.
        kept: the copy of the histories of before, None where none is needed.
    """

    name: str
    version: str
    before: str
    already: bool
    from_kit: int
    linked: int
    kept: Path | None
    launcher: Path


def install(
    folder: Path, root: Path, company: Company, *, compared: str = "", replace: bool = False
) -> Installed:
    """Install a kit, or update to it.

    Args:
        folder: the kit.
        root: where it is installed.
        compared: the manifest's SHA-256 that a person has compared with paper already.
        replace: take a kit of another name than the one that is installed, too.

    Raises:
        KitError: the kit is not whole, or may not follow what is installed.
        KitInstallError: it cannot be installed here; what ran before still runs.
    """
    with held(root):
        state = settled(root, read_state(root))
        kit = read_signed(folder, state.public_key if state else None)
        if compared and compared != kit.manifest_sha256:
            raise KitError(
                "the kit changed after its SHA-256 was compared.", "Copy the whole kit again from its source."
            )
        if state is not None:
            check_follows(state, kit, replace=replace)
        here = machine.platform_here(kit.manifest)
        if state is None and not compared and not company.accepts(kit):
            raise KitInstallError("nothing was installed.", "Compare the SHA-256 with the paper first.")
        target = layout.folder_of(root, kit.manifest.version)
        before = state.current if state else ""
        if before == kit.manifest.version and _is_this(target, kit):
            launchers.write(root)
            return Installed(
                kit.manifest.name, before, before, True, 0, 0, None, launchers.launcher(root)
            )  # fmt: skip
        _check_place(target, kit, state)
        close_programs(root, company)
        if _is_this(target, kit):  # it was rolled back, or the power failed before the switch
            moved = transfers.Transfer(0, 0)
            _prove(target, company)
        else:
            verified = verify_files(kit, lambda done, total: company.show("verify", done, total, ""))
            moved = _make(verified, here, root, target, before, company)
        old = layout.manifest_of(layout.folder_of(root, before)) if before else None
        close_programs(root, company)
        kept = histories.keep_before(root, kit.manifest.version, kit.manifest, old)
        state = installed(state, kit.manifest, kit.manifest_sha256, kit.signer)
        write_state(root, state)
        launchers.write(root)
        layout.switch(root, kit.manifest.version)
        state = switched(state, kit.manifest, before)
        with contextlib.suppress(OSError, HistoryError):  # it runs; the next command puts right what is left
            write_state(root, state)
            prune(root, state)
        return Installed(
            kit.manifest.name, kit.manifest.version, before, False, moved.from_kit, moved.linked, kept,
            launchers.launcher(root),
        )  # fmt: skip


@contextlib.contextmanager
def held(root: Path) -> Iterator[None]:
    """Let no second program change an installation meanwhile, and say in words what the disk refuses.

    Raises:
        KitInstallError: another one does, or the disk cannot be written.
    """
    taken = KitInstallError(f"another program installs or removes in {root} just now.", "Wait for its end.")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with locations.held(root / "lock", taken):
            yield
    except OSError as error:
        raise _unwritable(root, error) from error


def close_programs(root: Path, company: Company) -> None:
    """Have the programs closed that run from an installation.

    Raises:
        KitInstallError: they are not.
    """
    while there := running.programs(root):
        if not company.closes(there):
            names = ", ".join(f"{one.what} (process {one.pid})" for one in there[:3])
            raise KitInstallError(
                f"the program is in use: {names}{', …' if len(there) > 3 else ''}.",
                "Close it, and run the same command again; what is copied is kept.",
            )


def prune(root: Path, state: KitState) -> None:
    """Remove what no rollback needs: versions and copies of histories before the last two, and unfinished ones.

    The folder that this very program runs from stays until the next time.

    Raises:
        OSError: something cannot be removed.
        HistoryFullError: a copy of histories cannot be.
    """
    histories.prune(root, state.current)
    for folder in (root / layout.VERSIONS).iterdir():
        if folder.name not in {state.current, state.previous} and not running.is_own(folder):
            layout.remove(folder)


def _make(
    kit: Verified, here: KitPlatform, root: Path, target: Path, before: str, company: Company
) -> transfers.Transfer:
    """Make a whole version of a kit."""
    clear_unpacked(root)
    files, from_installed = transfers.wanted_files(kit.manifest), transfers.NOTHING_HELD
    if before:
        installed_folder = layout.folder_of(root, before)
        with contextlib.suppress(KitInstallError):  # a damaged one has nothing to take from
            from_installed = transfers.held_by(installed_folder, layout.manifest_of(installed_folder))
    _check_space(
        root,
        transfers.missing_bytes(files, target, from_installed)
        + environment.needed_bytes(kit, here, target)
        + _ROOM,
    )
    layout.begin(target, kit)
    environment.make(kit, here, target, _telling(company, "packages"))
    proving.prove(target, "imports")  # what cannot run here is found before gigabytes are copied
    transfers.remove_unlisted(files, target)
    moved = transfers.copy_files(files, kit.folder, target, from_installed, _telling(company, "copy"))
    _prove(target, company)
    for left in target.glob(".smoke-*"):
        shutil.rmtree(left)
    layout.finish(target)
    return moved


def _prove(folder: Path, company: Company) -> None:
    company.show("try", 0, 1, "")
    proving.prove(folder, "answers")
    company.show("try", 1, 1, "")


def _telling(company: Company, step: Step) -> Callable[[int, int, str], None]:
    return lambda done, total, what: company.show(step, done, total, what)


def _is_this(folder: Path, kit: Signed) -> bool:
    """Whether a folder is a whole version of exactly this kit."""
    with contextlib.suppress(OSError):
        return layout.is_whole(folder) and (folder / MANIFEST).read_bytes() == kit.manifest_bytes
    return False


def _check_place(folder: Path, kit: Signed, state: KitState | None) -> None:
    """Refuse a kit of another name whose version is that of one which is needed."""
    if not layout.is_whole(folder) or _is_this(folder, kit):
        return
    if state is not None and folder.name in {state.current, state.previous}:
        raise KitInstallError(
            f"version {folder.name} of another kit is installed here.",
            "Ask for this kit with another version number.",
        )


def _check_space(root: Path, need: int) -> None:
    """Refuse, before anything is written, what the disk cannot hold.

    Raises:
        KitInstallError: saying how much is needed and how much is there.
    """
    free = shutil.disk_usage(root).free
    if free < need:
        raise KitInstallError(
            f"{need / _MIB:.0f} MiB more are needed, and the disk of {root} has {free / _MIB:.0f} MiB free.",
            "Free some space, or name a folder on another disk: --to DIR.",
        )


def clear_unpacked(root: Path) -> None:
    """Remove what first installations that were killed unpacked; not what this program itself runs from."""
    own = Path(__file__)
    for folder in root.glob(f"{UNPACKED}*"):
        if not own.is_relative_to(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _unwritable(root: Path, error: OSError) -> KitInstallError:
    return KitInstallError(
        f"{error.filename or root} cannot be written: {error.strerror or error}.",
        "Free some space, or see to it that you may write there; what is copied is kept, and the same command goes "
        "on.",
    )
