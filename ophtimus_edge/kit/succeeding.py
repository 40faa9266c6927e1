"""Whether a kit may follow what is installed: signed by the pinned key, of the same name, and never an older one."""

from collections.abc import Callable
from pathlib import Path

from ophtimus_edge.errors import KitError
from ophtimus_edge.kit.manifest import version_number
from ophtimus_edge.kit.state import KitState
from ophtimus_edge.kit.verifying import Signed, Verified, read_signed, verify_files


def verify_next(
    folder: Path,
    state: KitState | None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    replace: bool = False,
) -> Verified:
    """Check a whole kit, and that it may be installed over what is there.

    What is refused by its manifest is refused before its files are read.

    Args:
        folder: the kit.
        state: of the installation; None where there is none, and no key is trusted yet.
        on_progress: told the bytes that were read, and how many there are.
        replace: take a kit of another name, too.

    Raises:
        KitError: it may not follow, or is not whole; as :func:`ophtimus_edge.kit.verifying.verify`.
    """
    kit = read_signed(folder, state.public_key if state else None)
    if state is not None:
        check_follows(state, kit, replace=replace)
    return verify_files(kit, on_progress)


def check_follows(state: KitState, kit: Signed, *, replace: bool = False) -> None:
    """Refuse a kit that may not be installed over what is there.

    The same kit may be installed again, also after it was rolled back.

    Args:
        replace: take a kit of another name, too; of that name, again, none that is older than there was.

    Raises:
        KitError: it is of another name, of a lower version than was ever installed here, or of the same version
            with another manifest.
    """
    name, version = kit.manifest.name, kit.manifest.version
    if name != state.name and not replace:
        raise KitError(
            f"this is the kit {name[:80]!r}, and {state.name[:80]!r} is installed here.",
            "If it is meant to take its place: --replace.",
        )
    highest = state.highest.get(name)
    if highest is None:
        return
    if kit.manifest.number < version_number(highest.version):
        raise KitError(
            f"version {version} of this kit is older than {highest.version}, which was installed here.",
            "Versions only go up. To go back to the one before: ophtimus kit rollback.",
        )
    if version == highest.version and kit.manifest_sha256 != highest.manifest_sha256:
        raise KitError(
            f"version {version} was installed here, and this kit is another one with the same version.",
            "Ask who gave it to you for a kit with a higher version.",
        )
