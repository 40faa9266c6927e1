"""Find the terminal app among the installed packages and start it."""

import gc

from ophtimus_edge.cli.extensions import APP, entries
from ophtimus_edge.errors import MissingExtraError


def start_app() -> None:
    """Start the app that the entry-point group ``ophtimus.app`` names.

    Raises:
        MissingExtraError: none is installed.
    """
    # A fifth of the start would go into looking for garbage among objects that all stay. The app looks again
    # from its first drawing on.
    gc.disable()
    for entry in entries(APP):
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
