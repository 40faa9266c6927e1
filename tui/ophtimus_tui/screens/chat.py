"""The chat screen: ask, read the answer as it is written, stop it, ask again, edit, choose among versions."""

import asyncio
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import OptionList, Static

from ophtimus_edge.conversation import clean_question
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import FolderNotWritableError, QuestionError
from ophtimus_edge.history.draft import Draft
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.talk import Question, Talk, new_talk
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.safety import identifiers
from ophtimus_edge.settings import Settings
from ophtimus_edge.specialties import role_named
from ophtimus_tui import clipboard
from ophtimus_tui.keys import CHAT
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.serving import Job, Serving
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.ask_box import AskBox
from ophtimus_tui.widgets.exchange import Exchange
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.meter import Meter
from ophtimus_tui.widgets.pressable import Pressable
from ophtimus_tui.widgets.talk_list import TalkList
from ophtimus_tui.widgets.top_line import TopLine

_WIDE = 100  # cells, from which on the list of talks stands beside the talk
_NARROW = 90  # below it the foot needs two lines
_DRAFT_S = 0.5
_APP_ACTIONS = {"help", "models", "roles", "theme", "language", "palette", "quit"}
_OF_WIDGETS = {"ctrl+c", "ctrl+k"}  # the question box has a meaning of its own for them


class ChatScreen(Screen[None]):
    """Questions to one model. A question sent while the model loads or writes waits for its turn."""

    DEFAULT_CSS = """
    ChatScreen #middle { height: 1fr; }
    ChatScreen #talk { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    ChatScreen #talk > Static { color: $text-muted; margin: 0 0 1 2; }
    ChatScreen #foot { height: auto; padding: 0 1; color: $text-muted; }
    ChatScreen #supports { width: 1fr; height: auto; text-align: right; margin: 0 0 0 2; }
    ChatScreen TalkList { display: none; width: 26; }
    ChatScreen.listing TalkList { display: block; }
    ChatScreen.narrow #foot { layout: vertical; }
    ChatScreen.narrow #supports { width: 100%; text-align: left; margin: 0; }
    ChatScreen.low KeyLine#keys { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            key.keys,
            f"app.{key.action}" if key.action in _APP_ACTIONS else key.action,
            show=False,
            priority=key.keys not in _OF_WIDGETS,
        )
        for key in CHAT
        if key.action
    ]

    def __init__(
        self, texts: Texts, model: ChosenModel, engine: Engine, history: History, draft: Draft | None
    ) -> None:
        """Make the screen.

        Args:
            draft: where a question that was not sent is kept; None keeps nothing.
        """
        super().__init__()
        self._texts = texts
        self.model = model
        self._history = history
        self._draft = draft
        self._settings = Settings()
        self._talk: Talk = new_talk()
        self._state = ""
        self._raw = self._details = self._listing = False
        self._listing_asked: bool | None = None
        self._editing: Exchange | None = None
        self._draft_failed = False
        self._draft_due: Timer | None = None
        self._asking, self._drafting = asyncio.Lock(), asyncio.Lock()
        # Kept, not looked up: the engine's last events may arrive while the screen is being taken down.
        self._top = TopLine()
        self._scroll = VerticalScroll(id="talk")
        self.box = AskBox()
        self._meter = Meter()
        self._supports = Static("", id="supports", markup=False)
        self._keys = KeyLine()
        self._keys.id = "keys"
        self._list = TalkList(texts)
        self.serving = Serving(
            engine, history, texts,
            show_state=self._show_state, show_memory=self._meter.show, placed=self._placed, say=self.say,
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """Top line, talks beside the talk, question box, foot."""
        yield self._top
        with Horizontal(id="middle"):
            yield self._list
            with Vertical():
                yield self._scroll
                yield self.box
        with Horizontal(id="foot"):
            yield self._meter
            yield self._supports
        yield self._keys

    def on_mount(self) -> None:
        """Put the cursor behind what was begun, or the example, and start the model."""
        self._scroll.can_focus = False
        begun = self._draft.read() if self._draft else ""
        self.box.text = begun or self._texts("chat.example")
        self.box.move_cursor(self.box.document.end)
        self.box.focus()
        self.relabel()
        self.open_model(self.model)

    def apply(self, settings: Settings) -> None:
        """Take the settings that concern this screen."""
        self._settings = self.serving.settings = settings
        self.serving.role = settings.role
        self._details = settings.shows_details(settings.role)

    @property
    def exchanges(self) -> list[Exchange]:
        """What stands in the talk, top to bottom."""
        return [child for child in self._scroll.children if isinstance(child, Exchange)]

    def relabel(self) -> None:
        """Write everything that is the app's own anew, in the language that is spoken now."""
        texts = self._texts
        self._supports.update(texts("chat.supports"))
        self._meter.name_it(texts("chat.memory"))
        self.box.border_title = texts("chat.editing" if self._editing else "chat.ask")
        self._keys.show(
            [
                (texts(key.label), f"app.{key.action}" if key.action in _APP_ACTIONS else f"screen.{key.action}")
                for key in CHAT
                if key.label
            ]
        )  # fmt: skip
        self.serving.relabel()
        for exchange in self.exchanges:
            exchange.relabel()
        self._list.show(self._history.talks(), self._talk)

    def on_resize(self) -> None:
        """Fold the list of talks away where the screen is narrow, the keys where it is low."""
        self._fold()

    def _fold(self) -> None:
        wide = self.size.width >= _WIDE
        self._listing = wide if self._listing_asked is None else self._listing_asked
        self.set_class(self._listing, "listing")
        self.set_class(self.size.width < _NARROW, "narrow")
        self.set_class(self.size.height < 16, "low")

    # Asking

    @on(AskBox.Sent)
    def sent(self, sent: AskBox.Sent) -> None:
        """Put a question at the end of the talk, once nothing in it names a patient unseen."""
        self._ask(sent.question)

    @work
    async def _ask(self, written: str) -> None:
        async with self._asking:  # one behind the other, in the order of the keys
            try:
                question = clean_question(written)
            except QuestionError:
                return  # nothing but blanks and control characters
            if found := identifiers.find(question):
                chosen = await self.app.push_screen_wait(self._point_out(found))
                if chosen is None:
                    self.box.text = written
                    self.box.move_cursor(self.box.document.end)
                    return
                if chosen == "remove":
                    question = identifiers.remove(question, found, self._texts("chat.removed"))
            edited, self._editing = self._editing, None
            place = None
            if edited is not None and edited.place is not None and not self._busy_from(edited):
                place = edited.place
                await self._clear_from(edited)
            exchange = self._exchange(question, None)
            await self._scroll.mount(exchange)
            self._scroll.anchor()
            self._keep_draft()
            self.relabel()
            self.serving.jobs.put_nowait(Job(exchange, self._talk, "ask", place))

    def _point_out(self, found: list[identifiers.Identifier]) -> ChooseScreen:
        """The question whether what names a patient shall be sent."""
        texts = self._texts
        kinds = sorted({identifier.kind for identifier in found})
        return ChooseScreen(
            lambda: texts(
                "chat.identifiers", found=", ".join(texts(f"chat.identifier_{kind}") for kind in kinds)
            ),
            {"remove": lambda: texts("chat.remove"), "as it is": lambda: texts("chat.send_as_is")},
        )

    def open_model(self, model: ChosenModel) -> None:
        """Load a model in the place of the one that is there; the talk stays."""
        self.model = model
        self._show_state(self._texts("chat.loading", percent=0))
        self._serve(model)

    @work(exclusive=True, group="serve")
    async def _serve(self, model: ChosenModel) -> None:
        await self.serving.serve(model)

    @on(AskBox.Changed)
    def _changed(self) -> None:
        if self._draft is not None and self._draft_due is None:
            self._draft_due = self.set_timer(_DRAFT_S, self._keep_draft)

    @work(group="draft")
    async def _keep_draft(self) -> None:
        """Keep what is in the box, but not the example."""
        self._draft_due = None
        if self._draft is None:
            return
        async with self._drafting:
            text = self.box.text
            try:
                await asyncio.to_thread(self._draft.keep, "" if text == self._texts("chat.example") else text)
                self._draft_failed = False
            except FolderNotWritableError as error:
                if not self._draft_failed:
                    self._draft_failed = True
                    reason = f"{error.message} {error.hint}"
                    self.notify(
                        self._texts("chat.draft_failed", reason=reason), severity="warning", markup=False
                    )

    # What serving tells

    def _show_state(self, state: str) -> None:
        self._state = state
        warning = self._texts("chat.demonstration") if self.model.demonstration else ""
        role = role_named(self.serving.role).title[self._texts.language]
        self._top.show(f"{self.model.name} · {self.model.level}", state, role, warning)

    def _placed(self, exchange: Exchange) -> None:
        """An exchange has its place: say which of the earlier ones no longer fit."""
        self._list.show(self._history.talks(), self._talk)
        dropped = set(exchange.reply.dropped) if exchange.reply else set()
        run = 0
        for other in self.exchanges:
            gone = other.place is not None and other.place.id in dropped
            run = run + 1 if gone else 0
            other.gone(0)
            if gone:
                following = self._after(other)
                if following is None or following.place is None or following.place.id not in dropped:
                    other.gone(run)

    def say(self, sentence: str) -> None:
        """Put a sentence of the app's own into the talk."""
        self._scroll.mount(Static(sentence, markup=False))

    # Commands

    async def action_stop(self) -> None:
        """Stop the answer under way; else leave the edited question as it was, or go to the question box."""
        if await self.serving.stop():
            return
        if self._editing:
            self._editing = None
            self.box.clear()
            self.relabel()
        self.box.focus()

    def action_scroll(self, pages: int) -> None:
        """Move the talk by pages; the question box keeps the cursor."""
        if pages < 0:
            self._scroll.scroll_page_up()
        else:
            self._scroll.scroll_page_down()

    def action_again(self) -> None:
        """Answer the chosen question again, with chance."""
        self._answer_more("again")

    def action_go_on(self) -> None:
        """Go on with an answer that was cut short or stopped."""
        chosen = self._chosen()
        reply = chosen.reply if chosen else None
        if reply is None or reply.finish not in {"length", "cancelled"} or not reply.ids:
            return
        how = reply.provenance
        if (how.model, how.version, how.level) == (self.model.name, self.model.version, self.model.level):
            self._answer_more("go_on")

    @work
    async def _answer_more(self, kind: Literal["again", "go_on"]) -> None:
        chosen = self._chosen()
        if chosen is None or chosen.place is None or self._busy_from(chosen):
            return
        if following := self._after(chosen):
            await self._clear_from(following)
        chosen.status(self._texts("chat.waiting"))
        self.serving.jobs.put_nowait(Job(chosen, self._talk, kind))

    def action_edit(self) -> None:
        """Put the chosen question into the box, to be asked in its own place."""
        chosen = self._chosen()
        if chosen is None or chosen.place is None or self._busy_from(chosen):
            return
        self._editing = chosen
        self.box.text = chosen.question
        self.box.move_cursor(self.box.document.end)
        self.box.focus()
        self.relabel()

    def action_keep(self) -> None:
        """Keep the chosen exchange always, or no longer."""
        chosen = self._chosen()
        if chosen and chosen.reply and chosen.place:
            chosen.reply.keep = not chosen.reply.keep
            self._history.keep_reply(self._talk, chosen.place, chosen.reply)
            chosen.relabel()

    def action_raw(self) -> None:
        """Show all answers as they were written, or with their formatting."""
        self._raw = not self._raw
        for exchange in self.exchanges:
            exchange.raw(self._raw)

    def action_details(self) -> None:
        """Show the details of all answers, or one word."""
        self._details = not self._details
        for exchange in self.exchanges:
            exchange.details(self._details)

    def action_copy(self) -> None:
        """Copy what is marked, or the source of the chosen answer."""
        chosen = self._chosen()
        text = self.get_selected_text() or (chosen.answer if chosen else "")
        if text:
            self.app.copy_to_clipboard(text)  # through the terminal
            reached = clipboard.copy(text)
            self.notify(self._texts("chat.copied" if reached else "chat.copied_terminal"), markup=False)

    def action_version(self, by: int) -> None:
        """Turn the chosen exchange to another version."""
        if chosen := self._chosen():
            self._turn(chosen, by)

    def action_talks(self) -> None:
        """Go to the list of talks, or put it away."""
        self._listing_asked = not (self._listing and self._list.has_focus)
        self._fold()
        if self._listing:
            self._list.show(self._history.talks(), self._talk)
            self._list.focus()
        else:
            self.box.focus()

    async def action_new(self) -> None:
        """Begin a new talk; the one that is there stays in the list."""
        await self._open(new_talk())

    async def set_role(self, role: str) -> None:
        """Answer in another role from now on."""
        self.serving.role = role
        self._details = self._settings.shows_details(role)
        for exchange in self.exchanges:
            exchange.details(self._details)
        self.serving.relabel()
        await self.serving.warm()

    # Talks and versions

    @on(OptionList.OptionSelected, "TalkList")
    async def _talk_selected(self, event: OptionList.OptionSelected) -> None:
        for talk in self._history.talks():
            if talk.id == event.option_id:
                await self._open(talk)
        self.box.focus()

    async def _open(self, talk: Talk) -> None:
        if not self._talk.questions and not talk.questions:
            self.box.focus()
            return
        self._talk = talk
        self._editing = None
        await self._show_path()
        self.relabel()
        self.box.focus()

    async def _show_path(self) -> None:
        await self._scroll.remove_children()
        await self._scroll.mount(*[self._exchange(place.text, place) for place in self._talk.path()])
        taken = 0
        if exchanges := self.exchanges:
            self._placed(exchanges[-1])
            if reply := exchanges[-1].reply:
                taken = reply.prompt_tokens + reply.completion_tokens
        self.serving.remember(taken)
        self._scroll.anchor()

    @on(Exchange.Turned)
    def _turned(self, event: Exchange.Turned) -> None:
        self._turn(event.exchange, event.by)

    @work
    async def _turn(self, exchange: Exchange, by: int) -> None:
        place = exchange.place
        if place is None or self._busy_from(exchange):
            return
        at = self.exchanges.index(exchange)
        if len(place.replies) > 1:
            self._talk.show_reply(place, by)
        elif len(self._talk.branches(place.after)) > 1:
            self._talk.show_branch(place, by)
        else:
            return
        self._history.keep_view(self._talk)
        await self._show_path()
        self.exchanges[at].focus()

    @on(Exchange.Stepped)
    def _stepped(self, event: Exchange.Stepped) -> None:
        exchanges = self.exchanges
        at = exchanges.index(event.exchange) + event.by if event.exchange in exchanges else len(exchanges)
        if event.by and 0 <= at < len(exchanges):
            exchanges[at].focus()
        elif event.by >= 0:
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

    def _exchange(self, text: str, place: Question | None) -> Exchange:
        return Exchange(self._texts, text, self._talk, place, raw=self._raw, details=self._details)

    def _chosen(self) -> Exchange | None:
        """The exchange with the cursor, else the last one."""
        exchanges = self.exchanges
        return next((one for one in exchanges if one.has_focus), exchanges[-1] if exchanges else None)

    def _after(self, exchange: Exchange) -> Exchange | None:
        exchanges = self.exchanges
        at = exchanges.index(exchange) + 1
        return exchanges[at] if at < len(exchanges) else None

    def _busy_from(self, exchange: Exchange) -> bool:
        """Whether it or one after it is being answered, or waits for that."""
        exchanges = self.exchanges
        return any(
            other.place is None or other is self.serving.under_way
            for other in exchanges[exchanges.index(exchange) :]
        )

    async def _clear_from(self, exchange: Exchange) -> None:
        """Take an exchange and those after it from the screen; the talk keeps them."""
        exchanges = self.exchanges
        for other in exchanges[exchanges.index(exchange) :]:
            await other.remove()
