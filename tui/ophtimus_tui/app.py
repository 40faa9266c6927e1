"""The program: settings, screens, themes and the palette around the chat screen."""

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen

from ophtimus_edge import settings
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import OphtimusError, OwnSettingsError, SettingsError
from ophtimus_edge.models import store
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.specialties import roles
from ophtimus_tui import people_commands, quitting, themes
from ophtimus_tui.error_texts import said
from ophtimus_tui.keys import BLIND_TEST, CHAT, COMMANDS, EVERYWHERE, MODELS, QUIZ, TALK_LIST
from ophtimus_tui.notes import Notes
from ophtimus_tui.people import People
from ophtimus_tui.screens.chat import ChatScreen
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.set_for_whom import SetForWhom
from ophtimus_tui.texts import LANGUAGES, Texts

if TYPE_CHECKING:
    from ophtimus_tui.screens.first_start import FirstChoices, HistoryWish
    from ophtimus_tui.screens.quiz import QuizScreen

# The other screens are loaded when they are opened: the first one does not wait for them.

_GARBAGE = 5_000  # new objects before a look: a drawing makes thousands, and nearly none of them are garbage
_OPENS_S = 5.0  # in which a history is open
_LOOK_S = 1.0  # between two looks whether nobody is there any more


class OphtimusApp(App[None]):
    """The terminal app on one model.

    Args:
        language: ``en`` or ``ko``.
        chosen: what the person has set; without it nothing of it is read or written.
        problems: with which the program started; the chat screen says them.
    """

    TITLE = "Ophtimus"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Not over a screen's own F1: help closes with it.
        Binding(key.keys, key.action, show=False, priority=key.keys != "f1")
        for key in EVERYWHERE
    ]

    def __init__(
        self,
        model: ChosenModel,
        language: str,
        chosen: settings.Settings | None = None,
        problems: Sequence[OphtimusError] = (),
    ) -> None:
        super().__init__()
        self.texts = Texts(language)
        for_nobody = settings.Settings(first_start_done=settings.FIRST_START, keep_draft=False)
        self._keeps_settings = chosen is not None
        self.set_for = SetForWhom(chosen or for_nobody, keeps=self._keeps_settings)
        self._problems = problems
        self._engine = Engine(yields=True)
        self._model = model
        self.notes = Notes(self)
        self._warned = False  # that something would be lost
        self._raters: dict[str, str] = {}  # who voted last in a blind test, by the history that was open
        self.people = People(self, keeps=self._keeps_settings)
        self.chat = self._new_chat()
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = themes.theme_named(self.chosen.theme)

    def _new_chat(self) -> ChatScreen:
        chat = ChatScreen(self.texts, self._model, self._engine, self.people.state)
        chat.apply(self.chosen)
        return chat

    def on_mount(self) -> None:
        """Open the chat screen, after the first start's pages where they were never answered."""
        self.set_interval(_LOOK_S, self.people.look_at_the_clock)
        if self.chosen.first_start_done < settings.FIRST_START:
            self._first_start()
        else:
            self._open_chat("")

    def on_ready(self) -> None:
        """Look for garbage again where the start did not, and never among what is there by now and stays."""
        if not gc.isenabled():
            gc.freeze()
            gc.set_threshold(_GARBAGE)
            gc.enable()

    async def on_unmount(self) -> None:
        """End the engine with the app, and let go of the history."""
        await asyncio.shield(self._engine.close())
        await self.chat.serving.ended()
        await asyncio.shield(self.people.close())

    async def on_event(self, event: events.Event) -> None:
        """Note that somebody is there."""
        if isinstance(event, events.InputEvent | events.Paste):
            self.people.touch()
        await super().on_event(event)

    @work
    async def _first_start(self) -> None:
        from ophtimus_tui.screens.first_start import FirstStartScreen

        choices: FirstChoices = await self.push_screen_wait(FirstStartScreen(self.texts))
        language = choices.language
        self._set(
            language=language if language != settings.language_of_environment() else "auto",
            history="nothing" if choices.history == "nothing" else "keep",
            first_start_done=settings.FIRST_START,
        )
        self.chat = self._new_chat()
        self._open_chat(choices.history)

    def _open_chat(self, wish: "HistoryWish | Literal['']") -> None:
        self.push_screen(self.chat)
        self._do(partial(self.people.start, wish))  # in threads: the screen is there before the history is
        for problem in self._problems:
            self.chat.call_after_refresh(self.chat.say, partial(self._say, problem))

    def _say(self, problem: OphtimusError) -> str:
        sentences = [said(problem, self.texts)]
        if isinstance(problem, SettingsError):
            own = isinstance(problem, OwnSettingsError)
            sentences.append(self.texts("chat.own_settings_broken" if own else "chat.settings_broken"))
        return "\n".join(sentences)

    @property
    def chosen(self) -> settings.Settings:
        """What holds now: the person's settings whose history is open, over the computer's."""
        return self.set_for.current

    def follow(self, before: settings.Settings, problem: OphtimusError | None = None) -> None:
        """Look, speak and answer as it is set for the person whose history was just opened or left.

        Args:
            before: what held until now.
            problem: why their own settings are not in force, to be said.
        """
        if self.chosen.theme != before.theme:
            self.theme = themes.theme_named(self.chosen.theme)
        if self.chosen.language != before.language:
            self._speak(self.chosen.spoken_language())
        self.chat.follow(self.chosen, before)
        if problem is not None:
            self.chat.say(partial(self._say, problem))

    def change(self, **changes: object) -> None:
        """Change settings, and keep them."""
        self._set(**changes)

    def _set(self, **changes: object) -> None:
        try:
            self.set_for.change(**changes)
        except OphtimusError as error:
            reason = said(error, self.texts)
            self.notify(self.texts("chat.settings_failed", reason=reason), severity="warning", markup=False)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Say something in the corner; while the screen is hidden it waits."""
        said_here = super().notify
        self.notes.say(
            lambda: said_here(message, title=title, severity=severity, timeout=timeout, markup=markup)
        )

    # Commands, for keys, palette and mouse

    def get_system_commands(self, screen: Screen[object]) -> Iterator[SystemCommand]:
        """Every command of the chat screen, by what it does; elsewhere those of every screen."""
        chatting = isinstance(screen, ChatScreen)
        for key in (*CHAT, *COMMANDS) if chatting else EVERYWHERE:
            if key.in_palette and key.action:
                owner = "app" if hasattr(self, f"action_{key.action.partition('(')[0]}") else "screen"
                yield SystemCommand(
                    self.texts(key.sentence),
                    key.keys,
                    partial(self.run_action, f"{owner}.{key.action}", screen),
                )
        if chatting:
            yield SystemCommand(self.texts("keys.quiz"), "", self.action_quiz)
            yield SystemCommand(self.texts("keys.blind_test"), "", self.action_blind_test)
            yield SystemCommand(self.texts("keys.report"), "", self.action_report)
            for sentence, command in people_commands.commands(self.people):
                yield SystemCommand(self.texts(sentence), "", partial(self._do, command))

    @work
    async def _do(self, command: Callable[[], Awaitable[None]]) -> None:
        await command()

    async def action_quit(self) -> None:
        """Leave, with everything kept; what is kept nowhere is said first, unless this is pressed again then."""
        if self.screen is self.chat:  # no dialog waits: a history that is just being opened takes the draft
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OPENS_S), self.people.flow:
                    pass
        if not self._warned and self.chat.is_running:
            lost = await quitting.would_be_lost(self.people)
            if any(lost):
                self._warned = True
                self._do(partial(self._quit_all_the_same, lost))
                return
        await self._leave()

    async def _quit_all_the_same(self, lost: quitting.Lost) -> None:
        texts = self.texts
        sure = await self.push_screen_wait(
            ConfirmScreen(
                lambda: quitting.named(lost, texts),
                lambda: texts("people.quit_go"),
                lambda: texts("people.lost_stay"),
            )
        )
        if sure:
            await self._leave()
        self._warned = False

    async def _leave(self) -> None:
        await self.people.leave()
        self.exit()

    def action_lock(self) -> None:
        """Hide everything at once, and lock the history where it has a passphrase."""
        if self.chat in self.screen_stack:
            self._do(self.people.lock)

    def action_palette(self) -> None:
        """Every command, by name."""
        self.action_command_palette()

    def action_help(self) -> None:
        """Keys, safety lines, what is stored."""
        from ophtimus_tui.screens.help import HelpScreen

        sections = {
            "help.keys_title": CHAT, "help.list_title": TALK_LIST, "help.commands_title": COMMANDS,
            "help.models_title": MODELS, "help.quiz_title": QUIZ, "help.blind_title": BLIND_TEST,
        }  # fmt: skip
        self.push_screen(HelpScreen(self.texts, sections))

    @work
    async def action_models(self) -> None:
        """Choose another model or level, which is then loaded in place."""
        from ophtimus_tui.screens.models import ModelsScreen

        chosen = await self.push_screen_wait(ModelsScreen(self.texts, self.chat.model))
        if chosen is not None and chosen != self.chat.model:
            self.chat.open_model(chosen)
            self._set(
                model=str(chosen.folder or chosen.path) if not chosen.demonstration else "",
                level=chosen.level,
            )

    @work
    async def action_roles(self) -> None:
        """Choose in what role the answers are given."""
        named = roles()
        chosen = await self.push_screen_wait(
            ChooseScreen(
                lambda: self.texts("chat.roles"),
                {name: partial(self._title, name) for name in named}
                | {"quiz": lambda: self.texts("keys.quiz")},
                self.chat.serving.role,
            )
        )
        if chosen == "quiz":
            self.action_quiz()
        elif chosen:
            await self.chat.set_role(chosen)
            self._set(role=chosen)

    def _title(self, role: str) -> str:
        return roles()[role].title[self.texts.language]

    def action_quiz(self) -> None:
        """Multiple-choice questions."""
        from ophtimus_tui.screens.quiz import QuizScreen

        self.push_screen(QuizScreen(self.texts))

    @work
    async def action_blind_test(self) -> None:
        """Vote on two levels' answers without knowing which is whose."""
        from ophtimus_tui.screens.blind_test import BlindTestScreen

        whose = self.people.opened.profile.id if self.people.opened else ""
        screen = BlindTestScreen(
            self.texts,
            self.chat.model,
            rater=self._raters.get(whose, ""),
            make_room=self.chat.rest,
            give_back=self.chat.wake,
        )
        await self.push_screen_wait(screen)
        self._raters[whose] = screen.rater

    @work
    async def action_report(self) -> None:
        """Look at what a comparison of levels found."""
        from ophtimus_tui.screens.report import open_report

        await open_report(self, self.texts)

    def on_quiz_screen_ask_model(self, event: "QuizScreen.AskModel") -> None:
        """Put a quiz question into the question box; the quiz waits underneath."""
        self.pop_screen()
        self.chat.composing.write(event.question_text)

    def action_theme(self) -> None:
        """Light or dark."""
        name = "light" if self.chosen.theme == "dark" else "dark"
        self.theme = themes.theme_named(name)
        self._set(theme=name)

    def action_language(self) -> None:
        """Speak the other language, at once and everywhere."""
        language = LANGUAGES[(LANGUAGES.index(self.texts.language) + 1) % len(LANGUAGES)]
        self._speak(language)
        self._set(language=language)

    def _speak(self, language: str) -> None:
        self.texts.switch(language)
        for screen in self.screen_stack:
            if relabel := getattr(screen, "relabel", None):
                relabel()


def run() -> None:
    """Run the app; registered in the entry-point group ``ophtimus.app``."""
    chosen, problem = settings.read_or_defaults()
    language = chosen.spoken_language()
    problems: list[OphtimusError] = [problem] if problem else []
    try:
        model = store.choose(chosen.model, chosen.level)
    except OphtimusError as error:
        # A model that was removed must not keep the app from opening.
        problems.append(error)
        model = store.choose(store.DEMO)
    OphtimusApp(model, language, chosen, problems).run()
