"""The quiz: multiple-choice questions, one at a time, each marked and explained at once."""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.specialties.questions import ChoiceQuestion, choice_prompt
from ophtimus_edge.specialties.quiz import Mark, Quiz, draw
from ophtimus_edge.specialties.quiz_file import embedded_path, read_quiz_file
from ophtimus_tui.keys import QUIZ
from ophtimus_tui.screens.open_quiz import OpenQuizScreen
from ophtimus_tui.screens.quiz_pages import Page, Pages, Settings
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.choice_list import ChoiceList

State = Literal[
    "reading", "failed", "menu", "topics", "problems", "question", "marked", "leaving", "end"
]  # fmt: skip


class Verdict(Static):
    """Right or wrong: what is read first when it appears, so the page scrolls to it."""

    def on_show(self) -> None:
        """Once it has its place, and not before: a place that is not laid out cannot be scrolled to."""
        self.scroll_visible(top=True, animate=False)


class QuizScreen(Screen[None]):
    """A start page, questions, the score; then the wrong ones once more.

    The screen talks to no engine: to ask the model about a question, it posts :class:`AskModel` and
    stays as it is, so that the quiz goes on when it is shown again.
    """

    DEFAULT_CSS = """
    QuizScreen #heading { height: auto; background: $panel; padding: 0 1; text-style: bold; }
    QuizScreen #page { height: 1fr; }
    QuizScreen #intro { height: auto; padding: 0 1; margin: 1 0; }
    QuizScreen #verdict { height: auto; padding: 0 1; margin: 1 0 0 0; text-style: bold; }
    QuizScreen #verdict.right { color: $success; }
    QuizScreen #verdict.wrong { color: $error; }
    QuizScreen #detail { height: auto; padding: 0 1; margin: 0 0 1 0; }
    QuizScreen #tail { height: auto; padding: 0 1; margin: 1 0; }
    QuizScreen #keys { height: auto; color: $text-muted; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, show=False) for key in QUIZ if key.action
    ]

    @dataclass
    class AskModel(Message):
        """The model is to be asked this.

        Attributes:
            question_text: the question with its options as they stand on the screen.
        """

        question_text: str

    def __init__(self, texts: Texts, questions_path: Path | None = None) -> None:
        super().__init__()
        self._texts = texts
        self._pages = Pages(texts)
        self._path = questions_path or embedded_path()
        self._state: State = "reading"
        self._before: State = "question"  # where "leaving" goes back to
        self._error: OphtimusError | None = None
        self._settings: Settings | None = None
        self._quiz: Quiz | None = None
        self._first: Quiz | None = None  # whose wrong ones are asked once more
        self._mark: Mark | None = None
        self._page = Page("")
        self._heading = Static("", id="heading", markup=False)
        self._body = VerticalScroll(id="page")
        self._intro = Static("", id="intro", markup=False)
        self._options = ChoiceList(id="options")
        self._verdict = Verdict("", id="verdict", markup=False)
        self._detail = Static("", id="detail", markup=False)
        self._actions = ChoiceList(id="actions")
        self._tail = Static("", id="tail", markup=False)
        self._keys = Static("", id="keys", markup=False)

    def compose(self) -> ComposeResult:
        """Heading, page, keys."""
        yield self._heading
        with self._body:
            yield self._intro
            yield self._options
            yield self._verdict
            yield self._detail
            yield self._actions
            yield self._tail
        yield self._keys

    def on_mount(self) -> None:
        """Read the questions."""
        self._body.can_focus = False
        self._read()

    def relabel(self) -> None:
        """Write everything anew in the language that was switched to; nothing else changes."""
        self._write(self._made())

    @work(exclusive=True)
    async def _read(self) -> None:
        self._go("reading")
        try:
            file = await asyncio.to_thread(read_quiz_file, self._path)
        except OphtimusError as error:
            self._error = error
            self._go("failed")
            return
        self._settings = Settings(file, self._texts.language)
        self._go("menu")

    def action_leave(self) -> None:
        """Leave the page for the one before it; a quiz under way is left only after asking."""
        if self._state in {"question", "marked"}:
            self._before = self._state
            self._go("leaving")
        elif self._state == "leaving":
            self._go(self._before)
        elif self._state in {"topics", "problems"}:
            self._go("menu")
        else:
            self.dismiss()

    def action_ask_model(self) -> None:
        """Hand the question on the page to whoever asks the model."""
        question = self._question()
        if question is not None and self._state in {"question", "marked"}:
            self.post_message(self.AskModel(choice_prompt(question)))

    def action_scroll(self, pages: int) -> None:
        """Move the page by what fits the screen."""
        if pages < 0:
            self._body.scroll_page_up(animate=False)
        else:
            self._body.scroll_page_down(animate=False)

    @on(ChoiceList.Chosen)
    def choose(self, chosen: ChoiceList.Chosen) -> None:
        """An option answers the question; anything else is a step."""
        if chosen.choices is self._options:
            if self._quiz is not None and self._quiz.current is not None and self._state == "question":
                self._mark = self._quiz.answer(chosen.place)
                self._go("marked")
        elif chosen.place < len(self._page.actions):
            self._step(self._page.actions[chosen.place][0])

    def _step(self, action: str) -> None:
        settings, quiz = self._settings, self._quiz
        if action == "leave":
            self.dismiss()
        elif action == "go on":
            self._go(self._before)
        elif action == "file":
            self.app.push_screen(OpenQuizScreen(self._texts), self._open)
        elif action == "embedded":
            self._open(embedded_path())
        elif action == "next" and quiz is not None:
            self._go("question" if quiz.current else "end")
        elif action == "again" and quiz is not None:
            self._first = self._first or quiz
            self._quiz = quiz.again()
            self._go("question")
        elif action in {"another", "menu"}:
            self._go("menu")
        elif action == "problems":
            self._go("problems")
        elif action == "topic":
            self._go("topics")
        elif settings is not None:
            self._set(settings, action)

    def _open(self, path: Path | None) -> None:
        if path is not None:
            self._path = path
            self._read()

    def _set(self, settings: Settings, action: str) -> None:
        if action == "begin":
            self._first = None
            self._quiz = draw(
                settings.file.questions,
                count=settings.count,
                seed=secrets.randbelow(1 << 31),
                topic=settings.topic,
                language=settings.language,
            )
            self._go("question")
        elif action == "count":
            settings.next_count()
            self.relabel()
        elif action == "language":
            settings.next_language()
            self.relabel()
        else:  # "topic N"
            place = int(action.removeprefix("topic "))
            settings.topic = None if place == 0 else settings.listed_topics[place - 1]
            self._go("menu")

    def _question(self) -> ChoiceQuestion | None:
        """The question on the page."""
        if self._state == "marked" and self._mark is not None:
            return self._mark.question
        return self._quiz.current if self._quiz is not None else None

    def _made(self) -> Page:
        """The page of the state."""
        again = self._first is not None
        quiz, question = self._quiz, self._question()
        if self._state == "failed" and self._error is not None:
            return self._pages.failed(self._error)
        if quiz is not None:
            if self._state == "question" and question is not None:
                return self._pages.question(quiz, question, again=again)
            if self._state == "marked" and self._mark is not None:
                return self._pages.marked(quiz, self._mark, again=again)
            if self._state == "leaving":
                return self._pages.leaving(quiz, self._first)
            if self._state == "end":
                return self._pages.end(quiz, self._first)
        if self._settings is not None and self._state != "reading":
            if self._state == "topics":
                return self._pages.topics(self._settings)
            if self._state == "problems":
                return self._pages.problems(self._settings.file)
            return self._pages.menu(self._settings)
        return self._pages.reading()

    def _go(self, state: State) -> None:
        """Show another page, from its beginning."""
        self._state = state
        page = self._made()
        # An option is taken by Enter only after an arrow was pressed: Enter also brought this page.
        self._options.at = None
        self._actions.at = 0
        self._write(page)
        self._body.scroll_home(animate=False, immediate=True)

    def _write(self, page: Page) -> None:
        self._page = page
        self._heading.update(page.heading)
        for part, text in (
            (self._intro, page.intro),
            (self._verdict, page.verdict),
            (self._detail, page.detail),
            (self._tail, page.tail),
        ):
            part.update(text)
            part.display = bool(text)
        self._verdict.set_class(page.right, "right")
        self._verdict.set_class(not page.right, "wrong")
        self._options.show(page.options, at=self._options.at, signs=page.signs)
        self._actions.show([line for _, line in page.actions], at=self._actions.at)
        self._keys.update(_foot(page.keys))
        self.set_focus(
            self._actions if page.actions else self._options if page.options else None, scroll_visible=False
        )


def _foot(keys: tuple[tuple[str, str], ...]) -> Content:
    """The keys in a line; a click on one does what it does."""
    parts = [
        Content.styled(label, Style.from_meta({"@click": f"screen.{action}"})) if action else Content(label)
        for label, action in keys
    ]
    return Content(" · ").join(parts)
