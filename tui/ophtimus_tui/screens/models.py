"""The models screen: what is installed, what it would be like here; choose, add, verify, remove."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import get_current_worker

from ophtimus_edge.errors import InvalidModelError, OphtimusError
from ophtimus_edge.models import hardware, inventory, store
from ophtimus_edge.models.installing import Added
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.support.examination import Candidate
from ophtimus_edge.text import sanitize
from ophtimus_tui import predictions
from ophtimus_tui.error_texts import said
from ophtimus_tui.keys import MODELS
from ophtimus_tui.model_facts import facts
from ophtimus_tui.model_rows import Judged, Row, damaged, line, reason, rows_of, short, withdrawn
from ophtimus_tui.predictions import Predictions
from ophtimus_tui.screens.add_model import AddModelScreen, said_of_added
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.sizes import size
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.model_check import ModelCheck, said_of
from ophtimus_tui.widgets.model_table import ModelTable

Said = Callable[[], str]


class ModelsScreen(Screen[ChosenModel | None]):
    """Dismissed with the model that was chosen, or None.

    Args:
        current: the model that is open; it is marked, and cannot be removed.
        known: what was found out of this machine and its models before; the app's own where it is None.
    """

    DEFAULT_CSS = """
    ModelsScreen > .line { height: auto; padding: 0 1; }
    ModelsScreen > #title { background: $panel; text-style: bold; }
    ModelsScreen > #facts { height: auto; max-height: 45%; border-top: solid $primary; padding: 0 1; }
    ModelsScreen > #facts > Static { height: auto; }
    ModelsScreen > #said { display: none; }
    ModelsScreen > #said.shown { display: block; }
    ModelsScreen > #said.error { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, show=False, priority=True) for key in MODELS if key.action
    ]

    @dataclass
    class _Listed(Message):
        """What the store holds, and what each level would be like, as far as that is known by now."""

        rows: list[Row]
        judged: Judged

    @dataclass
    class _Chosen(Message):
        """A model is ready to be loaded."""

        model: ChosenModel

    @dataclass
    class _Doubtful(Message):
        """A level that does not fit was chosen."""

        row: Row
        judged: Judged

    @dataclass
    class _Failed(Message):
        """Something that was asked for cannot be done; ``stale`` where the list may be no longer so."""

        error: OphtimusError
        stale: bool = True

    @dataclass
    class _Removed(Message):
        """A model is gone."""

        name: str
        freed_bytes: int

    def __init__(self, texts: Texts, current: ChosenModel | None, known: Predictions | None = None) -> None:
        super().__init__()
        self._texts = texts
        self._current = current
        self._known = known or predictions.SHARED
        self._rows: list[Row] = []
        self._judged = Judged()
        self._cursor: tuple[str, str] | None = None  # where the next list puts the cursor
        self._message: tuple[Said, bool] | None = None
        self._title = Static("", id="title", classes="line", markup=False)
        self._table = ModelTable(texts)
        self._facts = Static("", markup=False)
        self._scroll = VerticalScroll(self._facts, id="facts")
        self._check = ModelCheck(texts)
        self._said = Static("", id="said", classes="line", markup=False)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """Title, rows, what is known of the one under the cursor, work, what came of it, keys."""
        yield self._title
        yield self._table
        yield self._scroll
        yield self._check
        yield self._said
        yield self._keys

    def on_mount(self) -> None:
        """Begin to read the store."""
        self._scroll.can_focus = False
        self._table.focus_rows()
        self.relabel()
        self._read()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._table.relabel()
        self._show_facts()
        self._show_title()
        self._check.relabel()
        stop = texts("models.key_stop" if self._check.under_way else "models.key_back")
        self._keys.show(
            [
                (texts("models.key_choose"), "screen.choose"), (texts("models.key_add"), "screen.add"),
                (texts("models.key_verify"), "screen.verify"), (texts("models.key_remove"), "screen.remove"),
                (texts("models.key_read_on"), "screen.read_on(1)"), (stop, "screen.back"),
            ]
        )  # fmt: skip
        self._show_message()

    # --- what is there ----------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="read")
    def _read(self) -> None:
        """Read the store, judge each level, measure, judge again; the screen is told after each step."""
        worker = get_current_worker()
        try:
            rows = rows_of(inventory.stored(), inventory.unfinished())
        except OSError as error:  # the disk of the store is gone
            self.post_message(self._Failed(_unreadable(error), stale=False))
            return
        current = self._key_of_current(rows)
        self.post_message(self._Listed(rows, Judged(current=current, measured=self._known.measured)))
        for _ in range(2):
            machine = hardware.read_machine()
            candidates: dict[tuple[str, str], Candidate] = {}
            for row in rows:
                if worker.is_cancelled:
                    return
                if row.model and row.level:
                    candidates[row.key] = self._known.judge(row.model, row.level, machine)
            ready = self._known.measured or hardware.lacks_avx(machine)
            self.post_message(self._Listed(rows, Judged(machine, candidates, ready, current)))
            if ready:
                break
            self._known.measure(machine)

    @on(_Listed)
    def _list(self, listed: _Listed) -> None:
        first = not self._rows
        self._rows, self._judged = listed.rows, listed.judged
        cursor = self._cursor or (self._judged.current if first else None)
        self._cursor = None
        self._table.show(self._rows, self._judged, cursor)
        self._show_title()
        self._show_facts()
        failure = self._known.failure
        if failure is not None and self._message is None:
            self._say_error(failure)

    @on(ModelTable.Moved)
    def _show_facts(self) -> None:
        row = self._table.row
        known = facts(self._texts, row, self._judged) if row else [self._texts("models.reading")]
        self._facts.update("\n".join(known))

    def _show_title(self) -> None:
        parts = [self._texts("models.title")]
        if self._judged.machine is None:
            parts.append(self._texts("models.reading"))
        elif not self._judged.measured:
            parts.append(self._texts("models.measuring"))
        self._title.update(" · ".join(parts))

    def _key_of_current(self, rows: list[Row]) -> tuple[str, str] | None:
        if self._current is None:
            return None
        path = self._current.path
        return next((row.key for row in rows if row.model and row.level
                     and row.model.folder / row.level.file == path), None)  # fmt: skip

    def action_read_on(self, pages: int) -> None:
        """Move what is said of a row by pages; the rows keep the cursor."""
        if pages < 0:
            self._scroll.scroll_page_up(animate=False)
        else:
            self._scroll.scroll_page_down(animate=False)

    # --- choosing ---------------------------------------------------------------------------------

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if row := self._table.row:
            self._choose(row)

    @on(ModelTable.Wanted)
    def _wanted(self, wanted: ModelTable.Wanted) -> None:
        self._choose(wanted.row)

    def _choose(self, row: Row) -> None:
        texts, left = self._texts, row.left
        if left is not None:
            self._say(lambda: texts("models.unfinished_why", size=size(left.size_bytes)))
        elif row.level is None:
            self._say(lambda: texts("models.not_usable"), error=True)
        elif withdrawn(row):
            self._say(lambda: reason(texts, row, self._judged), error=True)
        elif damaged(row):
            self._say(
                lambda: reason(texts, row, self._judged) + "\n" + texts("models.not_usable"), error=True
            )
        else:
            self._say(lambda: texts("models.opening", name=short(row.name)))
            self._open(row, sure=False)

    @work(thread=True, exclusive=True, group="choose")
    def _open(self, row: Row, *, sure: bool) -> None:
        """Judge the row once more, since memory comes and goes, and check its file."""
        if row.model is None or row.level is None:
            return
        try:
            machine = hardware.read_machine()
            candidate = self._known.judge(row.model, row.level, machine)
            if candidate.verdict == "does not fit" and not sure:
                judged = Judged(machine, {row.key: candidate}, self._known.measured)
                self.post_message(self._Doubtful(row, judged))
                return
            self.post_message(self._Chosen(store.choose(row.name, row.level.level)))
        except OphtimusError as error:
            self.post_message(self._Failed(error))
        except OSError as error:
            self.post_message(self._Failed(_unreadable(error)))

    @on(_Doubtful)
    def _ask_whether(self, doubtful: _Doubtful) -> None:
        row, judged, texts = doubtful.row, doubtful.judged, self._texts

        def answered(sure: bool | None) -> None:
            self._say(None)
            if sure:
                self._open(row, sure=True)

        self.app.push_screen(
            ConfirmScreen(
                lambda: reason(texts, row, judged) + "\n\n" + texts("models.try_question"),
                lambda: texts("models.try_yes"),
                lambda: texts("models.try_no"),
            ),
            answered,
        )

    @on(_Chosen)
    def _leave(self, chosen: _Chosen) -> None:
        if self.is_current:  # not under a dialog that was opened meanwhile
            self.dismiss(chosen.model)

    @on(_Failed)
    def _show_failure(self, failed: _Failed) -> None:
        self._say_error(failed.error)
        if failed.stale:
            self._read()

    def action_back(self) -> None:
        """Stop the hashing; where none is under way, go back without a choice."""
        if self._check.under_way:
            self._check.stop()
        else:
            self.dismiss(None)

    # --- adding -----------------------------------------------------------------------------------

    def action_add(self) -> None:
        """Open the dialog that adds a model."""
        self.app.push_screen(AddModelScreen(self._texts), self._added)

    def _added(self, added: Added | None) -> None:
        if added is not None:
            level = added.description.level_named(added.description.default_level)
            self._cursor = added.folder.name, level.file if level else ""
            self._say(lambda: said_of_added(self._texts, added))
        self._read()  # a copy that was stopped is in the list too

    # --- verifying --------------------------------------------------------------------------------

    def action_verify(self) -> None:
        """Hash the files of the row's model and compare."""
        row = self._table.row
        if row is None or row.model is None or self._check.under_way:
            return
        self._say(None)
        self._check.begin(row.model)
        self.relabel()

    @on(ModelCheck.Ended)
    def _show_verified(self, ended: ModelCheck.Ended) -> None:
        name, result = ended.name, ended.result
        self.relabel()
        if isinstance(result, OphtimusError):
            self._show_failure(self._Failed(result))
            return
        bad = any(check.bad for check in result or ())
        self._say(lambda: said_of(self._texts, name, result), error=bad)
        if result is not None:
            self._read()

    # --- removing ---------------------------------------------------------------------------------

    def action_remove(self) -> None:
        """Ask, and remove the row's model, or what a copy left."""
        row, texts = self._table.row, self._texts
        if row is None:
            return
        if row.model is not None and row.model.built_in:
            self._say(lambda: texts("models.demo_stays"))
            return
        if row.model is not None and row.model.kit:
            self._say(lambda: texts("models.kit_stays", name=short(row.name)))
            return
        if self._judged.current is not None and row.name == self._judged.current[0]:
            self._say(lambda: texts("models.in_use_stays", name=short(row.name)))
            return

        def answered(sure: bool | None) -> None:
            if sure:
                self._remove(row.name)

        # Removing takes the model and what broken copies of it left, under whichever row it was asked.
        installed = any(one.name == row.name and one.left is None for one in self._rows)
        question = "models.remove_question" if installed else "models.remove_left_question"
        self.app.push_screen(
            ConfirmScreen(
                lambda: texts(question, name=line(row.name)),
                lambda: texts("models.remove_yes"),
                lambda: texts("models.remove_no"),
            ),
            answered,
        )

    @work(thread=True, group="remove")
    def _remove(self, name: str) -> None:
        try:
            self.post_message(self._Removed(name, inventory.remove(name)))
        except OphtimusError as error:
            self.post_message(self._Failed(error))
        except OSError as error:
            self.post_message(self._Failed(_unreadable(error)))

    @on(_Removed)
    def _show_removed(self, removed: _Removed) -> None:
        name, freed = line(removed.name), size(removed.freed_bytes)
        self._say(lambda: self._texts("models.removed", name=name, size=freed))
        self._read()

    # --- what is said -----------------------------------------------------------------------------

    def _say(self, sentence: Said | None, *, error: bool = False) -> None:
        self._message = (sentence, error) if sentence else None
        self._show_message()

    def _say_error(self, error: OphtimusError) -> None:
        self._say(lambda: said(error, self._texts), error=True)

    def _show_message(self) -> None:
        text, error = (self._message[0](), self._message[1]) if self._message else ("", False)
        self._said.update(sanitize(text))
        self._said.set_class(bool(text), "shown")
        self._said.set_class(error, "error")


def _unreadable(error: OSError) -> InvalidModelError:
    return InvalidModelError(
        f"{error.filename or 'the model'} cannot be read: {error.strerror or error}.",
        "Check the disk that the store of models lies on.",
    )
