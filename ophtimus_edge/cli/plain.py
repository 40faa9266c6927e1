"""``ophtimus --plain``: a conversation in plain lines, for screen readers and bare terminals.

No colours, no cursor movement, nothing drawn twice: lines go out, and what is said once stands. The terminal
itself edits the line that is typed; a line editor would send escape sequences. States are words.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

from ophtimus_edge import locations, specialties
from ophtimus_edge import settings as settings_file
from ophtimus_edge.cli.plain_texts import Sentences, command_named, commands
from ophtimus_edge.cli.spoken import Paced, SpokenLines
from ophtimus_edge.conversation import Asking, Conversation, Dropped, Exchange, clean_question, completes
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Loading, Piece, Reading
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import (
    EngineError,
    ModelNotFoundError,
    OphtimusError,
    QuestionError,
    UsageError,
    WithdrawnModelError,
)
from ophtimus_edge.models import store
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.safety import emergencies
from ophtimus_edge.safety.figures import figures
from ophtimus_edge.settings import Settings
from ophtimus_edge.terminal import standard_input
from ophtimus_edge.text import sanitize

AGAIN_TEMPERATURE = 0.7
_TYPED_AHEAD_S = 0.02  # in which a line that was typed during the answer arrives
# A terminal gives no longer line than this and drops the rest; bytes, as the systems' drivers have it.
_LONGEST_LINE = {"darwin": 1022}.get(sys.platform, 4094)
_IN_VAIN = 2  # deaths of the engine one after the other, after which a file of questions is given up


def run() -> None:
    """Run the conversation until its input ends.

    Raises:
        OphtimusError: input is not a terminal, and not every question could be answered.
    """
    asyncio.run(_run())


async def _run() -> None:
    settings, error = settings_file.read_or_defaults()
    async with Engine() as engine:
        talk = PlainTalk(engine, settings)
        with talk.interrupts():
            await talk.run(error)


class PlainTalk:
    """One conversation in lines: standard input in, standard output out."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._say = Sentences(settings.spoken_language())
        self._terminal = standard_input.is_terminal()
        self._role = settings.role
        self._wanted = (settings.model or store.default_model(), settings.level)
        self._model: ChosenModel | None = None
        self._earlier: list[Exchange] = []
        self._last: tuple[str, list[Exchange]] | None = None  # a question, and what was said before it
        self._loading: asyncio.Task[Any] | None = None
        self._answering = self._stopped = self._prompted = False
        self._deaths = 0
        self._failed = False
        self._background: set[asyncio.Task[None]] = set()

    async def run(self, settings_error: OphtimusError | None = None) -> None:
        """Greet, open the model, answer line after line.

        Raises:
            OphtimusError: input is not a terminal, and not every question could be answered.
        """
        for key in ("hello", "supports", "offline", "how"):
            self._line(self._say(key))
        if settings_error:
            self._error(settings_error)
            self._line(self._say("settings"))
        await self._open(*self._wanted)
        lines = standard_input.lines()
        while (line := await self._next(lines)) is not None:
            self._failed |= not await self._take(line)
            if self._quitting(line):
                break
            if self._deaths == _IN_VAIN and not self._terminal:
                break
        self._line(self._say("end"))
        if self._failed and not self._terminal:
            raise QuestionError(
                "not every question could be answered.", "The lines above say which, and why."
            )

    @contextlib.contextmanager
    def interrupts(self) -> Iterator[None]:
        """Let Ctrl+C stop what is under way, and never end the program."""
        loop = asyncio.get_running_loop()
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(self._interrupt))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
        elif self._answering:
            self._stopped = True
            self._start(self._engine.cancel())
        elif self._prompted:
            self._line("")
            self._line(self._say("nothing_to_stop"))
            self._write(self._say("question"))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)  # a task that nothing holds may vanish
        task.add_done_callback(self._background.discard)

    async def _next(self, lines: AsyncIterator[str | QuestionError]) -> str | QuestionError | None:
        """The next line; None at the end. What was not typed behind a prompt is said, so that it stands there."""
        waiting = asyncio.ensure_future(anext(lines, None))
        if self._terminal and not (await asyncio.wait({waiting}, timeout=_TYPED_AHEAD_S))[0]:
            self._write(self._say("question"))
            self._prompted = True
            line = await waiting
            self._prompted = False
            if line is None:
                self._line("")
            return line
        line = await waiting
        if isinstance(line, str):
            self._line(f"{self._say('question')}{line}")
        return line

    async def _take(self, line: str | QuestionError) -> bool:
        """Do what a line asks for; whether it could be done."""
        try:
            if isinstance(line, QuestionError):
                raise line
            if self._terminal and len(line.encode()) >= _LONGEST_LINE:
                self._line(self._say("too_long"))
                return False
            if line.startswith("/") and not line.startswith("//"):
                return await self._command(line)
            question = clean_question(line[1:] if line.startswith("//") else line)
            return await self._ask(question, list(self._earlier))
        except OphtimusError as error:
            self._deaths += isinstance(error, EngineError)
            self._error(error)
            return False

    def _quitting(self, line: str | QuestionError) -> bool:
        return isinstance(line, str) and command_named(line.split()[0]) == "quit"

    async def _command(self, line: str) -> bool:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        match command_named(word):
            case "help":
                self._help()
            case "role":
                self._choose_role(rest)
            case "model":
                return await self._choose_model(rest)
            case "again":
                return await self._again()
            case "new":
                self._earlier, self._last = [], None
                self._line(self._say("new"))
            case "quit":
                pass
            case _:
                self._line(self._say("unknown", word=word))
                return False
        return True

    def _help(self) -> None:
        for name, words in commands().items():
            self._line(f"{', '.join(words)}: {self._say(f'help_{name}')}")
        for key in ("help_keys", "help_safety", "supports"):
            self._line(self._say(key))
        self._line(self._say("help_settings", path=locations.settings_file()))

    def _title(self, role: str) -> str:
        return specialties.role_named(role).title[self._say.language]

    def _choose_role(self, name: str) -> None:
        """Answer in another role, named as in a command or by its title in any language; or list them."""
        if not name:
            self._line(self._say("roles", role=self._title(self._role)))
            for role in specialties.roles():
                self._line(f"{role}: {self._title(role)}")
            return
        named = [
            key for key, role in specialties.roles().items() if name.lower() in {key, *role.title.values()}
        ]
        self._role = named[0] if named else name
        try:
            title = self._title(self._role)
        except UsageError:
            self._role = self._settings.role
            raise
        self._line(self._say("role_now", role=title))

    async def _choose_model(self, name: str) -> bool:
        """Open another model, named with or without a level; or list them."""
        if not name:
            opened = f"{self._model.name} {self._model.level}" if self._model else self._say("nothing_open")
            self._line(self._say("models", model=opened))
            for known in (store.DEMO, *store.installed()):
                self._line(known)
            return True
        wanted = (name, "")
        try:
            store.choose(*wanted)
        except ModelNotFoundError:
            first, _, level = name.rpartition(" ")
            if not first:
                raise
            wanted = (first.strip(), level)
            store.choose(*wanted)
        if not await self._open(*wanted):
            return False
        self._wanted, self._earlier, self._last = wanted, [], None
        self._line(self._say("model_now", model=wanted[0]))
        return True

    async def _again(self) -> bool:
        if self._last is None:
            self._line(self._say("again_first"))
            return False
        question, earlier = self._last
        self._line(self._say("again_label", temperature=AGAIN_TEMPERATURE, question=question))
        return await self._ask(question, earlier, again=True)

    async def _open(self, name: str, level: str) -> bool:
        """Load a model; whether it is open."""
        pace = Paced(asyncio.get_running_loop().time())
        try:
            model = await asyncio.to_thread(store.choose, name, level)
            self._line(
                self._say("opening", model=" ".join(part for part in (model.name, model.level) if part))
            )
            self._model = None
            system = "" if model.is_base else specialties.role_named(self._role).system_prompt
            self._loading = asyncio.ensure_future(
                self._engine.load(
                    model, system=system, on_progress=lambda part: self._percent("loading", pace, part)
                )
            )
            loaded = await self._loading
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            self._line(self._say("stopped_loading"))
            return False
        except OphtimusError as error:
            self._error(error)
            self._line(self._say("no_model"))
            return False
        finally:
            self._loading = None
        for sentence in loaded.reduced:
            self._line(sentence)
        self._model = model
        self._line(self._say("ready", role=self._title(self._role)))
        if model.demonstration:
            self._line(self._say("single"))
        return True

    async def _ask(self, question: str, earlier: list[Exchange], again: bool = False) -> bool:
        """Ask, and say everything from the notices to how the answer ended; whether there is one."""
        if self._model is None and not await self._open(*self._wanted):
            return False
        model = self._model
        assert model is not None  # noqa: S101 - opened above
        try:
            completes(model, self._engine.loaded, self._role)
        except UsageError:
            self._line(self._say("base", model=model.name))
            return False
        conversation = Conversation(self._engine, model)
        self._notices(conversation, question)
        asking = Asking(
            role=self._role,
            max_tokens=self._settings.max_tokens,
            temperature=AGAIN_TEMPERATURE if again else self._settings.temperature,
        )
        self._last = (question, earlier)
        self._answering, self._stopped = True, False
        try:
            text, ending = await self._hear(conversation, question, asking, earlier)
        finally:
            self._answering = False
        if isinstance(ending, Died):
            raise EngineError(ending.message, ending.hint, ending.log_lines)
        self._deaths = 0
        if found := figures(text):
            self._line(self._say("figures", figures=", ".join(found)))
        if text and ending.finish_reason != "failed":
            self._earlier = [*earlier, Exchange(question, text, ending.ids)]
        return ending.finish_reason != "failed"

    def _notices(self, conversation: Conversation, question: str) -> None:
        """What must be known before the answer."""
        for rule in emergencies.match(question):
            title, notice = (text.of(self._say.language) for text in (rule.title, rule.notice))
            self._line(self._say("emergency", title=title, notice=notice))
            if not rule.reviewed_by:
                self._line(self._say("unreviewed"))
        if conversation.model.demonstration:
            self._line(self._say("demonstration"))
        if unfamiliar := conversation.unfamiliar(question):
            self._line(self._say("unfamiliar"))
            for known in unfamiliar.nearest:
                self._line(known)

    async def _hear(
        self, conversation: Conversation, question: str, asking: Asking, earlier: list[Exchange]
    ) -> tuple[str, Answered | Died]:
        """Say an answer as it comes; its text and how it ended."""
        clock = asyncio.get_running_loop().time
        pace, spoken, text, loading = Paced(clock()), SpokenLines(), "", False
        async for event in conversation.ask(question, asking, earlier):
            if self._stopped and not isinstance(event, Answered | Died):
                await self._engine.cancel()  # Ctrl+C came before the engine knew of the question
            if isinstance(event, Dropped):
                self._line(self._say("dropped", count=len(event.places)))
            elif isinstance(event, Loading):
                if not loading:
                    self._line(self._say("again_loading"))
                    loading = True
                self._percent("loading", pace, event.fraction)
            elif isinstance(event, Reading):
                self._percent("reading", pace, event.done / max(1, event.total))
            elif isinstance(event, Halted):
                self._line(self._say("halted"))
            elif isinstance(event, Piece):
                if not text:
                    self._line(self._say("answer"))
                text += event.text
                for line in spoken.feed(event.text):
                    self._line(line)
            elif isinstance(event, Answered | Died):
                for line in spoken.end():
                    self._line(line)
                self._ending(event)
                return text, event
        raise EngineError("the model's process ended an answer without saying so.", "Ask again.")

    def _ending(self, event: Answered | Died) -> None:
        reason = event.finish_reason if isinstance(event, Answered) else "failed"
        if isinstance(event, Answered) and reason == "length":
            self._line(self._say("length", tokens=event.completion_tokens))
        else:
            keys = {"stop": "complete", "cancelled": "cancelled"}
            self._line(self._say(keys.get(reason, "failed")))
        if isinstance(event, Answered) and self._settings.shows_details(self._role):
            speed = f"{event.tokens_per_s:.1f}"
            self._line(self._say("details", tokens=event.completion_tokens, speed=speed, seed=event.seed))

    def _percent(self, key: str, pace: Paced, fraction: float) -> None:
        percent = int(100 * fraction)
        if pace.due(percent, asyncio.get_running_loop().time()):
            self._line(self._say(key, percent=percent))

    def _error(self, error: OphtimusError) -> None:
        if isinstance(error, WithdrawnModelError):
            self._line(self._say("withdrawn", reason=error.reason.get(self._say.language, "")))
            return
        self._line(" ".join(error.message.split()))
        self._line(" ".join(error.hint.split()))

    def _line(self, text: str) -> None:
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(sanitize(text))
        sys.stdout.flush()
