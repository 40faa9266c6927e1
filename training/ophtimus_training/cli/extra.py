"""The [training] extra: what a verb that needs it says when it is not installed."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

from ophtimus_edge.errors import MissingExtraError


@contextlib.contextmanager
def training_extra() -> Iterator[None]:
    """Around a verb's heavy imports: a missing package is said in two lines, and nothing else is.

    Raises:
        MissingExtraError: a package of the [training] extra is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # What libraries say to programmers while they are imported: kernels for other machines, names they will drop.
    for name in ("torchao", "torch.utils._pytree", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"training needs a package that is not installed ({error.name}).",
            "Install it with: pip install 'ophtimus-edge[training]'.",
        ) from error
