"""The histories over a change of version: what the older program could read is kept until nobody goes back to it.

A newer program may change a history so that the one before it cannot read it any more
(:mod:`ophtimus_edge.history.migrations`). Before such a program is started for the first time the histories are
copied, as they are, encrypted; a rollback puts the copy back where the older program needs it, and leaves what was
kept since beside it. Both manifests say what their programs read.
"""

from pathlib import Path

from ophtimus_edge.errors import HistoryError, KitInstallError
from ophtimus_edge.history import whole
from ophtimus_edge.kit.manifest import Manifest

_KEPT = "kept"
_BEFORE = "before-"


def keep_before(root: Path, version: str, new: Manifest, old: Manifest | None) -> Path | None:
    """Copy the histories where a version would change them; what is there from an earlier try is made anew.

    Returns:
        The copy; None where none is needed.

    Raises:
        KitInstallError: they cannot be copied.
        OSError: the disk cannot be written.
    """
    if old is None or new.history_schema <= old.history_schema:
        return None
    place = _place(root, version)
    try:
        whole.remove_copy(place)
        whole.copy_to(place)
    except HistoryError as error:
        raise KitInstallError(error.message, error.hint) from error
    return place


def put_back(root: Path, left: Manifest, old: Manifest) -> tuple[bool, Path | None]:
    """Put the histories back as they were before a version, where the one that is gone back to needs it.

    Args:
        left: of the version that ran until now.
        old: of the one that will run.

    Returns:
        Whether the older program needs it; and where those of the newer one lie now, None where they had not
        changed.

    Raises:
        KitInstallError: they are needed, and there is no copy, or it cannot be put back.
    """
    if left.history_compatible_from <= old.history_schema:
        return False, None
    place = _place(root, left.version)
    if not place.is_dir():
        raise KitInstallError(
            f"version {old.version} cannot read the histories of version {left.version}, and their copy of before "
            "is gone.",
            "Stay with this version; or put a backup of the history back, and go back then.",
        )
    try:
        return True, whole.put_back(place, whole.set_aside_name(left.version))
    except HistoryError as error:
        raise KitInstallError(error.message, error.hint) from error


def prune(root: Path, current: str) -> None:
    """Delete the copies that no rollback needs any more: all but the one before the version that runs.

    Raises:
        HistoryFullError: one cannot be deleted.
    """
    for folder in (root / _KEPT).glob(f"*{_BEFORE}*"):
        if folder != _place(root, current):
            whole.remove_copy(folder)


def remove_kept(root: Path) -> None:
    """Delete all copies for good.

    Raises:
        HistoryFullError: one cannot be deleted.
    """
    if (root / _KEPT).is_dir():
        whole.remove_copy(root / _KEPT)


def _place(root: Path, version: str) -> Path:
    return root / _KEPT / f"{_BEFORE}{version}"
