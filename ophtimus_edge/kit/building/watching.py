"""How a build says what it is doing."""

from typing import Protocol


class Watcher(Protocol):
    """Who is told of a build."""

    def step(self, sentence: str) -> None:
        """Something begins that may take a while."""

    def progress(self, done: int, total: int, file: str) -> None:
        """So many bytes of all are done; the file is the one at hand."""

    def note(self, sentence: str) -> None:
        """Something that the developer should know when it is over."""
