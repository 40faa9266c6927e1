"""Which of a run's processes this is, as torchrun and accelerate say it in the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ophtimus_edge.errors import OphtimusError


def rank() -> int:
    """The number of this process among all; 0 where there is one."""
    return int(os.environ.get("RANK", "0"))


def processes() -> int:
    """How many processes train together, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def first() -> bool:
    """Whether this process writes, prints and logs for all."""
    return rank() == 0


@contextmanager
def first_speaks() -> Iterator[None]:
    """Have what a person should read said once: the others end with the same code, without a word.

    What nobody foresaw still shows where it happened, in whichever process.

    Raises:
        OphtimusError: as it was raised, in the first process.
        SystemExit: in its place, in the others.
    """
    try:
        yield
    except OphtimusError as error:
        if first():
            raise
        raise SystemExit(error.exit_code) from error
