"""What a module of this package is: a verb that declares its arguments and does its work."""

import argparse
from typing import Protocol


class Verbs(Protocol):
    """What a verb adds its parser to, as argparse gives it."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:  # noqa: A002
        """A parser for one verb."""
        ...


class Verb(Protocol):
    """A module of this package. It imports what is heavy where it is used: ``--help`` answers at once."""

    def add(self, verbs: Verbs) -> None:
        """Declare the verb's arguments."""
        ...

    def handle(self, options: argparse.Namespace) -> None:
        """Do what was asked.

        Raises:
            OphtimusError: it cannot be done.
        """
        ...
