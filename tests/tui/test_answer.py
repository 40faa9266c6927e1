"""The answer on a screen: it grows, follows its width, is selected, and stands what a model may write."""

import random
from collections.abc import Iterable

import pytest
from piloting import lines, until
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from ophtimus_tui.widgets.answer import Answer

KOREAN = """\
## 급성 폐쇄각 녹내장

증상은 **갑자기** 시작된다.
- **안압(IOP)**은 보통 40 mmHg를 넘으며, 각막 부종 때문에 불빛 주위에 무지개가 보일 수 있다
    - dose 2*3*4 mg
3. 즉시 의뢰

| 약물 | 용량 | 횟수 |
|---|---|---|
| Timolol 0.5 % | 1방울 | 1일2회 (아침, 저녁) |

`<IOP>` 와 <IOP>
"""


class Shown(App[None]):
    """An app that shows one answer."""

    def __init__(self, *, raw: bool = False) -> None:
        super().__init__()
        self.answer = Answer(raw=raw)
        self.grown = 0

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.answer

    def on_answer_grew(self, grew: Answer.Grew) -> None:
        assert grew.answer is self.answer
        self.grown += 1


def rows(app: App[None]) -> list[str]:
    """The screen's rows, without the blanks at their ends and the empty rows below."""
    return "\n".join(line.rstrip() for line in lines(app)).rstrip().split("\n")


def on_screen(app: App[None]) -> str:
    return "\n".join(rows(app))


async def show(app: Shown, chunks: Iterable[str]) -> None:
    for chunk in chunks:
        app.answer.add(chunk)
    app.answer.finish()


async def test_the_open_line_is_plain_and_a_finished_one_is_read() -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)):
        app.answer.add("- **안압** 상승\n- **시야")
        await until(lambda: rows(app) == ["• 안압 상승", "- **시야"])
        app.answer.add("** 결손")
        await until(lambda: rows(app) == ["• 안압 상승", "- **시야** 결손"])
        app.answer.finish()
        await until(lambda: rows(app) == ["• 안압 상승", "• 시야 결손"])
        assert app.answer.text == "- **안압** 상승\n- **시야** 결손"


async def test_a_table_is_plain_until_it_ends() -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)):
        app.answer.add("|a|b|\n|-|-|\n|1|2|\n")
        await until(lambda: rows(app) == ["|a|b|", "|-|-|", "|1|2|"])
        app.answer.add("\nend")
        await until(lambda: rows(app) == ["a │ b", "──┼──", "1 │ 2", "", "end"])


async def test_what_comes_before_the_widget_is_shown_is_kept() -> None:
    app = Shown()
    app.answer.add("**before**\n")
    async with app.run_test(size=(60, 20)):
        await until(lambda: rows(app) == ["before"])


async def test_what_comes_after_the_end_goes_on_where_it_ended() -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)):
        await show(app, ["one **t"])
        await until(lambda: rows(app) == ["one **t"])
        app.answer.add("wo** three")
        app.answer.finish()
        await until(lambda: rows(app) == ["one two three"])


@pytest.mark.parametrize("seed", range(4))
async def test_any_split_ends_with_the_same_screen(seed: int) -> None:
    draw = random.Random(seed)
    cuts = sorted(draw.sample(range(len(KOREAN)), 30))
    chunks = [KOREAN[one:other] for one, other in zip([0, *cuts], [*cuts, len(KOREAN)], strict=True)]
    whole, split = Shown(), Shown()
    async with whole.run_test(size=(60, 40)):
        await show(whole, [KOREAN])
        await until(lambda: "<IOP> 와 <IOP>" in on_screen(whole))
        expected = rows(whole)
    async with split.run_test(size=(60, 40)) as pilot:
        for chunk in chunks:
            split.answer.add(chunk)
            await pilot.pause(draw.choice((0, 0, 0.05)))
        split.answer.finish()
        await until(lambda: rows(split) == expected)
    assert split.answer.text == KOREAN


async def test_korean_at_sixty_columns_and_a_table_that_follows_the_width() -> None:
    app = Shown()
    async with app.run_test(size=(60, 40)) as pilot:
        await show(app, [KOREAN])
        await until(lambda: "Timolol 0.5 % │ 1방울 │ 1일2회 (아침, 저녁)" in on_screen(app))
        assert rows(app)[:8] == [
            "급성 폐쇄각 녹내장",
            "",
            "증상은 갑자기 시작된다.",
            "• 안압(IOP)은 보통 40 mmHg를 넘으며, 각막 부종 때문에 불빛",
            "  주위에 무지개가 보일 수 있다",
            "    • dose 2*3*4 mg",
            "3. 즉시 의뢰",
            "",
        ]
        await pilot.resize_terminal(34, 40)
        await until(lambda: "횟수: 1일2회 (아침, 저녁)" in rows(app))
        assert "약물: Timolol 0.5 %" in rows(app)
        await pilot.resize_terminal(60, 40)
        await until(lambda: "Timolol 0.5 % │ 1방울 │ 1일2회 (아침, 저녁)" in on_screen(app))


async def test_raw_shows_the_source_also_while_it_grows() -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)):
        app.answer.add("# a\n\n\n**b**\n| x")
        await until(lambda: rows(app) == ["a", "", "b", "| x"])
        app.answer.raw = True
        await until(lambda: rows(app) == ["# a", "", "", "**b**", "| x"])
        app.answer.add(" |\n*c*\n**d**")
        await until(lambda: rows(app)[4:] == ["| x |", "*c*", "**d**"])
        app.answer.raw = False
        app.answer.finish()
        await until(lambda: rows(app) == ["a", "", "b", "| x |", "c", "d"])


async def test_raw_from_the_beginning() -> None:
    app = Shown(raw=True)
    async with app.run_test(size=(60, 20)):
        await show(app, ["**a**\n- b"])
        await until(lambda: rows(app) == ["**a**", "- b"])


async def test_it_says_when_it_grew_and_only_then() -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)) as pilot:
        app.answer.add("one\ntwo")
        await until(lambda: app.grown == 1)
        assert rows(app) == ["one", "two"]
        app.answer.add(" more")
        await until(lambda: rows(app) == ["one", "two more"])
        await pilot.pause()
        assert app.grown == 1


async def test_no_markup_and_no_control_character_reaches_the_terminal() -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)) as pilot:
        await show(app, ["[@click=app.quit]x[/] [red]y\n", "\x1b]52;c;aGk=\x07 a\x9bb\u202ec\ud800d"])
        await until(lambda: rows(app) == ["[@click=app.quit]x[/] [red]y", "]52;c;aGk= abcd"])
        await pilot.click(Answer, offset=(18, 0))
        await pilot.pause()
        assert app.is_running
        assert "\x1b]52" in app.answer.text


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("e" + "\u0301" * 10_000 + " end", "end"),
        ("\u200b\u200d\ufe0f" * 5_000 + "end", "end"),
        ("word " * 20_000 + "end", "end"),
        ("x" * 100_000 + "end", "end"),
        ("가" * 100_000 + "end", "end"),
        ("**a " * 25_000 + "end", "end"),
        ("*a **b `c " * 10_000 + "end", "end"),
        ("`" * 50_000 + " `` " * 10_000 + "end", "end"),
        (">" * 2_000 + " end", "end"),
        ("\n".join(" " * depth + "- item" for depth in range(2_000)) + "\n- end", "end"),
        ("- " * 2_000 + "end", "end"),
        ("[" * 5_000 + "end", "end"),
        ("|" * 20_000 + "\n" + "|-" * 20_000 + "\n|x|\n" + "end", "end"),
        ("|" + "h" * 5_000 + "|\n|-|\n" + "|a\n" * 5_000 + "end", "end"),
        ("|a|\n|-|\n" + "|**b**|c|\n" * 2_000 + "end", "end"),
        ("```\n" * 5_001 + "end", "end"),
        ("\n" * 50_000 + "end", "end"),
        ("\ufffd" * 1_000 + "end", "end"),
    ],
    ids=lambda value: None if value == "end" else repr(value[:12]),
)
async def test_what_a_broken_model_may_write_is_shown_to_its_end(text: str, end: str) -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)):
        third = len(text) // 3
        for chunk in (text[:third], text[third : 2 * third], text[2 * third :]):
            app.answer.add(chunk)
            await until(lambda: not app.answer._unread)
        app.answer.finish()

        def at_the_end() -> bool:
            app.query_one(VerticalScroll).scroll_end(animate=False)
            return rows(app)[-1].endswith(end)

        await until(at_the_end)
        app.answer.raw = True
        await until(lambda: app.answer.raw and at_the_end())


async def test_selecting_with_the_mouse_gives_the_lines_of_the_answer() -> None:
    app = Shown()
    async with app.run_test(size=(30, 20)) as pilot:
        await show(app, ["첫 줄\n- **안압**은 보통 사십을 넘으며 각막이 붓는다\n끝"])
        await until(lambda: rows(app)[-1] == "끝")
        assert rows(app)[1:3] == ["• 안압은 보통 사십을 넘으며", "  각막이 붓는다"]
        await pilot.mouse_down(Answer, offset=(2, 1))
        await pilot.hover(Answer, offset=(6, 2))
        await pilot.mouse_up(Answer, offset=(6, 2))
        assert app.screen.get_selected_text() == "안압은 보통 사십을 넘으며 각막이"
        strip = app.answer.render_line(1)
        selected = app.screen.get_component_rich_style("screen--selection").bgcolor
        assert [segment.text for segment in strip if segment.style and segment.style.bgcolor == selected] == [
            "안압",
            "은 보통 사십을 넘으며 ",
        ]


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
async def test_colours_are_the_theme_s(theme: str) -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)) as pilot:
        await show(app, ["plain\n# title\n- item `code`\n"])
        await until(lambda: "• item code" in on_screen(app))
        app.theme = theme
        await pilot.pause()
        for y in range(len(rows(app))):
            for segment in app.answer.render_line(y):
                assert segment.style is not None
                assert segment.style.color is not None
                assert segment.style.bgcolor is not None
                if segment.text.strip():
                    assert contrast(segment.style.color.triplet, segment.style.bgcolor.triplet) >= 3


def contrast(one: tuple[int, int, int] | None, other: tuple[int, int, int] | None) -> float:
    """The contrast ratio of two colours (WCAG 2.2, "contrast ratio")."""

    def luminance(colour: tuple[int, int, int] | None) -> float:
        assert colour is not None
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in (value / 255 for value in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
