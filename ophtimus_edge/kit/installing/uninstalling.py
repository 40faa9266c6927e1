"""An installation is removed: its versions, launchers and state; the histories as asked."""

import contextlib
import shutil
from pathlib import Path

from ophtimus_edge.errors import HistoryError, KitInstallError
from ophtimus_edge.history import whole
from ophtimus_edge.kit.installing import histories, launchers
from ophtimus_edge.kit.installing import versions as layout
from ophtimus_edge.kit.installing.install import Company, clear_unpacked, close_programs, held
from ophtimus_edge.kit.state import STATE


def uninstall(root: Path, company: Company, *, delete_history: bool) -> list[Path]:
    """Remove an installation.

    The histories go first where they are to go, so that nothing is left without the program that opens it. Models
    that a person added by themselves, and settings, stay.

    Args:
        delete_history: delete what was asked and answered, for good; else it stays as it is.

    Returns:
        What is left in the folder that is not the installer's.

    Raises:
        KitInstallError: nothing is installed there, it is in use, or it cannot be removed.
    """
    if not any((root / name).exists() for name in (STATE, layout.VERSIONS)):
        raise KitInstallError(
            f"nothing is installed in {root}.", "Name the folder that it was installed in: --to DIR."
        )
    with held(root):
        close_programs(root, company)
        try:
            if delete_history:
                whole.remove_all()
            histories.remove_kept(root)
        except HistoryError as error:
            raise KitInstallError(error.message, error.hint) from error
        launchers.remove(root)
        layout.unswitch(root)
        clear_unpacked(root)
        for folder in sorted((root / layout.VERSIONS).glob("*")):
            layout.remove(folder, lambda done, total: company.show("remove", done, total, ""))
        for name in (layout.VERSIONS, "bin", "kept"):
            if (root / name).is_dir():
                shutil.rmtree(root / name)
        (root / STATE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (root / "lock").unlink(missing_ok=True)
    left = sorted(root.iterdir()) if root.is_dir() else []
    if not left:
        with contextlib.suppress(OSError):
            root.rmdir()
    return left
