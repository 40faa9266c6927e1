"""A handout for a patient: the copy of an answer is corrected here, signed with a name, and only then written."""

from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Static

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.history import handout
from ophtimus_edge.history.saving import save
from ophtimus_edge.history.talk import now
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.file_names import file_name
from ophtimus_tui.screens.choose import Said
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.save_file import SaveFileScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.editor import Editor
from ophtimus_tui.widgets.key_line import KeyLine

_LOW = 12  # rows, below which the copy has three
_LONGEST = 200  # characters of a line


class HandoutScreen(Screen[Path | None]):
    """Dismissed with the path of the page, or with None. The answer itself is not touched.

    Args:
        draft: the words of the answer.
    """

    DEFAULT_CSS = """
    HandoutScreen { background: $background; color: $text; }
    HandoutScreen #title { height: auto; padding: 0 1; }
    HandoutScreen #page { height: 1fr; padding: 0 1; }
    HandoutScreen #page > Static { width: 100%; max-width: 100; height: auto; }
    HandoutScreen Editor { height: 10; max-width: 100; margin: 1 0; }
    HandoutScreen #standing { padding: 0 2; color: $text-muted; }
    HandoutScreen .label { margin: 1 0 0 0; }
    HandoutScreen Input, HandoutScreen Input:focus {
        border: none; height: 1; max-width: 100; padding: 0 1; background: $panel;
    }
    HandoutScreen #said { height: auto; max-height: 50%; padding: 0 2; color: $error; display: none; }
    HandoutScreen #said.shown { display: block; }
    HandoutScreen.low Editor { height: 3; border: none; margin: 0; }
    HandoutScreen.low #title, HandoutScreen.low KeyLine { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f2", "go_on", show=False, priority=True),
    ]

    def __init__(self, texts: Texts, draft: str) -> None:
        super().__init__()
        self._texts = texts
        self._draft = draft
        self._problem: Said | None = None
        self._title = Static("", id="title", markup=False)
        self._box = Editor(draft)
        self._standing = Static("", id="standing", markup=False)
        self._above_name, self._above_contact = (Static("", classes="label", markup=False) for _ in range(2))
        self._signer, self._contact = (Input(compact=True, max_length=_LONGEST) for _ in range(2))
        self._said = Static("", id="said", markup=False)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """The copy, what every handout says, the name, the contact."""
        yield self._title
        with VerticalScroll(id="page", can_focus=False):
            yield from (self._box, self._standing)
            yield from (self._above_name, self._signer, self._above_contact, self._contact)
        yield from (self._said, self._keys)

    def on_mount(self) -> None:
        """Put the cursor into the copy."""
        self.relabel()
        self._box.focus()

    def on_resize(self) -> None:
        """Make the copy small where the screen is low."""
        self.set_class(self.size.height < _LOW, "low")

    @property
    def _language(self) -> str:
        """What the patient reads: the language of the text, not of the app."""
        return handout.language_of(self._box.text)

    def relabel(self) -> None:
        """Write everything that is the app's own anew, in the language that is spoken now."""
        texts = self._texts
        self._title.update(texts("handout.title"))
        self._box.border_title = texts("handout.copy")
        self._above_name.update(texts("handout.name"))
        self._above_contact.update(texts("handout.contact"))
        self._keys.show(
            [
                (texts("handout.key_next"), "app.focus_next"), (texts("handout.key_go_on"), "screen.go_on"),
                (texts("handout.key_leave"), "screen.leave"),
            ]
        )  # fmt: skip
        self._say_standing()
        self._show_problem()

    @on(Editor.Changed)
    def _say_standing(self) -> None:
        parts = [self._texts("handout.standing")]
        for heading, signs in handout.standing_groups(self._language):
            parts.append("\n".join([heading, *(f"  • {sign}" for sign in signs)]))
        self._standing.update("\n\n".join(parts))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if event.input is self._signer:
            self._contact.focus()
        else:
            self.action_go_on()

    @work
    async def action_go_on(self) -> None:
        """Make the page, and ask where it goes; what is missing is said."""
        texts, name = self._texts, self._signer.value
        self._problem = None
        if not self._box.text.strip():
            self._problem = partial(texts, "handout.text_missing")
            self._box.focus()
        elif not name.strip():
            self._problem = partial(texts, "handout.name_missing")
            self._signer.focus()
        self._show_problem()
        if self._problem:
            return
        try:
            page = handout.page(self._box.written, name, self._language, contact=self._contact.value)
        except OphtimusError as error:
            self._problem = partial(said, error, texts)
            self._show_problem()
            return
        offered = file_name(texts("handout.file"), now().date(), "html")
        screen = SaveFileScreen(
            texts,
            partial(texts, "handout.save_title"),
            offered,
            lambda path, replace, _show: save(path, page.encode(), replace),
            partial(texts, "save.writing"),
        )
        path = await self.app.push_screen_wait(screen)
        if path is not None:
            self.dismiss(path)

    @work
    async def action_leave(self) -> None:
        """Write nothing; what was corrected is asked about first."""
        texts = self._texts
        sure: bool | None = self._box.text == self._draft
        if not sure:
            sure = await self.app.push_screen_wait(
                ConfirmScreen(
                    lambda: texts("handout.sure_leave"),
                    lambda: texts("flag.drop"),
                    lambda: texts("flag.write_on"),
                )
            )
        if sure:
            self.dismiss(None)

    def _show_problem(self) -> None:
        self._said.update(sanitize(self._problem()) if self._problem else "")
        self._said.set_class(self._problem is not None, "shown")
