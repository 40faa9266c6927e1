"""A few boxes to fill in and an answer that takes time: a passphrase, a name, the end of a recovery key."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.screens.ending import end
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.key_line import KeyLine

Said = Callable[[], str]
ResultT = TypeVar("ResultT")
# A syllable that an input method still composes arrives behind the Enter that ended it.
_LATE_S = 0.06
_LONGEST_WAIT_S = 5  # between two tries


class Field(NamedTuple):
    """A box.

    Attributes:
        label: the key of the sentence over it.
        secret: whether it shows what is typed only when it is asked to.
    """

    label: str
    secret: bool = False
    value: str = ""


class FormError(Exception):
    """What was typed does not fit together.

    Args:
        key: of the sentence that says so.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class FormScreen(ModalScreen[ResultT | None], Generic[ResultT]):
    """Dismissed with what came of the boxes; with None by Escape. What is refused is said, and asked again."""

    DEFAULT_CSS = """
    FormScreen { align: center middle; }
    FormScreen.covers { background: $background; }
    FormScreen > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $primary; padding: 0 1;
        background: $surface;
    }
    FormScreen VerticalScroll { height: auto; max-height: 12; margin: 0 0 1 0; }
    FormScreen Static { height: auto; }
    FormScreen .label { color: $text-muted; }
    FormScreen Input { border: none; height: 1; padding: 0 1; background: $panel; margin: 0 0 1 0; }
    FormScreen #said { display: none; color: $error; }
    FormScreen #said.shown { display: block; }
    FormScreen #said.works { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f2", "reveal", show=False, priority=True),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
    ]

    def __init__(
        self,
        texts: Texts,
        text: Said,
        fields: Sequence[Field],
        act: Callable[[list[str]], ResultT],
        *,
        leaving: str = "people.key_leave",
        covers: bool = False,
    ) -> None:
        """Make the screen.

        Args:
            text: gives what stands over the boxes.
            act: called in a thread with what was typed; it may raise OphtimusError or FormError.
            leaving: the key of the words for Escape.
            covers: whether nothing of what is underneath is shown.
        """
        super().__init__()
        self._texts, self._text, self._fields, self._act = texts, text, fields, act
        self._leaving = leaving
        self._tries = 0
        self._works = False
        self._failure: OphtimusError | FormError | None = None
        self._over = Static("", markup=False)
        self._labels = [Static("", classes="label", markup=False) for _ in fields]
        self._boxes = [Input(field.value, password=field.secret, compact=True) for field in fields]
        self._said = Static("", id="said", markup=False)
        self._keys = KeyLine()
        self.set_class(covers, "covers")

    def compose(self) -> ComposeResult:
        """The text, the boxes, what came of them, the keys."""
        with Vertical():
            scroll = VerticalScroll(self._over)
            scroll.can_focus = False
            yield scroll
            for label, box in zip(self._labels, self._boxes, strict=True):
                yield label
                yield box
            yield self._said
            yield self._keys

    def on_mount(self) -> None:
        """Put the cursor into the first box."""
        self.relabel()
        self._boxes[0].focus()

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts = self._texts
        self._over.update(self._text())
        for label, field in zip(self._labels, self._fields, strict=True):
            label.update(texts(field.label))
        failure = self._failure
        if self._works:
            words = texts("people.works")
        elif isinstance(failure, FormError):
            words = texts(failure.key)
        else:
            words = said(failure, texts) if failure else ""
        self._said.update(words)
        self._said.set_class(bool(words), "shown")
        self._said.set_class(self._works, "works")
        self._keys.show(self.key_words())

    def key_words(self) -> list[tuple[str, str]]:
        """What the keys under the boxes do, and their actions."""
        texts = self._texts
        keys = [(texts("people.key_enter"), "screen.enter"), (texts(self._leaving), "screen.leave")]
        if any(field.secret for field in self._fields):
            keys.append((texts("people.key_reveal"), "screen.reveal"))
        return keys

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._go_on()

    def action_enter(self) -> None:
        """Go on from the box with the cursor, as Enter does."""
        self._go_on()

    def action_leave(self) -> None:
        """Leave it, unless it is being done."""
        if not self._works:
            self.dismiss(None)

    def action_reveal(self) -> None:
        """Show what is typed, or hide it again."""
        hidden = any(box.password for box in self._boxes)
        for box, field in zip(self._boxes, self._fields, strict=True):
            box.password = field.secret and not hidden

    def action_move(self, by: int) -> None:
        """Go to another box."""
        place = self._at() + by
        if 0 <= place < len(self._boxes):
            self._boxes[place].focus()

    def _at(self) -> int:
        return next((place for place, box in enumerate(self._boxes) if box.has_focus), 0)

    @work(exclusive=True)
    async def _go_on(self) -> None:
        if self._works:
            return
        await asyncio.sleep(_LATE_S)
        place = self._at()
        if place + 1 < len(self._boxes):
            self._boxes[place + 1].focus()
            return
        self._show(works=True)
        try:
            await asyncio.sleep(min(self._tries, _LONGEST_WAIT_S))  # each wrong try makes the next one wait
            result = await asyncio.to_thread(self._act, [sanitize(box.value) for box in self._boxes])
        except (OphtimusError, FormError) as error:
            self._tries += 1
            self._failure = error
            self._show(works=False)
            for box, field in zip(self._boxes, self._fields, strict=True):
                if field.secret:
                    box.value = ""
            first = next(
                (box for box, field in zip(self._boxes, self._fields, strict=True) if field.secret), None
            )
            (first or self._boxes[0]).focus()
        else:
            end(self, result)

    def _show(self, *, works: bool) -> None:
        self._works = works
        for box in self._boxes:
            box.disabled = works
        self.relabel()
