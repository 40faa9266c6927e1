"""What the tests of the quiz share: an app that shows nothing else, and how a person goes through it."""

import json
import re
from collections.abc import Collection
from pathlib import Path

import piloting
from piloting import lines, until
from textual.app import App
from textual.pilot import Pilot

from ophtimus_edge.specialties.questions import ChoiceQuestion
from ophtimus_tui.screens.quiz import QuizScreen
from ophtimus_tui.texts import Texts

SIZES = [(60, 20), (80, 24), (120, 40)]


class Host(App[None]):
    """An app that has the quiz and nothing else."""

    def __init__(self, language: str = "en", path: Path | None = None) -> None:
        super().__init__()
        self.texts = Texts(language)
        self.quiz = QuizScreen(self.texts, path)
        self.asked: list[str] = []
        self.left = False

    def on_mount(self) -> None:
        self.push_screen(self.quiz, self._leave)

    def _leave(self, _result: None) -> None:
        self.left = True

    def on_quiz_screen_ask_model(self, message: QuizScreen.AskModel) -> None:
        self.asked.append(message.question_text)


def rows(app: App[None]) -> list[str]:
    """The screen, line by line, without its scroll bar."""
    return [re.sub("[▁-█]", " ", line) for line in lines(app)]


def shown(app: App[None]) -> str:
    """Everything on the screen as one line, its wrapping undone."""
    return " ".join(" ".join(rows(app)).split())


async def stands(app: App[None], *words: str, without: Collection[str] = ()) -> None:
    """Wait until words stand on the screen, and others do not."""
    await piloting.stands(app, *words, without=without, read=shown)


def question(app: Host) -> ChoiceQuestion:
    asked = app.quiz._question()
    assert asked is not None
    return asked


def right_digit(app: Host) -> str:
    return str("ABCDE".index(question(app).letter) + 1)


def wrong_digit(app: Host) -> str:
    return "2" if right_digit(app) == "1" else "1"


async def begin(app: Host, pilot: Pilot[None]) -> None:
    """From the start page to the first question, with what stands there."""
    await until(lambda: app.quiz._state == "menu")
    await pilot.press("enter")
    await until(lambda: app.quiz._state == "question")
    await pilot.pause()


def own_file(folder: Path, *questions: dict[str, str]) -> Path:
    path = folder / "own.jsonl"
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions), encoding="utf-8"
    )
    return path


def row(**changes: str) -> dict[str, str]:
    return {
        "question": "Which metal?", "option_a": "Copper", "option_b": "Iron", "explanation": "Because.",
        "answer": "Copper",
    } | changes  # fmt: skip


async def begin_from_anywhere(app: Host, pilot: Pilot[None]) -> None:
    await pilot.press("1")
    await until(lambda: app.quiz._state == "question")
    await pilot.pause()
