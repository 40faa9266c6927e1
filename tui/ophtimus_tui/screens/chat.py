"""The chat screen: ask, read the answer as it is written, stop it, edit, go from talk to talk."""

import asyncio
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.widgets import OptionList

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import HistoryError
from ophtimus_edge.history.beside import Beside
from ophtimus_edge.history.draft import Draft
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.talk import new_talk
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.settings import Settings
from ophtimus_edge.specialties import role_named
from ophtimus_tui.composing import Composing
from ophtimus_tui.error_texts import said
from ophtimus_tui.keys import APP_ACTIONS, CHAT
from ophtimus_tui.open_talk import OpenTalk
from ophtimus_tui.screens.exchange_commands import ExchangeCommands
from ophtimus_tui.screens.talk_commands import TalkCommands
from ophtimus_tui.sending import Sending
from ophtimus_tui.serving import Serving
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.ask_box import AskBox
from ophtimus_tui.widgets.exchange import Exchange
from ophtimus_tui.widgets.foot import Foot
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.pressable import Pressable
from ophtimus_tui.widgets.talk_view import TalkView
from ophtimus_tui.widgets.top_line import TopLine

_WIDE = 100  # cells, from which on the list of talks stands beside the talk
_LOW = 16  # rows, below which the foot has no keys
_LOWEST = 8  # rows, below which the question box has one row, and top and foot too
_OF_WIDGETS = {"ctrl+c", "ctrl+k"}  # the question box has a meaning of its own for them


class Left(NamedTuple):
    """What the chat screen held when it was left.

    Attributes:
        talk_id: of the talk that was open; "" for one without a question.
        text: what was written and is kept in no file.
    """

    talk_id: str = ""
    text: str = ""


class ChatScreen(ExchangeCommands, TalkCommands):
    """Questions to one model. A question sent while the model loads or writes waits for its turn."""

    DEFAULT_CSS = """
    ChatScreen #middle { height: 1fr; }
    ChatScreen TalkList { display: none; width: 26; }
    ChatScreen.listing TalkList { display: block; }
    ChatScreen.low KeyLine#keys { display: none; }
    ChatScreen.lowest TopLine, ChatScreen.lowest Foot { max-height: 1; }
    ChatScreen.lowest TopLine.warning > Horizontal, ChatScreen.lowest Meter, ChatScreen.lowest #below {
        display: none;
    }
    ChatScreen.lowest AskBox, ChatScreen.lowest AskBox:focus { border: none; min-height: 1; max-height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            key.keys,
            f"app.{key.action}" if key.action in APP_ACTIONS else key.action,
            show=False,
            priority=key.keys not in _OF_WIDGETS,
        )
        for key in CHAT
        if key.action
    ]

    def __init__(self, texts: Texts, model: ChosenModel, engine: Engine, keeping: Callable[[], str]) -> None:
        """Make the screen; nothing is answered before :meth:`take_up`.

        Args:
            keeping: says what becomes of what is asked, in the language that is spoken.
        """
        super().__init__()
        self._texts = texts
        self.model = model
        self._keeping = keeping
        self._mounted = asyncio.Event()
        self._unkept: HistoryError | None = None
        self._settings = Settings()
        self._listing = False
        self._listing_asked: bool | None = None
        # Kept, not looked up: the engine's last events may arrive while the screen is being taken down.
        self._top = TopLine()
        self.composing = Composing(texts)
        self.box = self.composing.box
        self._foot = Foot(texts)
        self._keys = KeyLine()
        self._keys.id = "keys"
        self.serving = Serving(
            engine, None, texts,
            show_state=self._show_state, show_memory=self._foot.meter.show, say=self.say, kept=self.relabel_keeping,
            placed=lambda exchange: self.open_talk.placed(exchange),
            unkept=lambda job, error: self.sending.refused(job, error),
        )  # fmt: skip
        self.open_talk = OpenTalk(
            texts, self.composing, self.serving, opened=self.relabel, kept=self.relabel_keeping
        )
        self._view, self._list = self.open_talk.view, self.open_talk.list
        self.sending = Sending(texts, self.composing, self.open_talk, self.serving, sent=self.relabel)

    def compose(self) -> ComposeResult:
        """Top line, talks beside the talk, question box, foot."""
        self._fold(self.app.size)  # before there are widgets whose styles would have to be worked out anew
        yield self._top
        with Horizontal(id="middle"):
            yield self._list
            with Vertical():
                yield self._view
                yield self.box
        yield self._foot
        yield self._keys

    def on_mount(self) -> None:
        """Put the cursor behind what was begun, or the example, and start the model."""
        self.composing.begin()
        self.relabel()
        self._mounted.set()
        self.open_model(self.model)

    def on_unmount(self) -> None:
        """Keep the last letters too."""
        self.composing.end()

    def apply(self, settings: Settings) -> None:
        """Take the settings that concern this screen."""
        self._settings = self.serving.settings = settings
        self.serving.role = settings.role
        self._view.details = settings.shows_details(settings.role)

    def follow(self, settings: Settings, before: Settings) -> None:
        """Take the settings of somebody else while the app runs; what is set alike stays as it was switched since."""
        self._settings = self.serving.settings = settings
        if settings.role != before.role and not self.model.is_base:  # a base model has one role only
            self.serving.role = settings.role
            self.serving.relabel()
            self.run_worker(self.serving.warm(), group="warm")  # takes seconds; the history does not wait
        elif settings.details == before.details:
            return
        self._view.details = settings.shows_details(self.serving.role)

    async def take_up(self, history: History, draft: Draft | None = None, talk_id: str = "") -> None:
        """Answer from now on, and keep it.

        Args:
            draft: where a question that was not sent is kept; None keeps nothing.
            talk_id: the talk to open; "" for a new one.
        """
        await self._mounted.wait()
        await self.sending.take_up(draft)
        await self.serving.take_up(history)
        self.relabel_keeping()
        if talk_id:
            await self.open_talk.open_kept(talk_id)
        else:
            self.open_talk.list_talks()

    async def leave(self) -> Left:
        """Stop everything, keep what there is, and hold nothing of it any more."""
        self.owner = None
        text = await self.sending.leave()
        talk_id = await self.open_talk.leave()
        self.clear_selection()
        self.serving.remember(0)
        return Left(talk_id, text)

    @property
    def exchanges(self) -> list[Exchange]:
        """What stands in the talk, top to bottom."""
        return self._view.exchanges

    def relabel(self) -> None:
        """Write everything that is the app's own anew, in the language that is spoken now."""
        self._foot.relabel()
        self.composing.relabel()
        self._show_keys()
        self.serving.relabel()
        self._view.relabel()
        self.relabel_keeping()
        self.open_talk.list_talks()

    def relabel_keeping(self) -> None:
        """Say anew what becomes of what is asked, and in the talk when it changes."""
        self._top.show_keeping(self._keeping())
        history = self.history
        unkept = history.unkept if isinstance(history, Beside) and not history.read_only else None
        if unkept and not self._unkept:
            self.say(lambda: "\n".join([said(unkept, self._texts), self._texts("chat.unkept_now")]))
        elif self._unkept and not unkept and history is not None:
            self.say(lambda: self._texts("chat.kept_again"))
        self._unkept = unkept

    def on_resize(self) -> None:
        """Fold the list of talks away where the screen is narrow, the keys where it is low."""
        self._fold(self.size)

    def _fold(self, size: Size) -> None:
        wide = size.width >= _WIDE
        self._listing = wide if self._listing_asked is None else self._listing_asked
        self.set_class(self._listing, "listing")
        self.set_class(size.height < _LOW, "low")
        self.set_class(size.height < _LOWEST, "lowest")

    # Asking

    @on(AskBox.Sent)
    def sent(self, sent: AskBox.Sent) -> None:
        """Put a question at the end of the talk, once nothing in it names a patient unseen."""
        self._send(sent.question)

    @work
    async def _send(self, written: str) -> None:
        await self.sending.send(written)

    def open_model(self, model: ChosenModel) -> None:
        """Load a model in the place of the one that is there; the talk stays."""
        self.model = model
        self._show_state(self._texts("chat.loading", percent=0))
        self._serve(model)

    async def rest(self) -> bool:
        """End the model's process, for something else that needs its memory; false where it is at work."""
        if self.serving.unfinished:
            return False
        self.workers.cancel_group(self, "serve")
        await self.serving.ended()
        await self.serving.engine.close()
        return True

    def wake(self) -> None:
        """Load the model again after a rest."""
        if self.is_running:
            self.open_model(self.model)

    @work(exclusive=True, group="serve")
    async def _serve(self, model: ChosenModel) -> None:
        await self.serving.serve(model)

    @on(AskBox.Changed)
    def _changed(self) -> None:
        self.composing.changed()

    # What serving tells

    def _show_state(self, state: str) -> None:
        warning = self._texts("chat.demonstration") if self.model.demonstration else ""
        if reason := self.serving.withdrawn.get(self._texts.language):
            warning = self._texts("chat.withdrawn_model", reason=reason)
        role = role_named(self.serving.role).title[self._texts.language]
        self._top.show(f"{self.model.name} · {self.model.level}", state, role, warning)

    def say(self, say: Callable[[], str]) -> None:
        """Put a sentence of the app's own into the talk.

        Args:
            say: gives it in the language that is spoken when it is asked.
        """
        self._view.say(say)

    # Commands

    async def action_stop(self) -> None:
        """Stop what is under way; else leave the edited question as it was, or go to the question box."""
        if await self.serving.stop():
            return
        self.composing.leave_editing()
        self.box.focus()

    def action_send(self) -> None:
        """Send what the box holds."""
        self.box.send()

    def action_scroll(self, pages: int) -> None:
        """Move the talk by pages; the question box keeps the cursor."""
        if pages < 0:
            self._view.scroll_page_up()
        else:
            self._view.scroll_page_down()

    def action_edit(self) -> None:
        """Put the chosen question into the box, to be asked in its own place; in the list, name the talk."""
        if self._list.has_focus:
            self.action_rename()
            return
        chosen = self._view.chosen
        if chosen is not None and not self.open_talk.busy_from(chosen):
            self.composing.write(chosen.question, editing=chosen)

    def action_raw(self) -> None:
        """Show all answers as they were written, or with their formatting."""
        self._view.raw = not self._view.raw

    def action_details(self) -> None:
        """Show the details of all answers, or one word."""
        self._view.details = not self._view.details

    def action_talks(self) -> None:
        """Go to the list of talks, or put it away."""
        self._listing_asked = not (self._listing and self._list.has_focus)
        self._fold(self.size)
        if self._listing:
            self.open_talk.list_talks()
            self._list.focus()
        else:
            self.box.focus()

    async def action_new(self) -> None:
        """Begin a new talk; the one that is there stays in the list."""
        await self.open_talk.open(new_talk())

    async def set_role(self, role: str) -> None:
        """Answer in another role from now on."""
        self.serving.role = role
        self._view.details = self._settings.shows_details(role)
        self.serving.relabel()
        await self.serving.warm()

    # What its widgets tell

    @on(OptionList.OptionSelected, "TalkList")
    async def _talk_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_id:
            await self.open_talk.open_kept(event.option_id)
        self.box.focus()

    @on(TalkView.Left)
    def _typed(self, event: TalkView.Left) -> None:
        self.box.focus()
        if event.typed:
            self.box.insert(event.typed)

    @on(AskBox.Left)
    def _left(self) -> None:
        if exchanges := self.exchanges:
            exchanges[-1].focus()

    @on(Pressable.Pressed)
    async def _pressed(self, event: Pressable.Pressed) -> None:
        await self.run_action("app.roles" if event.pressable.id == "role" else "app.language")
