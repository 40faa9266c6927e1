"""Adding a model: a path or a pick from a stick, then a copy that can be stopped and goes on later."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from ophtimus_edge.errors import InvalidModelError, OphtimusError
from ophtimus_edge.models import installing
from ophtimus_edge.models.installing import Added
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.model_rows import line
from ophtimus_tui.screens.ending import end
from ophtimus_tui.screens.pick import PickScreen
from ophtimus_tui.sizes import size
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.place_tree import PlaceTree, models
from ophtimus_tui.widgets.work_line import WorkLine


class _StoppedError(Exception):
    """Raised in the thread that copies, where it tells how far it is."""


class AddModelScreen(PickScreen[Added]):
    """Dismissed with what was added, or None. A copy that was stopped goes on with the same path."""

    DEFAULT_CSS = """
    AddModelScreen #said { height: auto; padding: 0 1; display: none; }
    AddModelScreen #said.shown { display: block; }
    AddModelScreen #said.error { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "add", show=False, priority=True),
    ]

    @dataclass
    class _Told(Message):
        """How far the copy is."""

        done: int
        total: int
        file: str

    @dataclass
    class _Ended(Message):
        """The copy ended: with a model, with an error, or stopped."""

        result: Added | OphtimusError | None

    def __init__(self, texts: Texts) -> None:
        self._work = WorkLine(texts)
        self._said = Static("", id="said", markup=False)
        super().__init__(
            texts,
            models,
            self._work,
            self._said,
            title="models.add_title",
            placeholder="models.add_placeholder",
            nothing="models.tree_empty",
            take=("models.key_add_this", "screen.add"),
        )
        self._stop = threading.Event()
        self._copying = False
        self._done = 0
        self._error: OphtimusError | None = None
        self._kept = False

    def on_unmount(self) -> None:
        """Stop a copy under way; its thread ends with its next chunk."""
        self._stop.set()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        super().relabel()
        self._work.relabel(texts("models.copying"))
        if self._copying:
            self._keys.show([(texts("models.key_stop"), "screen.back")])
        if self._error is not None:
            self._say(said(self._error, texts))
        elif self._kept:
            self._say(texts("models.stopped", size=size(self._done)))
        else:
            self._say("")
        self._said.set_class(self._error is not None, "error")

    @on(PlaceTree.Picked)
    def _take(self, picked: PlaceTree.Picked) -> None:
        """Put a pick into the box."""
        self._box.take(picked.path)
        self._box.focus()

    @on(Input.Submitted)
    def action_add(self) -> None:
        """Begin to copy what the box names, or go on with it."""
        if self._copying or not self._box.value.strip():
            return
        self._copying, self._kept, self._error, self._done = True, False, None, 0
        self._stop.clear()
        self._enable()
        self._work.begin(self._texts("models.copying"))
        self._copy(self._box.path)

    def action_look_again(self) -> None:
        """Read anew which sticks there are."""
        if not self._copying:
            super().action_look_again()

    def action_back(self) -> None:
        """Stop the copy; where none is under way, close."""
        if self._copying:
            self._stop.set()
        else:
            super().action_back()

    @work(thread=True)
    def _copy(self, path: Path) -> None:
        def tell(done: int, total: int, file: str) -> None:
            if self._stop.is_set():
                raise _StoppedError
            self.post_message(self._Told(done, total, file))

        result: Added | OphtimusError | None
        try:
            result = installing.add(path, tell)
        except _StoppedError:
            result = None
        except OphtimusError as error:
            result = error
        except (OSError, ValueError) as error:  # a path with a null character is a ValueError
            reason = getattr(error, "strerror", None) or error
            result = InvalidModelError(f"{path} cannot be read: {reason}.", "Check the path and the stick.")
        self.post_message(self._Ended(result))

    @on(_Told)
    def _show_progress(self, told: _Told) -> None:
        self._done = told.done
        self._work.tell(told.done, told.total, told.file)

    @on(_Ended)
    def _end(self, ended: _Ended) -> None:
        if isinstance(ended.result, Added):
            end(self, ended.result)
            return
        self._copying = False
        self._error, self._kept = ended.result, ended.result is None
        self._work.end()
        self._enable()
        self._box.focus()

    def _enable(self) -> None:
        self._box.disabled = self._tree.disabled = self._copying
        self.relabel()

    def _say(self, text: str) -> None:
        self._said.update(sanitize(text))
        self._said.set_class(bool(text), "shown")


def said_of_added(texts: Texts, added: Added) -> str:
    """What came of adding a model, in the chosen language."""
    name = f"{line(added.folder.name)} {line(added.description.version)}".strip()
    sentences = [texts("models.already" if added.already else "models.added", name=name)]
    if added.left_behind:
        files = ", ".join(line(file) for file in added.left_behind)
        sentences.append(texts("models.left_behind", files=files))
    if not added.licences and not added.already:
        sentences.append(texts("models.no_licence_file"))
    return "\n".join(sentences)
