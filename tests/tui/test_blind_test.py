"""The start of a blind test: what is compared, the answers made one level at a time, stopped, and gone on with."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from piloting import click, lines, shown, stands, until
from quiz_screens import own_file
from scripted_engine import ScriptedEngine, scripted
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge import locations
from ophtimus_edge.compare.votes.answers import read_answers
from ophtimus_edge.engine.client import Died
from ophtimus_edge.engine.messages import Answered, Loading, Piece, Reading, Sampling, Turn
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.blind_test import BlindTestScreen
from ophtimus_tui.screens.chat import ChatScreen
from ophtimus_tui.screens.hidden import HiddenScreen
from ophtimus_tui.screens.vote import VoteScreen
from ophtimus_tui.texts import Texts

COUNT = 3
ANSWERS = [[f"answer {number}"] for number in range(2 * COUNT)]


class Host(App[None]):
    """An app that has the blind test and nothing else."""

    def __init__(self, engine: ScriptedEngine, language: str = "en", *, busy: bool = False) -> None:
        super().__init__()
        self.texts = Texts(language)
        self.room: list[str] = []
        self.busy = busy
        self.test = BlindTestScreen(
            self.texts, store.choose(), make_room=self._make_room, engine=engine,
            give_back=lambda: self.room.append("back"),
        )  # fmt: skip

    def on_mount(self) -> None:
        self.push_screen(self.test)

    async def _make_room(self) -> bool:
        self.room.append("room")
        return not self.busy


async def at_menu(app: Host) -> None:
    await until(lambda: app.test._state == "menu" and app.screen is app.test)
    assert app.test._setup
    app.test._setup.count = COUNT


async def begin(app: Host, pilot: Pilot[None], name: str = "Kim") -> None:
    """From the start page through the question for the name."""
    await at_menu(app)
    await pilot.press("1")
    await until(lambda: app.screen is not app.test)
    app.screen.query_one(Input).value = name
    await pilot.press("enter")


def answers() -> list[tuple[str, str]]:
    """The level of each answer that is kept, and its text."""
    (folder,) = locations.blind_tests_folder().iterdir()
    return [(answer.level, answer.text) for answer in read_answers(folder / "answers.jsonl")]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_all_answers_are_made_one_level_after_the_other_and_then_voted_on(
    size: tuple[int, int], language: str
) -> None:
    engine = ScriptedEngine(*ANSWERS)
    app = Host(engine, language)
    async with app.run_test(size=size) as pilot:
        await at_menu(app)
        await stands(app, app.texts("blind.levels", level="Q4_K_M", reference="BF16"))
        await begin(app, pilot)
        await until(lambda: isinstance(app.screen, VoteScreen))
        assert [level for level, _ in answers()] == ["Q4_K_M"] * COUNT + ["BF16"] * COUNT
        assert all(sampling.temperature == 0 and sampling.seed == 0 for sampling in engine.asked)
        assert app.room == ["room", "back"]
        await stands(app, app.texts("blind.number", number=1, total=COUNT))
        await pilot.press("escape")
        await at_menu(app)
        await begin(app, pilot)  # what is made is not made again
        await until(lambda: isinstance(app.screen, VoteScreen))
        assert len(engine.asked) == 2 * COUNT
        assert app.room == ["room", "back"]


class Holding(ScriptedEngine):
    """Stays in its third answer until a test lets it write."""

    async def answer(
        self, turns: list[Turn], sampling: Sampling | None = None, *, plain: bool = False
    ) -> AsyncGenerator[Loading | Reading | Piece | Halted | Answered | Died, None]:
        if len(self.asked) == 2:
            self.may_write.clear()
        async with aclosing(super().answer(turns, sampling, plain=plain)) as events:
            async for event in events:
                yield event


async def test_it_is_stopped_with_escape_and_goes_on_where_it_was() -> None:
    engine = Holding(*ANSWERS, ["the last answer"])
    app = Host(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await until(lambda: len(engine.asked) == 3 and app.test._state == "making")
        await stands(app, "2 of 6 answers", "Esc stop")
        await pilot.press("escape")
        await stands(app, "Stopped. The answers that were made are kept")
        await at_menu(app)
        assert app.room == ["room", "back"]
        assert engine.loaded is None
        assert len(answers()) == 2
        engine.may_write.set()
        await begin(app, pilot)
        await until(lambda: isinstance(app.screen, VoteScreen))
        assert len(answers()) == 2 * COUNT
        assert (
            len(engine.asked) == 3 + 2 * COUNT - 2
        )  # the one that was stopped was asked again, and no other


async def test_how_far_it_is_is_said_while_it_loads_and_writes() -> None:
    engine = ScriptedEngine(*[["one ", "two ", f"three {number}"] for number in range(2 * COUNT)])
    app = Host(engine)
    engine.may_load.clear()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await stands(app, "0 of 6 answers", "loading the model: 40 %", "Esc stop")
        engine.may_load.set()
        await until(lambda: isinstance(app.screen, VoteScreen))


async def test_the_votes_wait_behind_a_screen_that_hides_everything() -> None:
    engine = ScriptedEngine(*ANSWERS)
    app = Host(engine)
    engine.may_load.clear()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await until(lambda: app.test._state == "making")
        app.push_screen(HiddenScreen(lambda: "hidden", opens=True))
        await until(lambda: isinstance(app.screen, HiddenScreen))
        engine.may_load.set()
        await until(lambda: app.room == ["room", "back"])
        await pilot.pause(0.5)
        assert isinstance(app.screen, HiddenScreen)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, VoteScreen))


async def test_who_votes_has_to_say_a_name_and_may_think_better_of_it() -> None:
    engine = ScriptedEngine(*ANSWERS)
    app = Host(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot, "  ")
        await stands(app, "Write a name or initials.")
        await pilot.press("escape")
        await at_menu(app)
        assert engine.asked == []
        await begin(app, pilot, " 김\u0000 의사 ")
        await until(lambda: isinstance(app.screen, VoteScreen))
        assert app.test.rater == "김 의사"


async def test_levels_that_answer_alike_leave_nothing_to_vote_on() -> None:
    app = Host(ScriptedEngine(["the same"]))
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await stands(app, "There is nothing to vote on", "3 questions had the same answer")


async def test_a_chat_that_is_at_work_is_not_disturbed() -> None:
    engine = ScriptedEngine(*ANSWERS)
    app = Host(engine, busy=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await stands(app, "An answer is still being written in the chat")
        assert engine.asked == []


async def test_an_engine_that_fails_is_said_and_what_was_made_is_kept() -> None:
    engine = ScriptedEngine(*ANSWERS)
    app = Host(engine)
    engine.may_write.clear()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot)
        await until(lambda: len(engine.asked) == 1)
        engine.fails = EngineError("it ended at byte 7.", "Ask again.")
        engine.may_write.set()
        await stands(app, "it ended at byte 7.")
        assert len(answers()) == 1
        assert app.room[-1] == "back"


async def test_questions_of_ones_own_are_taken_and_bad_rows_named(tmp_path: Path) -> None:
    path = own_file(
        tmp_path,
        {"question": "What is a chalazion?", "answer": "A lipogranuloma of a meibomian gland."},
        {"question": "", "answer": "x"},
        {"question": "황반은 무엇입니까?", "answer": "망막의 중심부입니다."},
    )
    app = Host(ScriptedEngine(*ANSWERS))
    async with app.run_test(size=(100, 30)) as pilot:
        await at_menu(app)
        await click(app, pilot, "Questions: those")
        await until(lambda: app.screen is not app.test)
        app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await stands(app, "Questions: own.jsonl", "1 rows of the file are left out", "line 2")
        await click(app, pilot, "Language of the questions: all")
        await stands(app, "Language of the questions: English", "1 of 1")
        await click(app, pilot, "Use the questions that come")
        await stands(app, "those that come with the program", without=["own.jsonl"])


async def test_a_file_that_cannot_be_used_is_said_and_the_other_stays(tmp_path: Path) -> None:
    app = Host(ScriptedEngine(*ANSWERS))
    async with app.run_test(size=(100, 30)) as pilot:
        await at_menu(app)
        app.test._open(tmp_path / "missing.jsonl")
        await stands(app, "does not exist", "those that come with the program")
        await pilot.press("escape")
        await until(lambda: app.screen is not app.test)


async def test_other_levels_can_be_chosen() -> None:
    app = Host(ScriptedEngine(*ANSWERS))
    async with app.run_test(size=(100, 30)) as pilot:
        await at_menu(app)
        await pilot.press("2")
        await stands(app, "Which level?")
        await pilot.press("1")
        await stands(app, "which other level")
        await pilot.press("1")
        await stands(app, "Levels: BF16 and Q4_K_M")


async def test_in_the_app_it_is_a_command_and_the_chats_model_rests_meanwhile() -> None:
    app = OphtimusApp(store.choose(), "en")
    engine = scripted(app, ScriptedEngine())
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: engine.loaded is not None and isinstance(app.screen, ChatScreen))
        await pilot.pause()
        app.action_blind_test()
        await until(lambda: isinstance(app.screen, BlindTestScreen))
        assert await app.chat.rest()
        assert engine.loaded is None
        app.chat.wake()
        await until(lambda: engine.loaded is not None)
        await until(lambda: "ready" in str(app.chat.serving._state))
        commands = {command.title for command in app.get_system_commands(app.chat)}
        assert {app.texts("keys.blind_test"), app.texts("keys.report")} <= commands
        await until(lambda: "Begin" in shown(app))
        await pilot.press("ㅁ", "q", "escape")
        await until(lambda: isinstance(app.screen, ChatScreen))
        assert lines(app)
