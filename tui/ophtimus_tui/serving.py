"""Questions served one after another: the engine loaded, each question asked, its exchange kept up to date."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Literal, NamedTuple

import msgspec

from ophtimus_edge.conversation import FREE, Asking, Conversation, Dropped, Happening, completes
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Loading, Piece, Reading
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.talk import Provenance, Question, Reply, Talk
from ophtimus_edge.history.writing import write
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.safety import emergencies
from ophtimus_edge.settings import Settings
from ophtimus_edge.specialties import role_named
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.exchange import Exchange

AGAIN_TEMPERATURE = 0.7


class Job(NamedTuple):
    """Something to be answered.

    Attributes:
        kind: a new question, an answer again, or an answer that goes on.
        instead_of: the question in whose place a new one is asked.
    """

    exchange: Exchange
    talk: Talk
    kind: Literal["ask", "again", "go_on"]
    instead_of: Question | None = None


class Serving:
    """Loads a model, and answers what is put into its queue.

    Args:
        show_state: told how the model stands, in words.
        show_memory: told the tokens of the talk, and how many the context holds.
        placed: told the exchange whose question has got its place in the talk.
        say: told a sentence that stands in the talk.
    """

    def __init__(
        self,
        engine: Engine,
        history: History,
        texts: Texts,
        *,
        show_state: Callable[[str], None],
        show_memory: Callable[[int, int], None],
        placed: Callable[[Exchange], None],
        say: Callable[[str], None],
    ) -> None:
        self.engine = engine
        self.history = history
        self._texts = texts
        self._show_state, self._show_memory = show_state, show_memory
        self._placed, self._say = placed, say
        self.jobs: asyncio.Queue[Job] = asyncio.Queue()
        self.role = FREE
        self.settings = Settings()
        self.under_way: Exchange | None = None
        self._conversation: Conversation | None = None
        self._stopped = False
        self._state: tuple[str, dict[str, object]] = ("chat.loading", {"percent": 0})

    def relabel(self) -> None:
        """Say the state in the language that is spoken now."""
        key, values = self._state
        self._show_state(self._texts(key, **values))

    async def serve(self, model: ChosenModel) -> None:
        """Load a model, then answer one question after another, until this is cancelled."""
        self._conversation = None
        # The rules take a fifth of a second to be read: while the model loads, not when the first question is sent.
        asyncio.get_running_loop().run_in_executor(None, emergencies.match, "")
        try:
            self._tell("chat.loading", percent=0)
            self._leave_the_role_of(model)
            loaded = await self.engine.load(
                model,
                system="" if model.is_base else role_named(self.role).system_prompt,
                on_progress=lambda part: self._tell("chat.loading", percent=int(part * 100)),
            )
        except OphtimusError as error:
            self._tell("chat.failed")
            self._say(f"{error.message}\n{error.hint}")
            return
        for sentence in loaded.reduced:
            self._say(sentence)
        self._show_memory(loaded.warmed, loaded.context)
        self._conversation = conversation = Conversation(self.engine, model)
        while True:
            self._tell("chat.ready")
            job = await self.jobs.get()
            self.under_way, self._stopped = job.exchange, False
            refused = ""
            try:
                await self._answer(conversation, job)
            except OphtimusError as error:
                refused = f"{error.message} {error.hint}"
            finally:
                self.under_way = None
                job.exchange.finish()
            if job.exchange.reply is None:  # before it had an answer whose note would say it
                job.exchange.status(refused)

    async def warm(self) -> None:
        """Evaluate the role's prompt now, so that the next question evaluates only itself."""
        if self._conversation is None or self.under_way is not None or self._conversation.model.is_base:
            return
        prompt = role_named(self.role).system_prompt
        if prompt and not self._conversation.model.demonstration:
            try:
                await self.engine.warm(prompt)
            except OphtimusError as error:
                self._say(f"{error.message} {error.hint}")

    async def stop(self) -> bool:
        """Stop the answer under way; whether there was one."""
        if self.under_way is None:
            return False
        self._stopped = True
        await self.engine.cancel()
        return True

    def _leave_the_role_of(self, model: ChosenModel) -> None:
        if model.is_base and self.role != FREE:
            self.role = FREE
            self._say(self._texts("chat.base"))

    async def _answer(self, conversation: Conversation, job: Job) -> None:
        exchange, talk = job.exchange, job.talk
        completes(conversation.model, self.engine.loaded, self.role)
        place = exchange.place
        if place is None:
            if not talk.questions:
                self.history.begin(talk)
            place = talk.ask(exchange.question, job.instead_of)
            self.history.keep_question(talk, place)
        asking = self._asking(job)
        reply = place.reply
        if reply is None or job.kind != "go_on":
            reply = talk.begin_reply(place, self._provenance(conversation.model, asking, job.kind == "again"))
        exchange.begin(place)
        self._placed(exchange)
        reply.notices = self._notices(conversation, exchange, talk, place)
        exchange.notice(reply.notices)
        loop = asyncio.get_running_loop()
        first, told = 0.0, 0.0
        async with aclosing(write(conversation, self.history, talk, place, reply, asking)) as events:
            async for event in events:
                if self._stopped and not isinstance(event, Answered):
                    self._stopped = False
                    await self.engine.cancel()  # Esc came before the engine knew of the question
                if isinstance(event, Piece):
                    exchange.grow(event.text)
                    now = loop.time()
                    first = first or now
                    if now - told > 0.5:
                        told = now
                        speed = (event.tokens - 1) / max(1e-6, now - first)
                        self._tell("chat.writing", exchange, speed=f"{speed:.1f}")
                        self.remember(reply.prompt_tokens + event.tokens)
                else:
                    self._take(event, exchange, reply)

    def _take(self, event: Dropped | Happening, exchange: Exchange, reply: Reply) -> None:
        if isinstance(event, Loading):  # again: the process that had it ended
            self._tell("chat.loading", exchange, percent=int(100 * event.fraction))
        elif isinstance(event, Reading):
            self._tell("chat.reading", exchange, percent=100 * event.done // max(1, event.total))
            self.remember(event.total)
        elif isinstance(event, Halted):
            self._say(self._texts("chat.wake"))
        elif isinstance(event, Answered):
            self.remember(event.prompt_tokens + event.completion_tokens)
        elif isinstance(event, Dropped):
            self._placed(exchange)

    def _asking(self, job: Job) -> Asking:
        settings = self.settings
        if job.kind == "go_on" and job.exchange.reply:
            how = job.exchange.reply.provenance
            return Asking(
                role=how.role, max_tokens=settings.max_tokens, temperature=how.temperature, seed=how.seed
            )
        temperature = AGAIN_TEMPERATURE if job.kind == "again" else settings.temperature
        asking = Asking(role=self.role, max_tokens=settings.max_tokens, temperature=temperature)
        return msgspec.structs.replace(asking, seed=asking.sampling().seed)

    def _provenance(self, model: ChosenModel, asking: Asking, again: bool) -> Provenance:
        return Provenance(
            model=model.name,
            version=model.version,
            level=model.level,
            sha256=model.sha256,
            role=asking.role,
            temperature=asking.temperature,
            seed=asking.seed or 0,
            again=again,
        )

    def _notices(
        self, conversation: Conversation, exchange: Exchange, talk: Talk, place: Question
    ) -> list[str]:
        lines = []
        unfamiliar = conversation.unfamiliar(exchange.question)
        if unfamiliar:
            lines = [self._texts("chat.unfamiliar"), *(f"  {known}" for known in unfamiliar.nearest)]
        if conversation.model.demonstration and talk.path().index(place) > 0:
            lines.append(self._texts("chat.alone"))
        return lines

    def remember(self, tokens: int) -> None:
        """Show how much of the context a talk takes."""
        if self.engine.loaded:
            self._show_memory(tokens, self.engine.loaded.context)

    def _tell(self, key: str, exchange: Exchange | None = None, **values: object) -> None:
        self._state = (key, values)
        sentence = self._texts(key, **values)
        self._show_state(sentence)
        if exchange:
            exchange.status(sentence)
