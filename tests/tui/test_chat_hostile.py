"""Whatever a model writes, and whatever happens while it does: no word is lost, and the app stays usable."""

import os
import re
import signal
import unicodedata

import pytest
from piloting import lines, shown, until
from rich.cells import cell_len
from scripted_engine import ScriptedEngine, scripted
from textual.pilot import Pilot

from ophtimus_edge.models import store
from ophtimus_edge.safety.figures import figures
from ophtimus_edge.settings import Settings
from ophtimus_edge.text import sanitize
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.widgets.exchange import Exchange

ESCAPES = "\x1b]52;c;SEVMTE8=\x07 \x1b[2J\x1b[31mred\x1b[0m \u009b6n \x08\x08 \x7f end-of-escapes"
MARKUP = "[@click=app.quit]quit[/] [/foo] [bold red]x[/] [link=https://x]y[/link] [#fff on #000] {} {0} %s $x"
BIDI = "give \u202e\u2066gm 05\u2069\u202c now, \u200f5 mg\u200e \u061cend-of-bidi"
ZERO_WIDTH = "a" + "\u200b" * 3000 + "b" + "\u0301" * 3000 + "c" + "\ufe0f\u200d" * 2000 + "d end-of-flood"
HALVES = "half \ud83d and \udc41, \ufffd, \ufeff, e\u0301, \u1100\u1161 \U000e0041 end-of-halves"
LONG_LINE = "".join(f"word{number}," for number in range(11_000))[:100_000] + " end-of-line"
MARKDOWN = "\n".join(
    [
        "**never closed", "| a | b", "|---", "| 1 | 2 | 3 | 4", "```", "- [ ] x", "> > > > deep", "#" * 40, "*" * 99,
        "[[[[[", "](", "<IOP> <think>21 mmHg</think> &lt;", "| " * 60, "~~~", "1. " * 50, "`" * 31, "end-of-markdown",
    ]
)  # fmt: skip
NESTED = (
    "\n".join("> " * depth + "- " * depth + f"level{depth}" for depth in range(1, 60)) + "\nend-of-nested"
)
TABLE = "|" + "한글 mg|" * 400 + "\n|" + "-|" * 400 + "\n" + ("|" + "0.5|" * 400 + "\n") * 20 + "end-of-table"
FIGURES = "1일 2회 0.5 mg/kg, ½ ≥ 21-22-23 mmHg × " * 1500 + "end-of-figures"
HOSTILE = {
    "escapes": ESCAPES, "markup": MARKUP, "bidi": BIDI, "zero width": ZERO_WIDTH, "halves": HALVES,
    "long line": LONG_LINE, "markdown": MARKDOWN, "nested": NESTED, "table": TABLE, "figures": FIGURES,
}  # fmt: skip
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def pieces(text: str) -> list[str]:
    """A text as a model gives it: a few characters at a time, at most 700 times."""
    size = max(3, -(-len(text) // 700))
    return [text[at : at + size] for at in range(0, len(text), size)]


async def asked(app: OphtimusApp, pilot: Pilot[None], question: str = "What is glaucoma?") -> Exchange:
    """Ask, and wait for the end of the answer."""
    before = len(app.chat.exchanges)
    app.chat.box.text = question
    await pilot.press("enter")
    await until(lambda: len(app.chat.exchanges) == before + 1)
    exchange = app.chat.exchanges[-1]
    await until(lambda: exchange.reply is not None and exchange.reply.finish != "writing", 120)
    return exchange


def drawn(exchange: Exchange) -> str:
    """What the answer's rows show, from the first to the last, also those that are scrolled away."""
    answer = exchange._answer
    rows = [answer.render_line(y).text for y in range(answer.size.height)]
    return "".join(rows)


def letters(text: str) -> str:
    """What must be seen of a text: all but blanks and line ends, and joiners, which no terminal agrees on."""
    return re.sub(r"[\s\u200d]", "", sanitize(text))


@pytest.mark.parametrize("kind", HOSTILE)
async def test_no_word_of_a_hostile_answer_is_lost_and_the_app_stays_usable(kind: str) -> None:
    text = HOSTILE[kind]
    app = OphtimusApp(store.choose(), "en")
    scripted(app, ScriptedEngine(pieces(text), ["A calm answer."]))
    async with app.run_test(size=(100, 40)) as pilot:
        await until(lambda: "ready" in shown(app))
        exchange = await asked(app, pilot)
        assert exchange.answer == text  # what is kept, copied and exported
        await until(lambda: sanitize(text).split()[-1] in shown(app))
        await pilot.press("ctrl+r")
        await until(lambda: letters(drawn(exchange)) == letters(text), 120)
        for line in lines(app):
            assert not FORBIDDEN.search(line)
            assert cell_len(line) == 100
        await pilot.press("ctrl+r", "f9", "ctrl+l", "ctrl+l", "up", "ctrl+c", "down")
        assert app.clipboard == sanitize(text)
        await asked(app, pilot, "And now?")
        await until(lambda: "A calm answer." in shown(app))


@pytest.mark.parametrize("kind", ["escapes", "markup", "bidi", "zero width", "halves", "long line"])
async def test_no_letter_of_a_hostile_question_is_lost(kind: str) -> None:
    text = unicodedata.normalize("NFC", HOSTILE[kind][:5000])
    app = OphtimusApp(store.choose(), "en")
    scripted(app, ScriptedEngine(["A calm answer."]))
    async with app.run_test(size=(100, 40)) as pilot:
        await until(lambda: "ready" in shown(app))
        exchange = await asked(app, pilot, text)
        assert letters(exchange.question) == letters(text)
        await until(lambda: "A calm answer." in shown(app))
        assert not any(FORBIDDEN.search(line) for line in lines(app))
        await pilot.press("up", "f6")
        assert letters(app.chat.box.text) == letters(text)


async def test_a_terminal_of_20_by_5_shows_the_talk_and_takes_questions() -> None:
    app = OphtimusApp(store.choose(), "en")
    scripted(app, ScriptedEngine(["First words. " * 20 + "lastword"], ["second"]))
    async with app.run_test(size=(20, 5)) as pilot:
        await until(lambda: app.chat.serving._conversation is not None)
        await asked(app, pilot)
        await until(lambda: "complete" in shown(app) or "lastword" in shown(app))
        app.chat.box.text = ""
        for letter in "And now?":
            await pilot.press("space" if letter == " " else "question_mark" if letter == "?" else letter)
        await until(lambda: "And now?" in shown(app))  # what is typed is seen
        assert "DEMO" in shown(app)
        exchange = await asked(app, pilot, "And now?")
        assert exchange.answer == "second"
        for key in (
            "f1",
            "escape",
            "f2",
            "f2",
            "f9",
            "f12",
            "escape",
            "ctrl+p",
            "escape",
            "ctrl+t",
            "ctrl+l",
        ):
            await pilot.press(key)
        await until(lambda: app.screen is app.chat)


async def test_a_terminal_that_changes_its_size_while_an_answer_is_written_loses_no_word() -> None:
    app = OphtimusApp(store.choose(), "en")
    words = [f"word{number} " for number in range(400)]
    text = "| eye | dose |\n|---|---|\n| right | 0.5 % |\n\n- " + "".join(words) + "**last** lastword"
    engine = scripted(app, ScriptedEngine(pieces(text)))
    sizes = [(120, 40), (20, 5), (60, 20), (1, 1), (200, 3), (33, 50), (80, 24)]
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: "ready" in shown(app))
        await pilot.press("enter")
        await until(lambda: len(app.chat.exchanges) == 1)
        exchange = app.chat.exchanges[0]
        for size in sizes:
            engine.may_write.clear()
            await pilot.resize_terminal(*size)
            engine.may_write.set()
            await pilot.pause(0.02)
        await until(lambda: exchange.reply is not None and exchange.reply.finish == "stop")
        assert exchange.answer == text
        await until(lambda: "lastword" in shown(app))
        seen = drawn(exchange)
        assert [word for word in words if word.strip() not in seen] == []


async def test_a_worker_that_is_killed_in_mid_answer_leaves_its_words_and_answers_again(
    endless_app: OphtimusApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real worker, and a real SIGKILL behind the first words."""
    app = endless_app
    killed: list[int] = []
    grow = Exchange.grow

    def grown(exchange: Exchange, text: str) -> None:
        grow(exchange, text)
        if len(exchange.answer) > 20 and not killed and (worker := app._engine.process_id):
            killed.append(worker)
            os.kill(worker, signal.SIGKILL)

    async with app.run_test(size=(110, 40)) as pilot:
        await until(lambda: "ready" in shown(app))
        monkeypatch.setattr(Exchange, "grow", grown)
        exchange = await asked(app, pilot)
        assert exchange.reply
        assert exchange.reply.finish == "failed"
        monkeypatch.setattr(Exchange, "grow", grow)
        app.chat.apply(Settings(max_tokens=40))
        words = exchange.answer
        assert len(words) > 20
        await until(
            lambda: (
                "ended unexpectedly" in shown(app) and letters(drawn(exchange)).endswith(letters(words)[-20:])
            )
        )
        await pilot.press("f5")
        await until(lambda: "‹ 2/2 ›" in shown(app) and exchange.reply.finish == "length")  # type: ignore[union-attr]
        await pilot.press("up", "left")
        await until(lambda: "‹ 1/2 ›" in shown(app))
        assert app.chat.exchanges[-1].answer == words


async def test_the_figures_of_an_answer_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take seconds in a hostile answer, and everything that is relabelled writes them again."""
    searched: list[str] = []

    def counted(text: str) -> list[str]:
        searched.append(text)
        return figures(text)

    monkeypatch.setattr("ophtimus_tui.widgets.exchange.figures", counted)
    app = OphtimusApp(store.choose(), "en")
    scripted(app, ScriptedEngine(["250 mg "], ["2 drops"]))
    async with app.run_test(size=(100, 40)) as pilot:
        await until(lambda: "ready" in shown(app))
        await asked(app, pilot)
        await asked(app, pilot, "And now?")
        for _ in range(3):
            await pilot.press("f9", "ctrl+l", "ctrl+k")
        await until(lambda: "확인할 수치: 250 mg" in shown(app) and "확인할 수치: 2 drops" in shown(app))
    assert searched == ["250 mg ", "2 drops"]
