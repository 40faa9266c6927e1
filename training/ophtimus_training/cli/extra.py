"""The [training] extra: what a verb that needs it says when it is not installed."""

import contextlib
import os
from collections.abc import Iterator

from ophtimus_edge.errors import MissingExtraError


@contextlib.contextmanager
def training_extra() -> Iterator[None]:
    """Around a verb's heavy imports: a missing package is said in two lines.

    Raises:
        MissingExtraError: a package of the [training] extra is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"training needs a package that is not installed ({error.name}).",
            "Install it with: pip install 'ophtimus-edge[training]'.",
        ) from error
