"""What the tests of the blind test share: answers that are made up, and an app that shows nothing but the votes."""

from pathlib import Path

import piloting
from textual.app import App

from ophtimus_edge.compare.votes.answers import AskedQuestion, LevelAnswer
from ophtimus_edge.compare.votes.drawing import Drawing, draw
from ophtimus_edge.compare.votes.folder import BlindTestFolder
from ophtimus_tui.blind_words import Compared
from ophtimus_tui.screens.vote import VoteScreen
from ophtimus_tui.texts import Texts

SMALL, LARGE = "a" * 64, "b" * 64
LEVELS = {SMALL: "Q4_K_M", LARGE: "BF16"}
COMPARED = Compared("Q4_K_M", "BF16", (SMALL, LARGE))
SIZES = [(60, 20), (80, 24), (120, 40)]


def drawing(count: int = 3, *, long: int = 1, seed: int = 5) -> Drawing:
    """A drawing of so many pairs whose answers have so many lines."""
    questions = [AskedQuestion(f"q{n}", f"Question number {n}?") for n in range(count)]
    answers = [
        LevelAnswer(
            model="m", level=LEVELS[sha256], sha256=sha256, question_id=question.id, question=question.text,
            text="\n\n".join(f"{word} says {question.id} line {n}" for n in range(long)),
        )
        for sha256, word in ((SMALL, "Lens"), (LARGE, "Iris"))
        for question in questions
    ]  # fmt: skip
    return draw(answers, questions, (SMALL, LARGE), seed)


class Host(App[None]):
    """An app that has the votes and nothing else."""

    def __init__(self, folder: Path, drawn: Drawing, *, rater: str = "Kim", language: str = "en") -> None:
        super().__init__()
        self.texts = Texts(language)
        self.folder = BlindTestFolder(folder)
        self.votes = VoteScreen(self.texts, self.folder, drawn, rater, COMPARED)
        self.left = False

    def on_mount(self) -> None:
        self.push_screen(self.votes, self._leave)

    def _leave(self, _result: None) -> None:
        self.left = True


def shown(app: App[None]) -> str:
    """Everything on the screen in front, without frames and scroll bars."""
    return " ".join("".join(" " if "▀" > sign >= "─" or "▁" <= sign <= "█" else sign
                            for sign in piloting.shown(app)).split())  # fmt: skip
