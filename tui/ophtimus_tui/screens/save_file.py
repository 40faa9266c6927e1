"""Where a file goes: a path with a sound beginning, the places of this computer, and the writing itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError, OphtimusError
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.model_rows import line
from ophtimus_tui.removable_places import removable_places
from ophtimus_tui.screens.choose import Said
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.ending import end
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.path_box import PathBox
from ophtimus_tui.widgets.work_line import WorkLine, step_said, throttled

_LOW = 14  # rows, below which the list of places and the keys have no room
Show = Callable[[str, int, int], None]
"""Told of a step, and how many of how many bytes of it are done; 0 of 0 where that is not known."""

Write = Callable[[Path, bool, Show], None]
"""Writes the file; told whether one that is there may be replaced, and whom to tell how far it is.

Called in a thread, may raise OphtimusError.
"""


class SaveFileScreen(ModalScreen[Path | None]):
    """Dismissed with the path of the file that was written, or with None."""

    DEFAULT_CSS = """
    SaveFileScreen { align: center middle; }
    SaveFileScreen > Vertical {
        width: 100; max-width: 100%; height: auto; max-height: 100%; border: round $primary; background: $surface;
    }
    SaveFileScreen .line { height: auto; padding: 0 1; }
    SaveFileScreen PathBox { margin: 1 1; }
    SaveFileScreen OptionList, SaveFileScreen OptionList:focus { height: auto; max-height: 6; border: none; }
    SaveFileScreen #said { color: $error; display: none; }
    SaveFileScreen #said.shown { display: block; }
    SaveFileScreen.low > Vertical { border: none; }
    SaveFileScreen.low OptionList, SaveFileScreen.low #title, SaveFileScreen.low KeyLine { display: none; }
    SaveFileScreen.low PathBox { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f2", "save", show=False, priority=True),
        Binding("f5", "look_again", show=False, priority=True),
        Binding("down", "app.focus_next", show=False),
    ]

    @dataclass
    class _Ended(Message):
        """The file is written, or was not."""

        path: Path
        error: OphtimusError | None

    @dataclass
    class _Places(Message):
        """Where a file can go."""

        places: list[tuple[str, Path]]

    @dataclass
    class _Told(Message):
        """How far the writing is."""

        step: str
        done: int
        total: int

    def __init__(
        self,
        texts: Texts,
        title: Said,
        name: str,
        write: Write,
        working: Said,
        doubt: Callable[[Path], Said | None] = lambda _: None,
    ) -> None:
        """Make the screen.

        Args:
            title, working: give their sentences: what is written, and that it is being written.
            name: of the file, as it is offered.
            doubt: gives what speaks against a place, which is asked about before anything is written there.
        """
        super().__init__()
        self._texts = texts
        self._said_title, self._said_working = title, working
        self._offered = name
        self._write, self._doubt = write, doubt
        self._step = ""
        self._writing = False
        self._error: OphtimusError | None = None
        self._places: list[tuple[str, Path]] = []
        self._title = Static("", id="title", classes="line", markup=False)
        self._box = PathBox()
        self._list = OptionList()
        self._work = WorkLine(texts)
        self._said = Static("", id="said", classes="line", markup=False)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """The path, the places, how it goes."""
        with Vertical():
            yield from (self._title, self._box, self._list, self._work, self._said, self._keys)

    def on_mount(self) -> None:
        """Offer a path."""
        self._box.take(locations.documents_folder() / self._offered)
        self.relabel()
        self._box.focus()
        self.action_look_again()

    def on_resize(self) -> None:
        """Leave what can be left where the screen is low."""
        self.set_class(self.size.height < _LOW, "low")

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._title.update(self._said_title())
        self._work.relabel(self._what())
        self._keys.show(
            [(texts("save.working_keys"), "")] if self._writing else [
                (texts("save.key_save"), "screen.save"), (texts("save.key_place"), "app.focus_next"),
                (texts("models.key_look"), "screen.look_again"), (texts("save.key_leave"), "screen.leave"),
            ]
        )  # fmt: skip
        at = self._list.highlighted
        self._list.clear_options()
        self._list.add_options(
            [
                Option(Content(texts(f"save.place_{kind}", path=line(str(path)))))
                for kind, path in self._places
            ]
        )
        self._list.highlighted = at
        self._said.update(sanitize(said(self._error, texts)) if self._error else "")
        self._said.set_class(self._error is not None, "shown")

    @work(thread=True)
    def action_look_again(self) -> None:
        """Read anew which places there are."""
        own = [("documents", locations.documents_folder()), ("home", Path.home())]
        places = [place for at, place in enumerate(own) if place[1] not in [path for _, path in own[:at]]]
        sticks = [("stick", path) for path in removable_places()]
        self.post_message(self._Places([*places, *sticks]))

    @on(_Places)
    def _show_places(self, found: _Places) -> None:
        self._places = found.places
        self.relabel()

    @on(OptionList.OptionSelected)
    def _place(self, event: OptionList.OptionSelected) -> None:
        """Put the place into the path, with the file's name."""
        event.stop()
        if not self._writing:
            self._box.take(self._places[event.option_index][1] / (self._box.path.name or self._offered))
            self._box.focus()

    @on(Input.Submitted)
    @work
    async def action_save(self) -> None:
        """Write the file; one that is there is asked about."""
        if self._writing or not self._box.value.strip():
            return
        path, texts = self._box.path, self._texts
        try:
            path = path / self._offered if path.is_dir() else path
            there = path.exists()
        except (OSError, ValueError):
            there = False  # writing says why
        if there:
            screen = ConfirmScreen(
                lambda: texts("save.there", path=line(str(path))),
                lambda: texts("save.replace"),
                lambda: texts("save.other"),
            )
            if not await self.app.push_screen_wait(screen):
                return
        if doubt := self._doubt(path):
            screen = ConfirmScreen(doubt, lambda: texts("save.all_the_same"), lambda: texts("save.other"))
            if not await self.app.push_screen_wait(screen):
                return
        self._writing, self._error, self._step = True, None, ""
        self._box.disabled = self._list.disabled = True
        self._work.begin(self._said_working())
        self.relabel()
        self._begin(path, there)

    @work(thread=True)
    def _begin(self, path: Path, there: bool) -> None:
        error: OphtimusError | None = None
        try:
            self._write(path, there, throttled(lambda *far: self.post_message(self._Told(*far))))
        except OphtimusError as failed:
            error = failed
        except (OSError, ValueError) as failed:  # a path with a null character is a ValueError
            reason = getattr(failed, "strerror", None) or failed
            error = FolderNotWritableError(
                f"{path} cannot be written: {reason}.", "Name a file in a folder that can be written."
            )
        self.post_message(self._Ended(path, error))

    @on(_Told)
    def _show_how_far(self, told: _Told) -> None:
        self._step = told.step
        self._work.tell_step(self._what(), told.done, told.total)

    def _what(self) -> str:
        return step_said(self._step, self._texts) or self._said_working()

    @on(_Ended)
    def _end(self, ended: _Ended) -> None:
        self._writing = False
        if ended.error is None:
            end(self, ended.path)
            return
        self._error = ended.error
        self._box.disabled = self._list.disabled = False
        self._work.end()
        self.relabel()
        self._box.focus()

    def action_leave(self) -> None:
        """Write nothing; what is being written is not broken off."""
        if not self._writing:
            self.dismiss(None)
