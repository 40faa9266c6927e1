"""Find the terminal app among the installed packages and start it."""

from importlib.metadata import entry_points

from ophtimus_edge.errors import MissingExtraError


def start_app() -> None:
    """Start the app that the entry-point group ``ophtimus.app`` names.

    Raises:
        MissingExtraError: none is installed.
    """
    for entry in entry_points(group="ophtimus.app"):
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
