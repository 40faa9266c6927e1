"""The [training] extra: what a verb that needs it says when it is not installed."""

import contextlib
from collections.abc import Iterator

from ophtimus_edge.errors import MissingExtraError
from ophtimus_edge.terminal.libraries import silence_libraries


@contextlib.contextmanager
def training_extra() -> Iterator[None]:
    """Around a verb's heavy imports: a missing package is said in two lines, and nothing else is.

    Raises:
        MissingExtraError: a package of the [training] extra is not installed.
    """
    silence_libraries()
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"training needs a package that is not installed ({error.name}).",
            "Install it with: pip install 'ophtimus-edge[training]'.",
        ) from error
