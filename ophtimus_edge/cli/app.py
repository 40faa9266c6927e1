"""Find the terminal app among the installed packages and start it."""

import gc
from importlib.metadata import EntryPoints, PackageNotFoundError, distribution

from ophtimus_edge.errors import MissingExtraError


def _entries() -> EntryPoints:
    """Of this distribution alone: to look through all that are installed takes longer than most of the start."""
    try:
        return distribution("ophtimus-edge").entry_points.select(group="ophtimus.app")
    except PackageNotFoundError:  # run from a folder that was never installed
        return EntryPoints()


def start_app() -> None:
    """Start the app that the entry-point group ``ophtimus.app`` names.

    Raises:
        MissingExtraError: none is installed.
    """
    # A fifth of the start would go into looking for garbage among objects that all stay. The app looks again
    # from its first drawing on.
    gc.disable()
    for entry in _entries():
        try:
            run = entry.load()
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in {"textual", "ophtimus_tui"}:
                raise
            break
        run()
        return
    raise MissingExtraError(
        "the terminal app is not installed.",
        "Install it with: pip install 'ophtimus-edge[tui]'; or ask without it: ophtimus ask.",
    )
