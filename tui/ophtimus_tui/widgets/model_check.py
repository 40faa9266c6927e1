"""Hashing the files of a model: how far it is while it lasts, and what it found."""

import threading
from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models import inventory
from ophtimus_edge.models.inventory import FileCheck, StoredModel
from ophtimus_tui.model_rows import line, short
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.work_line import WorkLine


class _StoppedError(Exception):
    """Raised in the thread that hashes, where it tells how far it is."""


class ModelCheck(Vertical):
    """One model at a time; takes no room while there is nothing to do."""

    DEFAULT_CSS = """
    ModelCheck { height: auto; }
    """

    @dataclass
    class Ended(Message):
        """The hashing is over.

        Attributes:
            result: what became of each file; None where it was stopped; an error where it could not be done.
        """

        name: str
        result: list[FileCheck] | OphtimusError | None

    @dataclass
    class _Hashed(Message):
        """How far the hashing is."""

        done: int
        total: int
        file: str

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._model = ""
        self._stop = threading.Event()
        self._work = WorkLine(texts)

    def compose(self) -> ComposeResult:
        """How far it is."""
        yield self._work

    def on_unmount(self) -> None:
        """Stop; the thread ends with its next piece."""
        self._stop.set()

    @property
    def under_way(self) -> bool:
        """Whether a model is being hashed."""
        return bool(self._model)

    def begin(self, model: StoredModel) -> None:
        """Hash the files of a model; :class:`Ended` follows."""
        self._model = model.name
        self._stop.clear()
        self._work.begin(self._label())
        self._hash(model)

    def stop(self) -> None:
        """Stop after the piece that is being read."""
        self._stop.set()

    def relabel(self) -> None:
        """Say the same in the language that is chosen now."""
        self._work.relabel(self._label())

    def _label(self) -> str:
        return self._texts("models.verifying", name=short(self._model))

    @work(thread=True)
    def _hash(self, model: StoredModel) -> None:
        def tell(done: int, total: int, file: str) -> None:
            if self._stop.is_set():
                raise _StoppedError
            self.post_message(self._Hashed(done, total, file))

        result: list[FileCheck] | OphtimusError | None
        try:
            result = inventory.verify(model, tell)
        except _StoppedError:
            result = None
        except OphtimusError as error:
            result = error
        self.post_message(self.Ended(model.name, result))

    @on(_Hashed)
    def _show(self, hashed: _Hashed) -> None:
        hashed.stop()
        self._work.tell(hashed.done, hashed.total, hashed.file)

    @on(Ended)
    def _hide(self) -> None:
        """Before the screen hears of it, which shows its own keys again."""
        self._model = ""
        self._work.end()


def said_of(texts: Texts, name: str, checks: list[FileCheck] | None) -> str:
    """What came of hashing a model, in the chosen language; ``checks`` is None where it was stopped."""
    name = short(name)
    if checks is None:
        return texts("models.verify_stopped", name=name)
    bad = [check for check in checks if check.bad]
    if not bad:
        return texts("models.verified", name=name, count=len(checks))
    results = {
        "differs": "models.file_differs", "missing": "models.file_missing",
        "unreadable": "models.file_unreadable",
    }  # fmt: skip
    files = ", ".join(f"{line(check.file)} {texts(results[check.result])}" for check in bad)
    return texts("models.verify_bad", name=name, files=files) + "\n" + texts("models.not_usable")
