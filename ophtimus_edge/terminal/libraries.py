"""What libraries say to programmers, kept off a person's terminal."""

import logging
import os
import warnings


def silence_libraries() -> None:
    """Before any of them is imported: no word of kernels for other machines, nor of names that they will drop."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # it warns in every process that is forked
    for name in ("torchao", "torch.utils._pytree", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
