"""The votes of a blind test, cast as a person casts them: nothing tells the levels, and nothing is lost."""

from pathlib import Path

import msgspec
import pytest
from blind_screens import LEVELS, SIZES, SMALL, Host, drawing, shown
from piloting import click, stands, until
from textual.events import MouseScrollDown
from textual.pilot import Pilot
from textual.widgets import TextArea

from ophtimus_edge.compare.votes.drawing import Drawing, Pair
from ophtimus_edge.compare.votes.reading import read_votes
from ophtimus_tui.screens import vote
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.note import NoteScreen


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys count as soon as a pair is shown; a test presses none twice by mistake."""
    monkeypatch.setattr(vote, "_SETTLES_S", 0.0)


def pair(app: Host) -> Pair:
    now = app.votes._pair
    assert now is not None
    return now


async def begun(app: Host) -> None:
    await until(lambda: app.is_running and app.screen is app.votes and app.votes.ready)
    await stands(app, pair(app).question.text, read=shown)


async def voted(app: Host, pilot: Pilot[None], digit: str) -> None:
    """Vote on the pair that is shown, and wait for what follows."""
    before = len(app.folder.votes_path.read_bytes().splitlines()) if app.folder.votes_path.exists() else 0
    await pilot.press(digit)
    await until(lambda: app.folder.votes_path.exists()
                and len(app.folder.votes_path.read_bytes().splitlines()) == before + 1
                and not app.votes._saving)  # fmt: skip
    await pilot.pause()


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES)
async def test_nothing_tells_the_levels_until_all_is_voted(
    tmp_path: Path, size: tuple[int, int], language: str
) -> None:
    app = Host(tmp_path, drawing(4), language=language)
    t = app.texts
    async with app.run_test(size=size) as pilot:
        await begun(app)
        seen = ""
        for number, digit in enumerate("1234", start=1):
            await stands(app, t("blind.number", number=number, total=4), pair(app).question.text, read=shown)
            await stands(app, pair(app).a.text, read=shown)
            seen += shown(app)
            await voted(app, pilot, digit)
        await stands(app, t("blind.all_voted", count=4), read=shown)
        seen += shown(app)
        assert not [word for word in (*LEVELS.values(), "tok", "GiB", str(tmp_path)) if word in seen]
        await pilot.press("enter")
        await stands(app, t("blind.result"), "Q4_K_M", "BF16", read=shown)
        words = str(app.votes._words.content)
        assert str(app.folder.votes_path) in words
        assert t("blind.result_open", level="", reference="").split(".")[0] in words
        await pilot.press("escape")
        await until(lambda: app.left)
    votes = [numbered.vote for numbered in read_votes(app.folder.votes_path).votes]
    assert [one.choice for one in votes] == ["a", "b", "equal", "both_bad"]
    assert {one.rater for one in votes} == {"Kim"}
    assert {(one.level_a, one.level_b) for one in votes} == {("Q4_K_M", "BF16"), ("BF16", "Q4_K_M")}


async def test_a_key_that_is_held_down_votes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Host(tmp_path, drawing())
    async with app.run_test() as pilot:
        await begun(app)
        monkeypatch.setattr(vote, "_SETTLES_S", 3600.0)
        await voted(app, pilot, "1")
        await pilot.press("1", "1", "2")
        await pilot.pause()
        assert len(read_votes(app.folder.votes_path).votes) == 1
        assert not app.votes.ready


@pytest.mark.parametrize(("answer", "confirmed"), [("1", True), ("2", False)])
async def test_an_unsafe_answer_is_asked_about_before_it_counts(
    tmp_path: Path, answer: str, confirmed: bool
) -> None:
    app = Host(tmp_path, drawing())
    async with app.run_test(size=(100, 30)) as pilot:
        await begun(app)
        await pilot.press("5", "6", "5")
        await stands(app, "B · ▲ unsafe", "marked as unsafe: B", read=shown)
        await pilot.press("1")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("escape")  # back to the answers: nothing is voted
        await until(lambda: app.screen is app.votes and app.votes.ready)
        assert app.folder.votes() == []
        await pilot.press("1")
        await until(lambda: isinstance(app.screen, ChooseScreen))
        await stands(app, "B. Could a patient come to harm", read=shown)
        await voted(app, pilot, answer)
    (cast,) = app.folder.votes()
    assert (cast.choice, cast.unsafe, cast.confirmed) == ("a", ["b"], confirmed)


async def test_in_a_note_digits_are_digits_and_leaving_loses_neither_note_nor_mark(tmp_path: Path) -> None:
    app = Host(tmp_path, drawing())
    async with app.run_test(size=(80, 24)) as pilot:
        await begun(app)
        await pilot.press("5", "f6")
        await until(lambda: isinstance(app.screen, NoteScreen))
        await pilot.press(*"0.5", "space", "안", "압")
        await until(lambda: app.screen.query_one(TextArea).text == "0.5 안압")
        await pilot.press("escape")
        await stands(app, "note: 0.5 안압", "marked as unsafe: A", read=shown)
        first = pair(app).question
        await pilot.press("escape")
        await until(lambda: app.left)
    assert app.folder.votes() == []
    again = Host(tmp_path, drawing(seed=6))  # another drawing: the mark follows its answer, not its side
    async with again.run_test(size=(80, 24)) as pilot:
        await begun(again)
        while pair(again).question != first:
            await voted(again, pilot, "3")
            await begun(again)
        side = (
            "A" if pair(again).a == next(one for one in drawing().pairs if one.question == first).a else "B"
        )
        await stands(again, "note: 0.5 안압", f"marked as unsafe: {side}", read=shown)
        await pilot.press("4")
        await until(lambda: isinstance(again.screen, ChooseScreen))
        await voted(again, pilot, "1")
    (cast,) = (one for one in again.folder.votes() if one.question_id == first.id)
    assert (cast.note, cast.unsafe) == ("0.5 안압", [side.lower()])
    assert again.folder.drafts() == {}


async def test_the_vote_before_can_be_corrected_until_the_result_is_seen(tmp_path: Path) -> None:
    app = Host(tmp_path, drawing(2))
    async with app.run_test(size=(100, 30)) as pilot:
        await begun(app)
        first = pair(app).question.id
        await voted(app, pilot, "1")
        await begun(app)
        await pilot.press("left")
        await stands(app, "Your vote: A is better.", read=shown)
        await voted(app, pilot, "3")
        await stands(app, "2 of 2", read=shown)  # on to the first without a vote
        await voted(app, pilot, "2")
        await stands(app, "All voted: 2", read=shown)
        await pilot.press("left", "left", "right", "right", "enter")
        await stands(app, "result", "Your votes", read=shown)
        await pilot.press("left", "1")
        await pilot.pause()
        assert app.votes._state == "result"
    assert [(one.question_id == first, one.choice) for one in app.folder.votes()] == [
        (True, "equal"),
        (False, "b"),
    ]
    later = Host(tmp_path, drawing(3))
    async with later.run_test(size=(100, 30)) as pilot:
        await begun(later)
        assert later.votes._at == 2
        await pilot.press("left")
        await stands(later, "You have seen the result, so it stays.", read=shown)
        await pilot.press("1", "5")
        await pilot.pause()
        assert len(read_votes(later.folder.votes_path).votes) == 3
        await pilot.press("right")
        await begun(later)
        await voted(later, pilot, "1")
    assert len(later.folder.votes()) == 3


async def test_each_person_votes_on_all_and_the_end_says_both(tmp_path: Path) -> None:
    for rater in ("Kim", "이"):
        app = Host(tmp_path, drawing(2), rater=rater)
        async with app.run_test(size=(100, 40)) as pilot:
            for _ in range(2):
                await begun(app)
                await voted(app, pilot, "1" if pair(app).a.sha256 == SMALL else "2")
            await pilot.press("enter")
            await stands(app, "2 votes: Q4_K_M better 2", read=shown)
            assert ("all 2 persons" in shown(app)) == (rater == "이")


async def test_letters_of_the_keyboard_in_either_mode_do_nothing(tmp_path: Path) -> None:
    app = Host(tmp_path, drawing())
    async with app.run_test() as pilot:
        await begun(app)
        await pilot.press(*"ㅁㅂㅏ한abAB", "0", "7", "9", "space", "enter")
        await pilot.pause()
        assert app.votes.ready
        assert not app.folder.votes_path.exists()
    assert app.folder.drafts() == {}  # what is begun is kept when the screen is left


@pytest.mark.parametrize("size", SIZES)
async def test_both_answers_scroll_to_their_end_by_keys_and_by_mouse(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = Host(tmp_path, drawing(1, long=60))
    async with app.run_test(size=size) as pilot:
        await begun(app)
        assert "line 59" not in shown(app)
        await pilot.press("end")
        await until(lambda: app.votes._a.scroll_y == app.votes._a.max_scroll_y > 0)
        assert app.votes._b.scroll_y == 0
        await stands(app, pair(app).a.text.splitlines()[-1], read=shown)
        await pilot.press("tab", "end")
        await until(lambda: app.votes._b.scroll_y == app.votes._b.max_scroll_y > 0)
        await stands(app, pair(app).b.text.splitlines()[-1], read=shown)
        app.votes._b.scroll_home(animate=False)
        await until(lambda: app.votes._b.scroll_y == 0)
        wheel = MouseScrollDown(app.votes._b, 1, 1, 0, 1, 0, False, False, False)
        app.votes._b.post_message(wheel)
        await until(lambda: app.votes._b.scroll_y > 0)


async def test_the_raw_key_shows_both_answers_as_they_were_written(tmp_path: Path) -> None:
    drawn = drawing(1)
    one = drawn.pairs[0]
    bold = Drawing(drawn.seed, (Pair(msgspec.structs.replace(one.a, text="**0.5 %** twice"), one.b),), 0, 0)
    app = Host(tmp_path, bold)
    async with app.run_test() as pilot:
        await begun(app)
        await stands(app, "0.5 % twice", without=["**"], read=shown)
        await pilot.press("ctrl+r")
        await stands(app, "**0.5 %** twice", read=shown)


async def test_a_vote_that_cannot_be_kept_is_said_and_asked_for_again(tmp_path: Path) -> None:
    app = Host(tmp_path, drawing(2))
    async with app.run_test(size=(120, 40)) as pilot:
        await begun(app)
        question = pair(app).question
        app.folder.votes_path.mkdir()
        await pilot.press("1")
        await stands(app, "could not be written", "votes.jsonl", read=shown)
        assert pair(app).question == question
        app.folder.votes_path.rmdir()
        await voted(app, pilot, "1")
        await stands(app, "2 of 2", without=["could not be written"], read=shown)


@pytest.mark.parametrize("size", SIZES)
async def test_the_mouse_votes_marks_and_leaves(tmp_path: Path, size: tuple[int, int]) -> None:
    app = Host(tmp_path, drawing(2))
    async with app.run_test(size=size) as pilot:
        await begun(app)
        await click(app, pilot, "4 both bad")
        await until(lambda: [one.choice for one in app.folder.votes()] == ["both_bad"])
        await begun(app)
        await click(app, pilot, "6 B unsafe")
        await stands(app, "marked as unsafe: B", read=shown)
        await click(app, pilot, "Esc leave")
        await until(lambda: app.left)


async def test_another_language_is_spoken_at_once(tmp_path: Path) -> None:
    app = Host(tmp_path, drawing(2))
    async with app.run_test(size=(100, 30)) as pilot:
        await begun(app)
        await pilot.press("5")
        app.texts.switch("ko")
        app.votes.relabel()
        await stands(app, "▲ 위험", "위험 표시: A", "1 A가 나음", without=["unsafe", "better"], read=shown)
