"""A blind test: which levels, which questions; their answers made; then the votes, on a screen of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import ProgressBar, Static
from textual.worker import Worker

from ophtimus_edge.compare.questions.files import read_essays
from ophtimus_edge.compare.votes import folder as folders
from ophtimus_edge.compare.votes.answers import AskedQuestion, make_answers
from ophtimus_edge.compare.votes.drawing import draw
from ophtimus_edge.compare.votes.folder import BlindTestFolder
from ophtimus_edge.compare.votes.voting import clean_rater
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import OphtimusError, VotesError
from ophtimus_edge.models import inventory, store
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.specialties.quiz_file import embedded_path
from ophtimus_tui.blind_progress import AnswersProgress
from ophtimus_tui.blind_setup import Setup, offered
from ophtimus_tui.blind_words import Compared, left_out_said
from ophtimus_tui.error_texts import said
from ophtimus_tui.model_rows import line
from ophtimus_tui.screens.choose import ChooseScreen, Said
from ophtimus_tui.screens.form import Field, FormError, FormScreen
from ophtimus_tui.screens.pick_questions import PickQuestionsScreen
from ophtimus_tui.screens.vote import VoteScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.choice_list import ChoiceList
from ophtimus_tui.widgets.key_line import KeyLine

_READ_S = 0.25  # in which somebody reads how far it is
State = Literal["reading", "failed", "menu", "making"]


class BlindTestScreen(Screen[None]):
    """The start page of a blind test, and the making of its answers.

    The model that the app has open rests meanwhile, so that one level at a time is in memory.

    Args:
        current: the model that the app has open.
        rater: the name that is offered to who votes.
        make_room: called before answers are made; false where the app's model is at work.
        give_back: called when they are made, or were stopped.
        engine: that makes them.
    """

    DEFAULT_CSS = """
    BlindTestScreen { background: $background; color: $text; }
    BlindTestScreen #heading { height: auto; background: $panel; padding: 0 1; text-style: bold; }
    BlindTestScreen #page { height: 1fr; }
    BlindTestScreen .line { height: auto; padding: 0 1; margin: 1 0 0 0; max-width: 100; }
    BlindTestScreen #actions { margin: 1 0 0 0; }
    BlindTestScreen ProgressBar { width: 100%; padding: 0 1; }
    BlindTestScreen Bar { width: 1fr; }
    BlindTestScreen #said.error { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False, priority=True)]

    def __init__(
        self,
        texts: Texts,
        current: ChosenModel | None,
        *,
        rater: str = "",
        make_room: Callable[[], Awaitable[bool]] | None = None,
        give_back: Callable[[], None] | None = None,
        engine: Engine | None = None,
    ) -> None:
        super().__init__()
        self._texts, self._current = texts, current
        self.rater = rater
        self._make_room, self._give_back = make_room, give_back
        self._engine = engine or Engine(yields=True)
        self._state: State = "reading"
        self._setup: Setup | None = None
        self._message: tuple[Said, bool] | None = None
        self._work: Worker[None] | None = None
        self._far: Said = str
        self._shown_at = 0.0
        self._actions: list[str] = []
        self._heading = Static("", id="heading", markup=False)
        self._intro = Static("", id="intro", classes="line", markup=False)
        self._choices = ChoiceList(id="actions")
        self._how_far = Static("", id="far", classes="line", markup=False)
        self._bar = ProgressBar(total=1, show_eta=False)
        self._said = Static("", id="said", classes="line", markup=False)
        self._page = VerticalScroll(
            self._intro, self._choices, self._how_far, self._bar, self._said, id="page"
        )
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """Where one is, what can be set, how far it is, the keys."""
        yield from (self._heading, self._page, self._keys)

    def on_mount(self) -> None:
        """Read the models and the questions."""
        self._page.can_focus = False
        self._go("reading")
        self._read()

    async def on_unmount(self) -> None:
        """End the level that answers, wherever the screen was left from."""
        await asyncio.shield(self._engine.close())

    @work(exclusive=True, group="read")
    async def _read(self) -> None:
        try:
            models = offered(await asyncio.to_thread(inventory.stored))
            file = await asyncio.to_thread(read_essays, embedded_path())
        except OphtimusError as error:
            self._tell_error(error)
            self._go("failed")
            return
        except OSError as error:  # the disk of the store is gone
            self._tell_error(VotesError(f"the models cannot be read: {error.strerror}.", "Check the disk."))
            self._go("failed")
            return
        if not models:
            self._tell(partial(self._texts, "blind.no_model"), error=True)
            self._go("failed")
            return
        self._setup = Setup(models, file, self._current)
        self._go("menu")

    # --- what is shown ----------------------------------------------------------------------------

    def _go(self, state: State) -> None:
        self._state = state
        self._choices.at = 0
        self.relabel()
        if state == "menu":
            self._choices.focus(scroll_visible=False)

    def relabel(self) -> None:
        """Write everything in the language that is chosen now."""
        texts, setup = self._texts, self._setup
        self._heading.update(texts("blind.title"))
        lines: list[tuple[str, str]] = []
        if self._state == "menu" and setup is not None:
            warning = [texts("chat.demonstration")] if setup.model.description.demonstration else []
            self._intro.update("\n".join([texts("blind.about"), *warning]))
            lines = self._menu(setup)
        elif self._state == "making":
            self._intro.update(texts("blind.making"))
        elif self._state == "reading":
            self._intro.update(texts("quiz.reading"))
        self._intro.display = self._state != "failed"
        self._actions = [action for action, _ in lines]
        self._choices.show([words for _, words in lines], at=self._choices.at)
        making = self._state == "making"
        self._how_far.display = self._bar.display = making
        self._how_far.update(self._far() if making else "")
        self._said.update(self._message[0]() if self._message else "")
        self._said.display = self._message is not None
        self._said.set_class(self._message is not None and self._message[1], "error")
        leave = (texts("blind.key_stop" if making else "blind.key_back"), "screen.leave")
        self._keys.show([*([] if making else [(texts("quiz.keys_menu"), "")]), leave])

    def _menu(self, setup: Setup) -> list[tuple[str, str]]:
        texts = self._texts
        embedded = setup.file.path == embedded_path()
        name = texts("blind.embedded") if embedded else line(setup.file.path.name)
        language = texts(f"models.in_{setup.language}") if setup.language else texts("blind.all_languages")
        lines = [
            ("begin", texts("blind.begin", count=len(setup.questions))),
            ("levels", texts("blind.levels", level=line(setup.level), reference=line(setup.reference))),
            ("count", texts("blind.count", count=len(setup.questions), available=len(setup.available))),
            ("file", texts("blind.file", name=name)),
        ]
        if len(setup.languages) > 1:
            lines.append(("language", texts("blind.language", language=language)))
        if len(setup.models) > 1:
            model = setup.model.description
            lines.insert(1, ("model", texts("blind.model", name=line(f"{model.name} {model.version}"))))
        if not embedded:
            lines.append(("embedded", texts("blind.use_embedded")))
        return lines

    def _tell(self, sentence: Said | None, *, error: bool = False) -> None:
        self._message = (sentence, error) if sentence else None

    def _tell_error(self, error: OphtimusError) -> None:
        self._tell(partial(said, error, self._texts), error=True)

    # --- what is set ------------------------------------------------------------------------------

    @on(ChoiceList.Chosen)
    def _chosen(self, chosen: ChoiceList.Chosen) -> None:
        setup = self._setup
        if self._state != "menu" or setup is None or chosen.place >= len(self._actions):
            return
        self._choices.at = chosen.place
        action = self._actions[chosen.place]
        self._tell(None)
        if action == "begin":
            self._work = self._begin(setup)
        elif action == "count":
            setup.next_count()
        elif action == "language":
            setup.next_language()
        elif action == "embedded":
            self._open(embedded_path())
        else:
            self._ask(setup, action)
        self.relabel()

    @work
    async def _ask(self, setup: Setup, action: str) -> None:
        texts = self._texts
        if action == "file":
            path = await self.app.push_screen_wait(PickQuestionsScreen(texts))
            if path is not None:
                self._open(path)
        elif action == "model":
            named = {one.name: one for one in setup.models}
            name = await self.app.push_screen_wait(
                ChooseScreen(
                    partial(texts, "blind.which_model"),
                    {
                        # Two models may have one name: their levels tell the program's own from one's own.
                        one.name: partial(
                            line,
                            f"{one.description.name} {one.description.version} · "
                            + ", ".join(level.level for level in one.description.levels),
                        )
                        for one in setup.models
                    },
                    setup.model.name,
                )
            )
            if name is not None:
                setup.choose_model(named[name])
        else:
            await self._ask_levels(setup)
        self.relabel()

    async def _ask_levels(self, setup: Setup) -> None:
        texts = self._texts
        levels = [level.level for level in setup.model.description.levels]
        level = await self.app.push_screen_wait(
            ChooseScreen(
                partial(texts, "blind.which_level"), {one: partial(line, one) for one in levels}, setup.level
            )
        )
        if level is None:
            return
        setup.choose_level(level)
        others = [one for one in levels if one != level]
        reference = await self.app.push_screen_wait(
            ChooseScreen(
                partial(texts, "blind.which_other", level=line(level)),
                {one: partial(line, one) for one in others},
                setup.reference,
            )
        )
        if reference is not None:
            setup.choose_reference(reference)

    @work(exclusive=True, group="read")
    async def _open(self, path: Path) -> None:
        setup = self._setup
        if setup is None:
            return
        try:
            file = await asyncio.to_thread(read_essays, path)
        except OphtimusError as error:
            self._tell_error(error)
        else:
            setup.choose_file(file)
            if left_out := len(file.problems):
                first = file.problems[0].message
                self._tell(lambda: self._texts("blind.rows_left_out", count=left_out, first=line(first)))
        self.relabel()

    # --- the test ---------------------------------------------------------------------------------

    @work(exclusive=True, group="begin")
    async def _begin(self, setup: Setup) -> None:
        rater = await self._ask_rater()
        if rater is None:
            return
        self.rater = rater
        try:
            await self._test(setup, rater)
        except OphtimusError as error:
            self._tell_error(error)
        except asyncio.CancelledError:
            self._tell(partial(self._texts, "blind.stopped"))
            raise
        finally:
            self._work = None
            if self.is_attached:
                self._go("menu")

    async def _ask_rater(self) -> str | None:
        def act(typed: list[str]) -> str:
            if name := clean_rater(typed[0]):
                return name
            raise FormError("blind.rater_missing")

        return await self.app.push_screen_wait(
            FormScreen(
                self._texts,
                partial(self._texts, "blind.rater_text"),
                [Field("blind.rater", value=self.rater)],
                act,
                leaving="blind.key_back",
            )
        )

    async def _test(self, setup: Setup, rater: str) -> None:
        questions = setup.questions
        names = (setup.level, setup.reference)
        level, reference = [
            await asyncio.to_thread(store.choose, str(setup.model.name), name) for name in names
        ]
        compared = Compared(
            level.level, reference.level, (level.sha256, reference.sha256), demonstration=level.demonstration
        )
        with folders.opened(folders.folder_of(level, reference)) as folder:
            if not await self._make(folder, (level, reference), questions):
                return
            seed = folder.seed_of(rater)
            drawing = draw(folder.answers(), questions, compared.sha256s, seed)
            if not drawing.pairs:
                self._tell(
                    lambda: "\n".join([self._texts("blind.nothing"), left_out_said(self._texts, drawing)])
                )
                return
            while self.app.screen is not self:  # hidden meanwhile: nothing is shown over that
                await asyncio.sleep(_READ_S)
            await self.app.push_screen_wait(VoteScreen(self._texts, folder, drawing, rater, compared))

    async def _make(
        self, folder: BlindTestFolder, models: tuple[ChosenModel, ChosenModel], questions: list[AskedQuestion]
    ) -> bool:
        """Have both levels answer what they have not answered yet, one after the other; whether that could be."""
        known = folder.answers()
        have = {(answer.sha256, answer.asked) for answer in known}
        if all((model.sha256, question) in have for model in models for question in questions):
            return True
        if self._make_room is not None and not await self._make_room():
            self._tell(partial(self._texts, "blind.busy"))
            return False
        far = AnswersProgress(self._texts, 2 * len(questions))
        self._far = far.said
        self._go("making")
        try:
            for place, model in enumerate(models):
                far.begin_level(place, len(questions))
                stream = make_answers(
                    self._engine, model, questions, known=known,
                    on_load=far.loads, on_progress=far.answers, on_token=far.writes,
                )  # fmt: skip
                self._show_far(far)
                ticks = self.set_interval(_READ_S, partial(self._show_far, far))
                try:
                    async with aclosing(stream):
                        async for answer in stream:
                            await asyncio.to_thread(folder.keep_answer, answer)
                finally:
                    ticks.stop()
        finally:
            if self._give_back is not None:
                self._give_back()
        return True

    def _show_far(self, far: AnswersProgress) -> None:
        if self._state == "making":
            self._bar.update(total=far.total, progress=far.done)
            self._how_far.update(far.said())

    def action_leave(self) -> None:
        """Stop the answers, which are kept; where none are made, leave."""
        if self._state == "making" and self._work is not None:
            self._work.cancel()
        else:
            self.dismiss(None)
