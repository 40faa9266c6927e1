"""How the screens beside the chat look, at three sizes, in both languages and themes; looked at when they change.

Nothing in them is of the machine that the tests run on: models, memory, speeds and paths are made up.
"""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from piloting import lines, shown, until
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from ophtimus_edge import locations
from ophtimus_edge.models import hardware, store
from ophtimus_edge.models.formats import (
    Level,
    Licence,
    ModelFolder,
    Source,
    Statistic,
    Verdict,
    write_model_folder,
)
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.models.inventory import StoredModel
from ophtimus_edge.support.examination import Candidate
from ophtimus_tui import themes
from ophtimus_tui.keys import CHAT, COMMANDS, MODELS, QUIZ, TALK_LIST
from ophtimus_tui.predictions import Predictions
from ophtimus_tui.screens.add_model import AddModelScreen
from ophtimus_tui.screens.first_start import FirstStartScreen
from ophtimus_tui.screens.help import HelpScreen
from ophtimus_tui.screens.models import ModelsScreen
from ophtimus_tui.screens.quiz import QuizScreen
from ophtimus_tui.texts import Texts

GIB = 1 << 30
SECTIONS = {
    "help.keys_title": CHAT, "help.list_title": TALK_LIST, "help.commands_title": COMMANDS,
    "help.models_title": MODELS, "help.quiz_title": QUIZ,
}  # fmt: skip
HERE = Machine(
    system="Linux", architecture="x86_64", cpu_name="", cpu_flags=["avx", "avx2"], physical_cores=4,
    usable_cores=4, memory_bytes=16 * GIB, available_bytes=9 * GIB,
)  # fmt: skip
# level: file and memory in GiB, KL divergence, tokens a second, what is short
LEVELS = {
    "Q8_0": (7.95, 9.1, 0.001, 3.1, "free memory"),
    "Q4_K_M": (4.58, 5.6, 0.031, 5.6, ""),
    "Q2_K": (2.95, 3.9, 0.445, 7.9, ""),
    "BF16": (0.01, 0.12, 0.0, 240.0, ""),  # the demonstration model
}
Compare = Callable[..., bool]
LOOKS = [
    ((80, 24), "en", "dark"), ((80, 24), "ko", "light"),
    ((120, 40), "en", "light"), ((120, 40), "ko", "dark"),
    ((60, 20), "en", "dark"), ((60, 20), "ko", "light"),
]  # fmt: skip
looks = pytest.mark.parametrize(
    ("size", "language", "theme"),
    LOOKS,
    ids=[f"{size[0]}x{size[1]}-{language}-{theme}" for size, language, theme in LOOKS],
)


def measured(value: float) -> Statistic:
    return Statistic(value, value * 0.94, value * 1.09)


class Foreseen(Predictions):
    """What each level would be like on the machine of the pictures."""

    @property
    def measured(self) -> bool:
        return True

    def judge(self, model: StoredModel, level: Level, machine: Machine) -> Candidate:
        file, memory, _, rate, short = LEVELS[level.level]
        if model.built_in:
            file, memory, rate, short = 0.01, 0.12, 240.0, ""
        return Candidate(
            model=model.name, level=level.level, origin="installed", file_bytes=int(file * GIB),
            verdict="does not fit" if short else "fits", reason="", cause=short,  # type: ignore[arg-type]
            context=8192, memory_bytes=int(memory * GIB), tokens_per_s=rate,
        )  # fmt: skip


class Picture(App[None]):
    """One screen and nothing else."""

    def __init__(self, language: str, theme: str, make: Callable[[Texts], Screen[object]]) -> None:
        super().__init__()
        self.texts = Texts(language)
        for one in themes.THEMES:
            self.register_theme(one)
        self.theme = themes.theme_named(theme)
        self._make = make

    def on_mount(self) -> None:
        self.push_screen(self._make(self.texts))


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths, machine and chance are the same everywhere."""
    monkeypatch.setattr(hardware, "read_machine", lambda: HERE)
    monkeypatch.setattr(secrets, "randbelow", lambda _most: 7)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model as a clinic has it, of which only the description is there."""
    names = ("Q8_0", "Q4_K_M", "Q2_K")
    folder = locations.models_folder() / "Ophtimus-Llama-8B"
    folder.mkdir(parents=True)
    model = ModelFolder(
        name="Ophtimus-Llama-8B", version="1", specialty="ophthalmology", kind="instruct",
        source=Source(id="BaekSeungJu/Ophtimus-8B-Instruct"), default_level="Q4_K_M",
        levels=[
            Level(level=name, file=f"Ophtimus-Llama-8B-{name}.gguf", size_bytes=int(LEVELS[name][0] * GIB),
                  sha256="0" * 64)
            for name in names
        ],
        licences=[Licence(name="Llama 3.1 Community License", file="LICENSE", notice="Built with Llama")],
        gates={"tokens": "passed", "template": "passed", "logits": "passed"},
        verdict=Verdict(
            level="Q4_K_M", statement="Q4_K_M is the smallest level within tolerance.",
            kl_mean={name: measured(LEVELS[name][2]) for name in names},
        ),
        tested_languages=["en"],
    )  # fmt: skip
    write_model_folder(folder, model)


async def still(pilot: Pilot[None], *words: str) -> None:
    """Until the words are there, and nothing moves any more."""
    await until(lambda: all(word in shown(pilot.app) for word in words))
    before: list[str] = []
    while before != (before := lines(pilot.app)):  # until two looks show the same
        await pilot.pause(0.3)


@looks
@pytest.mark.usefixtures("installed")
def test_the_models(snap_compare: Compare, size: tuple[int, int], language: str, theme: str) -> None:
    async def on_the_recommended(pilot: Pilot[None]) -> None:
        await still(pilot, "BF16")
        await pilot.press("down", "down")
        await still(pilot, "★ Q4_K_M", "9.00 GiB")

    app = Picture(language, theme, lambda texts: ModelsScreen(texts, store.choose(), Foreseen()))
    assert snap_compare(app, terminal_size=size, run_before=on_the_recommended)


@looks
@pytest.mark.usefixtures("no_places")
def test_adding_a_model(
    snap_compare: Compare, size: tuple[int, int], language: str, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/clinic")

    async def in_the_tree(pilot: Pilot[None]) -> None:
        await still(pilot, "/home/clinic")
        await pilot.press("tab")  # no cursor in the box
        await still(pilot)

    app = Picture(language, theme, AddModelScreen)
    assert snap_compare(app, terminal_size=size, run_before=in_the_tree)


@looks
def test_the_help(
    snap_compare: Compare, size: tuple[int, int], language: str, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPHTIMUS_HOME", str(Path("/home/clinic/ophtimus")))

    app = Picture(language, theme, lambda texts: HelpScreen(texts, SECTIONS))
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: still(pilot, "Ctrl+J"))


@looks
def test_the_quiz_before_it_begins(
    snap_compare: Compare, size: tuple[int, int], language: str, theme: str
) -> None:
    app = Picture(language, theme, QuizScreen)
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: still(pilot, "10"))


@looks
def test_a_quiz_question_and_its_answer(
    snap_compare: Compare, size: tuple[int, int], language: str, theme: str
) -> None:
    async def answered(pilot: Pilot[None]) -> None:
        await still(pilot, "10")
        await pilot.press("1")
        await still(pilot, "F5")
        await pilot.press("2")
        await still(pilot, "▸ 1")

    app = Picture(language, theme, QuizScreen)
    assert snap_compare(app, terminal_size=size, run_before=answered)


@looks
@pytest.mark.parametrize("page", [1, 2, 3])
def test_the_first_start(
    snap_compare: Compare, size: tuple[int, int], language: str, theme: str, page: int
) -> None:
    async def turned(pilot: Pilot[None]) -> None:
        await still(pilot, "Enter")
        await pilot.press(*["enter"] * (page - 1))
        await still(pilot)

    app = Picture(language, theme, FirstStartScreen)
    assert snap_compare(app, terminal_size=size, run_before=turned)
