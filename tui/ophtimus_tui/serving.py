"""Questions served one after another: the engine loaded, each question asked, its exchange kept up to date."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec

from ophtimus_edge.conversation import FREE, Asking, Conversation, Dropped, Happening
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Loading, Piece, Reading
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import HistoryError, OphtimusError, WithdrawnModelError
from ophtimus_edge.history.beside import Beside
from ophtimus_edge.history.keeping import History
from ophtimus_edge.history.talk import Provenance, Question, Reply, Talk
from ophtimus_edge.history.writing import write
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.safety import emergencies
from ophtimus_edge.safety.figures import figures
from ophtimus_edge.settings import Settings
from ophtimus_edge.specialties import DEFAULT_ROLE, role_named
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.exchange import Exchange

AGAIN_TEMPERATURE = 0.7
_STOPS_S = 10.0  # in which an answer that is stopped ends


Kind = Literal["ask", "again", "retry", "go_on"]


@dataclass(eq=False)
class Job:
    """Something to be answered.

    Attributes:
        exchange: where it stands on the screen; another one where its talk was left and opened again.
        kind: a new question, another answer to one, an answer that never got words, or one that goes on.
        instead_of: the question in whose place a new one is asked.
        accepted: whether it is asked even if it cannot be kept.
    """

    exchange: Exchange
    talk: Talk
    kind: Kind
    instead_of: Question | None = None
    accepted: bool = False


class _UnkeptError(Exception):
    """A question could not be kept, and was not asked."""

    def __init__(self, error: HistoryError) -> None:
        super().__init__(error)
        self.error = error


class Serving:
    """Loads a model, and answers what is put into its queue, as soon as there is a history to keep it in.

    Args:
        history: None where it is still being opened.
        show_state: told how the model stands, in words.
        show_memory: told the tokens of the talk, and how many the context holds.
        placed: told the exchange whose question has got its place in the talk.
        say: told what gives a sentence for the talk, in the language that is spoken.
        unkept: told a question that could not be kept and so was not asked, and why.
        kept: told whenever something was kept, or could not be.
    """

    def __init__(
        self,
        engine: Engine,
        history: History | None,
        texts: Texts,
        *,
        show_state: Callable[[str], None],
        show_memory: Callable[[int, int], None],
        placed: Callable[[Exchange], None],
        say: Callable[[Callable[[], str]], None],
        unkept: Callable[[Job, HistoryError], None],
        kept: Callable[[], None],
    ) -> None:
        self.engine = engine
        self._history = history
        self._texts = texts
        self._show_state, self._show_memory = show_state, show_memory
        self._placed, self._say = placed, say
        self._unkept, self._kept = unkept, kept
        self._idle = asyncio.Event()
        self._idle.set()
        self._jobs: deque[Job] = deque()
        self._stopped_early: deque[Job] = deque()  # while there was no history to keep them in
        self._came = asyncio.Event()
        self._job: Job | None = None
        self._served: set[asyncio.Task[object]] = set()
        self.role = FREE
        self.settings = Settings()
        self.withdrawn: Mapping[str, str] = {}
        """Why the maker of the model has taken it back, by language; empty where nobody has."""
        self._model: ChosenModel | None = None
        self._conversation: Conversation | None = None
        self._stopped = False
        self._state: tuple[str, dict[str, object]] = ("chat.loading", {"percent": 0})

    def relabel(self) -> None:
        """Say the state in the language that is spoken now."""
        key, values = self._state
        self._show_state(self._texts(key, **values))

    @property
    def unfinished(self) -> list[Job]:
        """What is being answered, and what waits behind it."""
        return [*([self._job] if self._job else []), *self._stopped_early, *self._jobs]

    @property
    def history(self) -> History | None:
        """Where talks are kept; without one nothing is answered."""
        return self._history

    async def take_up(self, history: History) -> None:
        """Answer from now on, and keep it; what was stopped before there was a history gets its place in it."""
        await self._stop_waiting(self._stopped_early, history)
        self._history = history
        self._came.set()

    def put(self, job: Job) -> None:
        """Put something at the end of the queue."""
        self._jobs.append(job)
        self._came.set()

    async def leave(self) -> None:
        """Stop what is under way and what waits, each in its talk as far as it is; then let go of the history."""
        history, self._history = self._history, None
        if self._job is not None:
            self._stopped = True
            try:
                async with asyncio.timeout(_STOPS_S):
                    await self.engine.cancel()
                    await self._idle.wait()
            except TimeoutError:
                pass  # what comes of it belongs to nothing any more
        if history is not None:
            await self._stop_waiting(self._jobs, history)

    async def serve(self, model: ChosenModel) -> None:
        """Load a model, then answer one question after another, until this is cancelled."""
        if (task := asyncio.current_task()) is not None:
            self._served.add(task)
            task.add_done_callback(self._served.discard)
        self._conversation, self._model, self.withdrawn = None, model, {}
        # The rules take a fifth of a second to be read: while the model loads, not when the first question is sent.
        asyncio.get_running_loop().run_in_executor(None, _read_rules)
        try:
            self._tell("chat.loading", percent=0)
            self._leave_the_role_of(model)
            loaded = await self.engine.load(
                model,
                system="" if model.is_base else role_named(self.role).system_prompt,
                on_progress=lambda part: self._tell("chat.loading", percent=int(part * 100)),
            )
        except WithdrawnModelError as error:
            self.withdrawn = reason = error.reason
            self._tell("chat.withdrawn")
            self._say(lambda: self._texts("chat.withdrawn_refused", reason=reason[self._texts.language]))
            return
        except OphtimusError as error:
            self._tell("chat.failed")
            self._say_error(error)
            return
        for sentence in loaded.reduced:
            self._say(partial(self._texts, "chat.reduced", reason=sanitize(sentence)))
        self._show_memory(loaded.warmed, loaded.context)
        self._conversation = conversation = Conversation(self.engine, model)
        while True:
            self._tell("chat.ready")
            while not self._jobs or self._history is None:
                self._came.clear()
                await self._came.wait()
            self._job = job = self._jobs.popleft()
            self._stopped = False
            self._idle.clear()
            refused: OphtimusError | None = None
            try:
                await self._answer(conversation, job, self._history)
            except _UnkeptError as unkept:
                self._unkept(job, unkept.error)
            except OphtimusError as error:
                refused = error
            finally:
                self._job = None
                self._idle.set()
                self._kept()
                job.exchange.finish()
            if refused and job.exchange.reply is None:  # before it had an answer whose note would say it
                job.exchange.status(partial(said, refused, self._texts), stops=False)

    async def ended(self) -> None:
        """Wait for the end of what was cancelled: it still ends the process of a model that it was loading."""
        if self._served:
            await asyncio.wait(self._served, timeout=_STOPS_S)

    async def warm(self) -> None:
        """Evaluate the role's prompt now, so that the next question evaluates only itself."""
        if self._conversation is None or self._job is not None or self._conversation.model.is_base:
            return
        prompt = role_named(self.role).system_prompt
        if prompt and not self._conversation.model.demonstration:
            try:
                await self.engine.warm(prompt)
            except OphtimusError as error:
                self._say_error(error)

    async def stop(self) -> bool:
        """Stop the answer under way, or else all that waits while the model loads; whether there was anything.

        What is stopped before its turn came stays in its talk, with an answer that has no words.
        """
        if self._job is not None:
            self._stopped = True
            await self.engine.cancel()
            return True
        if not self._jobs:
            return False
        if self._history is not None:
            await self._stop_waiting(self._jobs, self._history)
        while self._jobs:  # the history is still being opened
            job = self._jobs.popleft()
            self._stopped_early.append(job)
            job.exchange.status(partial(self._texts, "chat.stopped_early"), stops=False)
        return True

    async def _stop_waiting(self, waiting: deque[Job], history: History) -> None:
        for _ in range(len(waiting)):  # not what is sent meanwhile
            job = waiting.popleft()
            if self._model is not None and job.exchange.place is None:
                try:
                    place, reply = await self._begin(job, self._asking(job), self._model, history)
                except _UnkeptError as unkept:
                    self._unkept(job, unkept.error)
                    continue
                reply.finish = "cancelled"
                await asyncio.to_thread(history.keep_reply, job.talk, place, reply)
                job.exchange.begin(place)
                self._placed(job.exchange)
            job.exchange.finish()

    def _leave_the_role_of(self, model: ChosenModel) -> None:
        if model.is_base and self.role != FREE:
            self.role = FREE
            self._say(partial(self._texts, "chat.base"))

    def _say_error(self, error: OphtimusError) -> None:
        self._say(partial(said, error, self._texts))

    async def _begin(
        self, job: Job, asking: Asking, model: ChosenModel, history: History
    ) -> tuple[Question, Reply]:
        """The question's place in its talk, and the answer that begins or goes on there."""
        talk, place = job.talk, job.exchange.place
        if place is None:
            place = await self._keep_question(job, history)
        reply = place.reply
        if reply is None or job.kind in {"ask", "again"}:
            reply = talk.begin_reply(place, self._provenance(model, asking, job.kind == "again"))
        elif job.kind == "retry":
            reply.provenance = self._provenance(model, asking, reply.provenance.again)
        return place, reply

    async def _keep_question(self, job: Job, history: History) -> Question:
        """Put a question into its talk, and have it on the disk before it is sent."""
        talk = job.talk
        begun, chosen, title = bool(talk.questions), dict(talk.chosen), talk.title
        place = talk.ask(job.exchange.question, job.instead_of)
        try:
            if job.accepted and isinstance(history, Beside):
                await asyncio.to_thread(history.accept, talk)
            elif begun:
                await asyncio.to_thread(history.keep_question, talk, place)
            else:
                await asyncio.to_thread(history.begin, talk)
        except HistoryError as error:
            talk.questions.remove(place)
            talk.chosen, talk.title = chosen, title
            raise _UnkeptError(error) from error
        finally:
            self._kept()
        return place

    async def _answer(self, conversation: Conversation, job: Job, history: History) -> None:
        asking = self._asking(job)
        place, reply = await self._begin(job, asking, conversation.model, history)
        reply.finish = "writing"
        reply.notices = self._notices(conversation, job.talk, place)
        job.exchange.begin(place)
        self._placed(job.exchange)
        loop = asyncio.get_running_loop()
        first, told = 0.0, 0.0
        async with aclosing(write(conversation, history, job.talk, place, reply, asking)) as events:
            async for event in events:
                if self._stopped and not isinstance(event, Answered):
                    self._stopped = False
                    await self.engine.cancel()  # Esc came before the engine knew of the question
                if isinstance(event, Piece):
                    job.exchange.grow(event.text)
                    now = loop.time()
                    first = first or now
                    if now - told > 0.5:
                        told = now
                        self._kept()
                        speed = (event.tokens - 1) / max(1e-6, now - first)
                        self._tell("chat.writing", job.exchange, speed=f"{speed:.1f}")
                        self._remember_of(job, reply.prompt_tokens + event.tokens)
                else:
                    self._take(event, job)

    def _take(self, event: Dropped | Happening, job: Job) -> None:
        if isinstance(event, Loading):  # again: the process that had it ended
            self._tell("chat.loading", job.exchange, percent=int(100 * event.fraction))
        elif isinstance(event, Reading):
            self._tell("chat.reading", job.exchange, percent=100 * event.done // max(1, event.total))
            self._remember_of(job, event.total)
        elif isinstance(event, Halted):
            self._say(partial(self._texts, "chat.wake"))
        elif isinstance(event, Answered):
            self._remember_of(job, event.prompt_tokens + event.completion_tokens)
        elif isinstance(event, Dropped):
            self._placed(job.exchange)

    def _remember_of(self, job: Job, tokens: int) -> None:
        if job.exchange.is_attached:  # else another talk is on the screen
            self.remember(tokens)

    def _asking(self, job: Job) -> Asking:
        settings = self.settings
        how = job.exchange.reply.provenance if job.exchange.reply else None
        if job.kind == "go_on" and how:
            return Asking(
                role=how.role, max_tokens=settings.max_tokens, temperature=how.temperature, seed=how.seed
            )
        again = job.kind == "again" or (job.kind == "retry" and how is not None and how.again)
        temperature = AGAIN_TEMPERATURE if again else settings.temperature
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
            demonstration=model.demonstration,
        )

    def _notices(self, conversation: Conversation, talk: Talk, place: Question) -> list[str]:
        lines = []
        unfamiliar = conversation.unfamiliar(place.text)
        if unfamiliar:
            lines = [self._texts("chat.unfamiliar"), *(f"  {known}" for known in unfamiliar.nearest)]
        elif conversation.strange(self.role):
            lines = [
                self._texts("chat.strange_role", role=role_named(DEFAULT_ROLE).title[self._texts.language])
            ]
        if conversation.model.demonstration and talk.path().index(place) > 0:
            lines.append(self._texts("chat.alone"))
        return lines

    def remember(self, tokens: int) -> None:
        """Show how much of the context a talk takes."""
        if self.engine.loaded:
            self._show_memory(tokens, self.engine.loaded.context)

    def _tell(self, key: str, exchange: Exchange | None = None, **values: object) -> None:
        self._state = (key, values)
        self._show_state(self._texts(key, **values))
        if exchange:
            exchange.status(partial(self._texts, key, **values))


def _read_rules() -> None:
    emergencies.match("")
    figures("1 mg")
