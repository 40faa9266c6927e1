"""A backup brought back: its path or a pick from a stick, and what opens it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ophtimus_edge.errors import BackupError, OphtimusError, RecoveryKeyMistypedError
from ophtimus_edge.history import backup, keys
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.screens.ending import end
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.path_box import PathBox
from ophtimus_tui.widgets.place_tree import Entry, PlaceTree
from ophtimus_tui.widgets.work_line import WorkLine, step_said, throttled

ENDING = "ophtimus-backup"
_LOW = 14  # rows, below which the tree has no room


class RestoreScreen(ModalScreen[Profile | None]):
    """Dismissed with the profile that was made, or with None."""

    DEFAULT_CSS = """
    RestoreScreen { align: center middle; }
    RestoreScreen > Vertical {
        width: 100; max-width: 100%; height: 26; max-height: 100%; border: round $primary; background: $surface;
    }
    RestoreScreen .line { height: auto; padding: 0 1; }
    RestoreScreen Input, RestoreScreen Input:focus {
        border: none; height: 1; margin: 0 1; padding: 0 1; background: $panel;
    }
    RestoreScreen #secret { margin: 1 1 0 1; }
    RestoreScreen #said { color: $error; display: none; }
    RestoreScreen #said.shown { display: block; }
    RestoreScreen.low > Vertical { border: none; }
    RestoreScreen.low #title, RestoreScreen.low PlaceTree, RestoreScreen.low KeyLine { display: none; }
    RestoreScreen.low #secret { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f5", "look_again", show=False, priority=True),
        Binding("f2", "restore", show=False, priority=True),
        Binding("down", "app.focus_next", show=False),
    ]

    @dataclass
    class _Ended(Message):
        """It ended with a profile, or with an error."""

        result: Profile | OphtimusError

    @dataclass
    class _Told(Message):
        """How far it is."""

        step: str
        done: int
        total: int

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._error: OphtimusError | None = None
        self._working = False
        self._step = ""
        self._title = Static("", id="title", classes="line", markup=False)
        self._box = PathBox()
        self._secret = Input(id="secret", password=True, compact=True)
        self._tree = PlaceTree(texts, _backups, "backup.tree_empty")
        self._work = WorkLine(texts)
        self._said = Static("", id="said", classes="line", markup=False)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """The path, what opens it, the places, how it goes."""
        with Vertical():
            yield from (self._title, self._box, self._secret, self._tree)
            yield from (self._work, self._said, self._keys)

    def on_mount(self) -> None:
        """Put the cursor into the path."""
        self.relabel()
        self._box.focus()

    def on_resize(self) -> None:
        """Leave what can be left where the screen is low."""
        self.set_class(self.size.height < _LOW, "low")

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._title.update(texts("backup.restore_title"))
        self._box.placeholder = texts("backup.restore_placeholder")
        self._secret.placeholder = texts("backup.secret")
        self._tree.relabel()
        self._work.relabel(self._what())
        self._keys.show(
            [(texts("save.working_keys"), "")] if self._working else [
                (texts("backup.key_next"), "app.focus_next"), (texts("backup.key_restore"), "screen.restore"),
                (texts("models.key_look"), "screen.look_again"), (texts("backup.key_leave"), "screen.leave"),
            ]
        )  # fmt: skip
        self._said.update(sanitize(said(self._error, texts)) if self._error else "")
        self._said.set_class(self._error is not None, "shown")

    @on(PlaceTree.Picked)
    def _take(self, picked: PlaceTree.Picked) -> None:
        self._box.take(picked.path)
        self._secret.focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if event.input is self._box:
            self._secret.focus()
        else:
            self.set_timer(0.06, self.action_restore)  # a last syllable may arrive behind Enter

    def action_restore(self) -> None:
        """Begin, where there is a path and what opens it."""
        if self._working:
            return
        missing = next((box for box in (self._box, self._secret) if not box.value.strip()), None)
        if missing is not None:
            missing.focus()
            return
        self._working, self._error, self._step = True, None, ""
        self._enable()
        self._work.begin(self._texts("backup.restoring"))
        self._restore(self._box.path, self._secret.value)

    @work(thread=True)
    def _restore(self, path: Path, secret: str) -> None:
        result: Profile | OphtimusError
        try:
            result = _restored(path, secret, throttled(lambda *far: self.post_message(self._Told(*far))))
        except OphtimusError as error:
            result = error
        except (OSError, ValueError) as error:  # a path with a null character is a ValueError
            reason = getattr(error, "strerror", None) or error
            result = BackupError(f"{path} cannot be read: {reason}.", "Check the path and the stick.")
        self.post_message(self._Ended(result))

    @on(_Told)
    def _show_how_far(self, told: _Told) -> None:
        self._step = told.step
        self._work.tell_step(self._what(), told.done, told.total)

    def _what(self) -> str:
        return step_said(self._step, self._texts) or self._texts("backup.restoring")

    @on(_Ended)
    def _end(self, ended: _Ended) -> None:
        self._working = False
        self._work.end()
        if isinstance(ended.result, Profile):
            end(self, ended.result)
            return
        self._error = ended.result
        self._enable()
        self._secret.focus()

    def action_look_again(self) -> None:
        """Read anew which sticks there are."""
        if not self._working:
            self._tree.look_again()

    def action_leave(self) -> None:
        """Restore nothing; what is under way goes on to its end."""
        if not self._working:
            self.dismiss(None)

    def _enable(self) -> None:
        self._box.disabled = self._secret.disabled = self._tree.disabled = self._working
        self.relabel()


def _restored(path: Path, secret: str, show: backup.Show) -> Profile:
    """Try what was written as a recovery key where it is one as they are printed, else as a passphrase."""
    try:
        recovery = keys.check_recovery_key(secret)
    except RecoveryKeyMistypedError:
        return backup.restore(path, passphrase=secret, show=show)
    return backup.restore(path, recovery=recovery, show=show)


def _backups(entry: "os.DirEntry[str]") -> Entry | None:
    """What a backup may be: files of its ending."""
    if entry.is_dir():
        return Entry(Path(entry.path), "folder")
    if entry.name.lower().endswith(f".{ENDING}") and entry.is_file():
        return Entry(Path(entry.path), "file", entry.stat().st_size)
    return None
