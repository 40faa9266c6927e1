"""The chat screen: ask, read the answer as it is written, stop it, ask again, edit, choose among versions."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList

from ophtimus_edge.conversation import clean_question
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import HistoryError, QuestionError, TalkNotFoundError
from ophtimus_edge.history.beside import Beside
from ophtimus_edge.history.draft import Draft
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.talk import Talk, new_talk
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.settings import Settings
from ophtimus_edge.specialties import role_named
from ophtimus_edge.text import sanitize
from ophtimus_tui import clipboard
from ophtimus_tui.composing import Composing
from ophtimus_tui.error_texts import said
from ophtimus_tui.keys import APP_ACTIONS, CHAT
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.pointed_out import sendable
from ophtimus_tui.screens.talk_commands import TalkCommands
from ophtimus_tui.serving import Job, Kind, Serving
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.ask_box import AskBox
from ophtimus_tui.widgets.exchange import Exchange
from ophtimus_tui.widgets.foot import Foot
from ophtimus_tui.widgets.key_line import KeyLine
from ophtimus_tui.widgets.pressable import Pressable
from ophtimus_tui.widgets.talk_list import TalkList
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


class ChatScreen(TalkCommands):
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
        self._leaving = False
        self._times_left = 0
        self._mounted = asyncio.Event()
        self._unkept: HistoryError | None = None
        self._settings = Settings()
        self._talk: Talk = new_talk()
        self._state = ""
        self._listing = False
        self._listing_asked: bool | None = None
        self._asking = asyncio.Lock()
        # Kept, not looked up: the engine's last events may arrive while the screen is being taken down.
        self._top = TopLine()
        self._scroll = TalkView(texts, self._talk)
        self.composing = Composing(texts)
        self.box = self.composing.box
        self._foot = Foot(texts)
        self._keys = KeyLine()
        self._keys.id = "keys"
        self._list = TalkList(texts)
        self.serving = Serving(
            engine, None, texts,
            show_state=self._show_state, show_memory=self._foot.meter.show, placed=self._placed, say=self.say,
            unkept=self._refused, kept=self.relabel_keeping,
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """Top line, talks beside the talk, question box, foot."""
        yield self._top
        with Horizontal(id="middle"):
            yield self._list
            with Vertical():
                yield self._scroll
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
        self._scroll.details = settings.shows_details(settings.role)

    def follow(self, settings: Settings, before: Settings) -> None:
        """Take the settings of somebody else while the app runs; what is set alike stays as it was switched since."""
        self._settings = self.serving.settings = settings
        if settings.role != before.role and not self.model.is_base:  # a base model has one role only
            self.serving.role = settings.role
            self.serving.relabel()
            self.run_worker(self.serving.warm(), group="warm")  # takes seconds; the history does not wait
        elif settings.details == before.details:
            return
        self._scroll.details = settings.shows_details(self.serving.role)

    @property
    def history(self) -> History | None:
        """Where the talks are kept; None while it is opened, and where it is closed."""
        return self.serving.history

    async def take_up(self, history: History, draft: Draft | None = None, talk_id: str = "") -> None:
        """Answer from now on, and keep it.

        Args:
            draft: where a question that was not sent is kept; None keeps nothing.
            talk_id: the talk to open; "" for a new one.
        """
        await self._mounted.wait()
        self._leaving = False
        await self.composing.take_up(draft)
        self.serving.history = history
        self.relabel_keeping()
        if talk_id:
            await self._open_kept(talk_id)
        else:
            self._list_talks()

    async def leave(self) -> Left:
        """Stop everything, keep what there is, and hold nothing of it any more."""
        self._leaving, self.owner = True, None
        async with self._asking:  # what is just being sent goes back into the box
            await self.serving.leave()
        text = await self.composing.leave()
        self._times_left += 1
        talk_id = self._talk.id if self._talk.questions else ""
        self._talk = new_talk()
        await self._scroll.show(self._talk)
        self._list.show([], self._talk)
        self.clear_selection()
        self.serving.remember(0)
        return Left(talk_id, text)

    @property
    def exchanges(self) -> list[Exchange]:
        """What stands in the talk, top to bottom."""
        return self._scroll.exchanges

    def relabel(self) -> None:
        """Write everything that is the app's own anew, in the language that is spoken now."""
        self._foot.relabel()
        self.composing.relabel()
        self._show_keys()
        self.serving.relabel()
        self._scroll.relabel()
        self.relabel_keeping()
        self._list_talks()

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
        self._fold()

    def _fold(self) -> None:
        wide = self.size.width >= _WIDE
        self._listing = wide if self._listing_asked is None else self._listing_asked
        self.set_class(self._listing, "listing")
        self.set_class(self.size.height < _LOW, "low")
        self.set_class(self.size.height < _LOWEST, "lowest")

    # Asking

    @on(AskBox.Sent)
    def sent(self, sent: AskBox.Sent) -> None:
        """Put a question at the end of the talk, once nothing in it names a patient unseen."""
        self._ask(sent.question)

    @work
    async def _ask(self, written: str) -> None:
        self.composing.hold(written)
        times_left = self._times_left
        async with self._asking:  # one behind the other, in the order of the keys
            if times_left != self._times_left:
                return  # it was kept with the draft
            await self._place(written)
        self.composing.release(written)

    async def _place(self, written: str) -> None:
        try:
            question = clean_question(written)
        except QuestionError:
            return  # nothing but blanks and control characters
        allowed = None if self._leaving else await sendable(self.app, self._texts, question)
        if allowed is None or self._leaving:
            self.box.put_back(written)
            return
        edited, instead_of = self.composing.sent(), None
        if edited is not None and edited.place is not None and not self._busy_from(edited):
            instead_of = edited.place
            await self._scroll.clear_from(edited)
        exchange = await self._scroll.add(allowed)
        self.relabel()
        self.serving.put(Job(exchange, self._talk, "ask", instead_of))

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
        self.composing.changed()

    # What serving tells

    def _show_state(self, state: str) -> None:
        self._state = state
        warning = self._texts("chat.demonstration") if self.model.demonstration else ""
        role = role_named(self.serving.role).title[self._texts.language]
        self._top.show(f"{self.model.name} · {self.model.level}", state, role, warning)

    def _placed(self, exchange: Exchange) -> None:
        """An exchange has its place: say which of the earlier ones no longer fit."""
        self._list_talks()
        self._scroll.mark_dropped(exchange)

    def _refused(self, job: Job, error: HistoryError) -> None:
        """A question could not be kept: it goes back into the box, or is asked all the same."""
        if self._leaving:
            self.box.put_back(job.exchange.question)
        else:
            self.composing.hold(job.exchange.question)
            self._ask_unkept(job, error)

    @work
    async def _ask_unkept(self, job: Job, error: HistoryError) -> None:
        question, times_left = job.exchange.question, self._times_left
        async with self._asking:
            if times_left != self._times_left:
                return  # it was kept with the draft
            anyway: bool | None = False
            if isinstance(error, TalkNotFoundError):  # deleted: nothing of it may come back
                self._notify_of(error)
            else:
                anyway = await self.app.push_screen_wait(
                    ConfirmScreen(
                        lambda: "\n\n".join([said(error, self._texts), self._texts("chat.unkept")]),
                        lambda: self._texts("chat.unkept_send"),
                        lambda: self._texts("chat.unkept_back"),
                    )
                )
            if anyway and not self._leaving:
                job.accepted = True
                job.exchange.status(lambda: self._texts("chat.waiting"))
                self.serving.put(job)
            else:
                if job.exchange.is_attached:
                    await job.exchange.remove()
                self.box.put_back(question)
            self.composing.release(question)

    @work(exclusive=True, group="heads")
    async def _list_talks(self) -> None:
        if (history := self.history) is None:
            return
        try:
            heads = await asyncio.to_thread(history.heads)
        except HistoryError as error:
            self._notify_of(error)
            return
        if history is self.history:
            self._list.show(heads, self._talk)

    def _notify_of(self, error: HistoryError) -> None:
        self.notify(said(error, self._texts), severity="warning", markup=False)

    @work(group="keep")
    async def _keep(self, keep: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(keep)
        except HistoryError as error:
            self._notify_of(error)
        self.relabel_keeping()

    def say(self, say: Callable[[], str]) -> None:
        """Put a sentence of the app's own into the talk.

        Args:
            say: gives it in the language that is spoken when it is asked.
        """
        self._scroll.say(say)

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
            self._scroll.scroll_page_up()
        else:
            self._scroll.scroll_page_down()

    def action_again(self) -> None:
        """Answer the chosen question again, with chance; where it never got words, as it was asked."""
        chosen = self._scroll.chosen
        reply = chosen.reply if chosen else None
        if chosen and chosen.place is None:
            self._answer_more("ask")  # refused before it had a place
        else:
            self._answer_more("again" if reply is None or reply.text else "retry")

    def action_go_on(self) -> None:
        """Go on with an answer that was cut short or stopped."""
        chosen = self._scroll.chosen
        reply = chosen.reply if chosen else None
        if reply is None or reply.finish not in {"length", "cancelled"} or not reply.ids:
            return
        how = reply.provenance
        if (how.model, how.version, how.level) == (self.model.name, self.model.version, self.model.level):
            self._answer_more("go_on")

    @work
    async def _answer_more(self, kind: Kind) -> None:
        chosen = self._scroll.chosen
        if chosen is None or self._busy_from(chosen):
            return
        if following := self._scroll.after(chosen):
            await self._scroll.clear_from(following)
        chosen.status(lambda: self._texts("chat.waiting"))
        self.serving.put(Job(chosen, self._talk, kind))

    def action_edit(self) -> None:
        """Put the chosen question into the box, to be asked in its own place; in the list, name the talk."""
        if self._list.has_focus:
            self.action_rename()
            return
        chosen = self._scroll.chosen
        if chosen is not None and not self._busy_from(chosen):
            self.composing.write(chosen.question, editing=chosen)

    def action_keep(self) -> None:
        """Keep the chosen exchange always, or no longer."""
        chosen = self._scroll.chosen
        if chosen and chosen.reply and chosen.place:
            chosen.reply.keep = not chosen.reply.keep
            if self.history is not None:
                self._keep(partial(self.history.keep_reply, self._talk, chosen.place, chosen.reply))
            chosen.relabel()

    def action_raw(self) -> None:
        """Show all answers as they were written, or with their formatting."""
        self._scroll.raw = not self._scroll.raw

    def action_details(self) -> None:
        """Show the details of all answers, or one word."""
        self._scroll.details = not self._scroll.details

    def action_copy(self) -> None:
        """Copy what is marked, or the source of the chosen answer."""
        chosen = self._scroll.chosen
        text = sanitize(self.get_selected_text() or (chosen.answer if chosen else ""))
        if text:
            self.app.copy_to_clipboard(text)  # through the terminal
            reached = clipboard.copy(text)
            self.notify(self._texts("chat.copied" if reached else "chat.copied_terminal"), markup=False)

    def action_version(self, by: int) -> None:
        """Turn the chosen exchange to another version."""
        if chosen := self._scroll.chosen:
            self._turn(chosen, by)

    def action_talks(self) -> None:
        """Go to the list of talks, or put it away."""
        self._listing_asked = not (self._listing and self._list.has_focus)
        self._fold()
        if self._listing:
            self._list_talks()
            self._list.focus()
        else:
            self.box.focus()

    async def action_new(self) -> None:
        """Begin a new talk; the one that is there stays in the list."""
        await self._open(new_talk())

    async def set_role(self, role: str) -> None:
        """Answer in another role from now on."""
        self.serving.role = role
        self._scroll.details = self._settings.shows_details(role)
        self.serving.relabel()
        await self.serving.warm()

    # Talks and versions

    @on(OptionList.OptionSelected, "TalkList")
    async def _talk_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_id:
            await self._open_kept(event.option_id)
        self.box.focus()

    async def _open_kept(self, talk_id: str) -> None:
        """Open a talk of the history; the one that is being answered is open already."""
        here = [self._talk, *(job.talk for job in self.serving.unfinished)]
        talk = next((one for one in here if one.id == talk_id), None)
        if talk is None and self.history is not None:
            try:
                talk = await asyncio.to_thread(self.history.open, talk_id)
            except HistoryError as error:
                self._notify_of(error)
        if talk is not None:
            await self._open(talk)

    async def _open(self, talk: Talk) -> None:
        if not self._talk.questions and not talk.questions:
            self.box.focus()
            return
        self._talk = talk
        self.composing.leave_editing(changes=True)
        await self._show_path()
        self.relabel()
        self.box.focus()

    async def _show_path(self) -> None:
        await self._scroll.show(self._talk, self.serving.unfinished)
        taken = 0
        if (exchanges := self.exchanges) and (reply := exchanges[-1].reply):
            taken = reply.prompt_tokens + reply.completion_tokens
        self.serving.remember(taken)

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
        if self.history is not None:
            self._keep(partial(self.history.keep_view, self._talk))
        await self._show_path()
        self.exchanges[at].focus()

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

    def _busy_from(self, exchange: Exchange) -> bool:
        """Whether it or one after it is being answered, or waits for that."""
        behind = self._scroll.from_on(exchange)
        return any(job.exchange in behind for job in self.serving.unfinished)
