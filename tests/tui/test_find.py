"""Finding words in all talks, and going to the message that was found."""

import threading

import pytest
from histories import replied, talk_of
from kept_talks import TEXTS, open_talk, with_history, with_talks
from piloting import click, lines, shown, stands, until
from textual.widgets import Input

from ophtimus_edge.history.keeping import MOST_HITS, Forgetting, Hit
from ophtimus_edge.history.store import Store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.find import FindScreen


def finding(app: OphtimusApp) -> bool:
    return isinstance(app.screen, FindScreen)


def styles_of(app: OphtimusApp, word: str) -> list[bool]:
    """For each place where a word is drawn by itself, whether it is underlined."""
    strips = app.screen._compositor.render_strips()
    return [
        bool(segment.style and segment.style.underline)
        for strip in strips
        for segment in strip
        if segment.text.strip() == word
    ]


@pytest.mark.parametrize("size", [(100, 30), (60, 20), (20, 5)])
@pytest.mark.parametrize(
    ("words", "title", "answer"),
    [("nerve", "What is glaucoma?", "Damage of the optic"), ("수술", "백내장 수술", "수술 뒤 2주")],
)
async def test_a_word_is_found_and_its_talk_is_opened(
    size: tuple[int, int], words: str, title: str, answer: str
) -> None:
    app, talks = with_talks()
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3")
        await until(lambda: finding(app))
        app.screen.query_one(Input).value = words
        await until(lambda: any(styles_of(app, words)))
        await pilot.press("enter")
        await until(lambda: app.screen is app.chat and bool(app.chat.exchanges))
        assert app.chat.open_talk.talk.title.startswith(title)
        assert app.chat.exchanges[0].answer.startswith(answer)
        assert app.chat.open_talk.talk in talks


async def test_the_arrows_and_the_mouse_choose_among_hits() -> None:
    app, talks = with_talks([("The eye, once", "a"), ("The eye, twice", "b"), ("The eye, thrice", "c")])
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3", "e", "y", "e")
        await until(lambda: "Found: 3" in shown(app))
        order = [talk.title for talk in sorted(talks, key=lambda talk: shown(app).index(talk.title))]
        await pilot.press("down", "down", "up", "enter")
        await until(lambda: app.screen is app.chat)
        await until(lambda: app.chat.open_talk.talk.title == order[1])
        await pilot.press("f3", "e", "y", "e")
        await until(lambda: "Found: 3" in shown(app))
        await click(app, pilot, order[2])
        await until(lambda: app.screen is app.chat and app.chat.open_talk.talk.title == order[2])


async def test_a_message_on_another_branch_is_shown_with_its_branch() -> None:
    history = Forgetting()
    talk = talk_of("What is myopia?", "Near-sightedness.")
    first = talk.path()[0]
    replied(talk, first, "The eye is too long.")  # another answer to it
    replied(talk, talk.ask("And in children?"), "It begins at school.")
    replied(talk, talk.ask("What is hyperopia?", instead_of=first), "Far-sightedness.")
    history.begin(talk)
    app = with_history(history)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_talk(pilot, app, talk)
        assert [one.question for one in app.chat.exchanges] == ["What is hyperopia?"]
        await pilot.press("f3")
        await until(lambda: finding(app))
        app.screen.query_one(Input).value = "sightedness near"
        await until(lambda: "Found: 1" in shown(app))
        await pilot.press("enter")
        await until(lambda: [one.answer for one in app.chat.exchanges][:1] == ["Near-sightedness."])
        await until(lambda: app.chat.exchanges[0].has_focus)
        await pilot.press("f3")
        await until(lambda: finding(app))
        app.screen.query_one(Input).value = "school"
        await until(lambda: "Found: 1" in shown(app))
        await pilot.press("enter")
        await until(lambda: len(app.chat.exchanges) == 2 and app.chat.exchanges[1].has_focus)
        assert [one.answer for one in app.chat.exchanges] == ["The eye is too long.", "It begins at school."]


async def test_what_was_written_and_markup_stay_text_in_the_hits() -> None:
    app, _ = with_talks([("[@click=app.quit]bread[/] \x1b[2J", "[bold]butter[/]")])
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3", "b", "r", "e", "a", "d")
        await stands(app, "Found: 1", "[@click=app.quit]bread[/] [2J")
        assert "\x1b" not in "".join(lines(app))


async def test_it_is_said_what_to_try_where_nothing_is_found() -> None:
    app, _ = with_talks()
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3")
        await until(lambda: "Type one or more words" in shown(app))
        app.screen.query_one(Input).value = "[b]xyzzy"
        await until(lambda: "Nothing holds all of: [b]xyzzy" in shown(app))
        await pilot.press("enter")  # opens nothing
        app.screen.query_one(Input).value = "glaucoma"
        await until(lambda: "Found: 1" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)
        assert not app.chat.exchanges


async def test_an_empty_history_says_so() -> None:
    app = with_history(Forgetting(), "ko")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3")
        await until(lambda: "저장된 대화가 없어" in shown(app))


async def test_pinned_talks_are_marked() -> None:
    app, talks = with_talks()
    talks[0].pinned = True
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3")
        await until(lambda: finding(app))
        app.screen.query_one(Input).value = "what is"
        await stands(
            app,
            "Found: 2",
            "pinned · What is glaucoma?",
            "What is myopia?",
            without=["pinned · What is myopia?"],
        )


class Slow(Forgetting):
    """A history in which one search takes until a test lets it end."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()
        self.began = threading.Event()

    def search(self, words: str, most: int = MOST_HITS) -> list[Hit]:
        found = super().search(words, most)
        if words == "glaucoma":
            self.began.set()
            self.may_end.wait(30)
        return found


async def test_a_search_that_ends_late_does_not_replace_what_was_typed_after_it() -> None:
    history = Slow()
    app, _ = with_talks(history=history)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3")
        await until(lambda: finding(app))
        app.screen.query_one(Input).value = "glaucoma"
        await until(history.began.is_set)
        app.screen.query_one(Input).value = "myopia"
        await until(lambda: "Near-sightedness" not in shown(app) and "What is myopia?" in shown(app))
        history.may_end.set()
        await pilot.pause(0.3)
        assert "What is glaucoma?" not in shown(app)
        assert "Found: 1" in shown(app)


async def test_a_kept_history_is_searched_and_its_talk_is_read_from_the_disk(store: Store) -> None:
    app, talks = with_talks(TEXTS, "ko", store)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.screen is app.chat)
        await pilot.press("f3")
        await until(lambda: finding(app))
        app.screen.query_one(Input).value = "수술"
        await until(lambda: "찾은 질문과 답변: 2개" in shown(app))
        await pilot.press("enter")
        await until(lambda: app.screen is app.chat and bool(app.chat.exchanges))
        assert app.chat.open_talk.talk == talks[1]
