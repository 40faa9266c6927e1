"""The chat screen: ask, read the answer as it is written, stop it."""

import asyncio
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from ophtimus_edge.conversation import Asking, Conversation, clean_question
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Loading, Piece, Reading
from ophtimus_edge.errors import OphtimusError, QuestionError
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.specialties import role_named
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.ask_box import AskBox
from ophtimus_tui.widgets.exchange import Exchange
from ophtimus_tui.widgets.top_line import TopLine


class ChatScreen(Screen[None]):
    """Questions to one model. A question sent while the model loads or writes waits for its turn."""

    DEFAULT_CSS = """
    ChatScreen #talk { height: 1fr; }
    ChatScreen #foot { height: auto; color: $text-muted; padding: 0 1; }
    ChatScreen #foot > #keys { width: 1fr; }
    ChatScreen #foot > #supports { width: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", show=False, priority=True),
        Binding("pageup", "scroll(-1)", show=False, priority=True),
        Binding("pagedown", "scroll(1)", show=False, priority=True),
    ]

    def __init__(self, texts: Texts, model: ChosenModel, engine: Engine) -> None:
        super().__init__()
        self._texts = texts
        self._model = model
        self._engine = engine
        self._conversation = Conversation(engine, model)
        self._questions: asyncio.Queue[Exchange] = asyncio.Queue()
        self._under_way: Exchange | None = None
        self._stopped: set[Exchange] = set()
        # Kept, not looked up: the engine's last events may arrive while the screen is being taken down.
        self._top = TopLine()
        self._talk = VerticalScroll(id="talk")
        self._box = AskBox(texts("chat.example"))

    def compose(self) -> ComposeResult:
        """Top line, talk, question box, foot."""
        yield self._top
        yield self._talk
        yield self._box
        with Horizontal(id="foot"):
            yield Static(self._texts("chat.keys"), id="keys", markup=False)
            yield Static(self._texts("chat.supports"), id="supports", markup=False)

    def on_mount(self) -> None:
        """Put the cursor behind the example and start the model."""
        self._talk.can_focus = False
        self._box.move_cursor(self._box.document.end)
        self._box.focus()
        self._state(self._texts("chat.loading", percent=0))
        self._serve()

    @on(AskBox.Sent)
    async def ask(self, sent: AskBox.Sent) -> None:
        """Put a question at the end of the talk and in the queue."""
        try:
            question = clean_question(sent.question)
        except QuestionError:
            return  # nothing but blanks and control characters
        exchange = Exchange(self._texts, question)
        await self._talk.mount(exchange)
        self._talk.anchor()
        self._questions.put_nowait(exchange)

    async def action_stop(self) -> None:
        """Stop the answer under way; the questions that wait are answered after it."""
        if self._under_way is not None:
            self._stopped.add(self._under_way)
            await self._engine.cancel()

    def action_scroll(self, pages: int) -> None:
        """Move the talk by pages; the question box keeps the cursor."""
        if pages < 0:
            self._talk.scroll_page_up()
        else:
            self._talk.scroll_page_down()

    @work(exclusive=True)
    async def _serve(self) -> None:
        """Load the model, then answer one question after another."""
        try:
            loaded = await self._engine.load(
                self._model,
                system=role_named(Asking().role).system_prompt,
                on_progress=lambda part: self._state(self._texts("chat.loading", percent=int(part * 100))),
            )
        except OphtimusError as error:
            self._state(self._texts("chat.failed"))
            self._box.disabled = True
            await self._talk.mount(Static(f"{error.message}\n{error.hint}", markup=False))
            return
        for sentence in loaded.reduced:
            await self._talk.mount(Static(sentence, markup=False))
        while True:
            self._state(self._texts("chat.ready"))
            exchange = await self._questions.get()
            self._under_way = exchange
            try:
                await self._answer(exchange)
            except OphtimusError as error:
                exchange.finish(f"{error.message} {error.hint}", error=True)
            finally:
                self._under_way = None

    async def _answer(self, exchange: Exchange) -> None:
        unfamiliar = self._conversation.unfamiliar(exchange.question)
        if unfamiliar:
            exchange.notice([self._texts("chat.unfamiliar"), *(f"  {known}" for known in unfamiliar.nearest)])
        loop = asyncio.get_running_loop()
        first, written = 0.0, 0
        async for event in self._conversation.ask(exchange.question, Asking()):
            if exchange in self._stopped and not isinstance(event, Answered | Died):
                self._stopped.discard(exchange)
                await self._engine.cancel()  # Esc came before the engine knew of the question
            if isinstance(event, Loading):  # again: the process that had it ended
                state = self._texts("chat.loading", percent=int(100 * event.fraction))
                self._state(state)
                exchange.status(state)
            elif isinstance(event, Reading):
                state = self._texts("chat.reading", percent=100 * event.done // max(1, event.total))
                self._state(state)
                exchange.status(state)
            elif isinstance(event, Piece):
                exchange.add(event.text)
                first = first or loop.time()
                if event.tokens // 8 != written // 8:
                    speed = (event.tokens - 1) / max(1e-6, loop.time() - first)
                    self._state(self._texts("chat.writing", speed=f"{speed:.1f}"))
                    exchange.status(self._texts("chat.writing", speed=f"{speed:.1f}"))
                written = event.tokens
            elif isinstance(event, Died):
                exchange.finish(f"{event.message} {event.hint}", error=True)
            elif isinstance(event, Answered):
                key = {"stop": "chat.complete", "length": "chat.length"}.get(
                    event.finish_reason, "chat.cancelled"
                )
                exchange.finish(
                    self._texts(key, tokens=event.completion_tokens, speed=f"{event.tokens_per_s:.1f}")
                )

    def _state(self, state: str) -> None:
        warning = self._texts("chat.demonstration") if self._model.demonstration else ""
        self._top.show(f"{self._model.name} · {self._model.level}", state, warning)
