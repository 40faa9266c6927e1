"""What the answer's Markdown shows: nothing that matters to a patient is hidden or changed."""

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ophtimus_tui.widgets.markdown_blocks import Block, MarkdownBlocks
from ophtimus_tui.widgets.markdown_inline import read_inline
from ophtimus_tui.widgets.markdown_lines import Page

WIDE = 1000


def page_of(text: str, width: int = WIDE) -> Page:
    splitter = MarkdownBlocks()
    page = Page(width)
    page.close(splitter.feed(text) + splitter.close())
    return page


def rows_of(text: str, width: int = WIDE) -> list[str]:
    page = page_of(text, width)
    return [page.lines[row.line].text[row.start : row.end].rstrip() for row in page.rows]


def styles_in(text: str) -> dict[str, str]:
    """What is styled, and how."""
    return {
        line.text[run.start : run.end]: " ".join(run.names)
        for line in page_of(text).lines
        for run in line.runs
        if "marker" not in run.names
    }


@pytest.mark.parametrize(
    "text",
    [
        "IOP <IOP> was 21",
        "<think>no</think> <b>bold</b> a<br>b <!-- note -->",
        "&lt; &amp; &#42; &nbsp;",
        "2*3*4 mg, 2 * 3 * 4, 2*(3+4)*5, 2 *3* 4, 2 *a*b",
        "길이*폭*높이 = 부피",
        "2**3**4 and 10**6, a**b**c, 0.**5**, **1**2",
        "a_b_c _x_ __y__ 이름: ____",
        "~~5 mg~~ 10~21 mmHg",
        r"a \* b \_ c \[x\] \( y \) C:\eyes\\",
        "[text](https://example.org/a_b?c=1) <https://example.org> www.example.org",
        "![fundus](fundus.png)",
        "a footnote[^1]",
        "[^1]: its text",
        "[1]: https://example.org",
        "> 21 mmHg is high",
        ">> a > b",
        "+ 2.50 D",
        "- 5.00 D",
        "- .25 D",
        "* 3 mg",
        "3. three",
        "1) one",
        "1985. The year",
        "#hash and # alone",
        "#",
        "-",
        "a | b",
        "====",
        "______",
        "    x = **not bold** `y` - 1",
        "       - [deep](code)",
        "[@click=app.quit]x[/] [/foo] [bold]",
        "** not bold ** * nor this *",
        "**unclosed and *this",
        "`unclosed",
        "a\\",
        "*p < 0.05",
        "유의* 수준*",
        "****",
        "* * *",
    ],
)
def test_what_is_no_markdown_here_stays_as_it_is_written(text: str) -> None:
    assert rows_of(text) == [text]


@pytest.mark.parametrize(
    ("text", "shown", "styles"),
    [
        ("**녹내장(glaucoma)**은 병이다", "녹내장(glaucoma)은 병이다", {"녹내장(glaucoma)": "strong"}),
        ('환자는 **"안압"**을 잰다', '환자는 "안압"을 잰다', {'"안압"': "strong"}),
        ("환자의**안압**은", "환자의안압은", {"안압": "strong"}),
        ("**IOP** rises", "IOP rises", {"IOP": "strong"}),
        ("give **1.5**mg **twice**.", "give 1.5mg twice.", {"1.5": "strong", "twice": "strong"}),
        ("**10 × 2*3*4 mg**", "10 × 2*3*4 mg", {"10 × 2*3*4 mg": "strong"}),
        (
            "*Staphylococcus aureus*, then",
            "Staphylococcus aureus, then",
            {"Staphylococcus aureus": "emphasis"},
        ),
        ("(*S. aureus*)와", "(S. aureus)와", {"S. aureus": "emphasis"}),
        ("***both***", "both", {"both": "strong emphasis"}),
        ("**a *b* c**", "a b c", {"a ": "strong", "b": "strong emphasis", " c": "strong"}),
        ("`a*b*c` and ``x ` y``", "a*b*c and x ` y", {"a*b*c": "code", "x ` y": "code"}),
        ("**`1 mg`**", "1 mg", {"1 mg": "strong code"}),
        ("**a *b** c", "a *b c", {"a *b": "strong"}),
        ("## 2. 증상", "2. 증상", {"2. 증상": "title"}),
        ("### a **b**", "a b", {"a ": "heading", "b": "heading strong"}),
    ],
)
def test_what_is_markdown_is_read(text: str, shown: str, styles: dict[str, str]) -> None:
    assert rows_of(text) == [shown]
    assert styles_in(text) == styles


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\n\n\nc\n", ["a", "b", "", "c"]),
        ("a line\n---\nb\n===", ["a line", "─" * WIDE, "b", "==="]),
        ("3. c\n3. c\n1. a", ["3. c", "3. c", "1. a"]),
        ("- a\n  - b\n    - c\n* d", ["• a", "  • b", "    • c", "• d"]),
        ("- a\n\n    more **b**", ["• a", "", "    more b"]),
        ("a\n# b", ["a", "", "b"]),
        ("```python\nx = 2 ** 3\n\n  **y**\n```\n**z**", ["python", "x = 2 ** 3", "", "  **y**", "z"]),
        ("```\nnever closed **x**", ["never closed **x**"]),
        ("~~~\n```\n~~~", ["```"]),
        ("[1]: http://a\ntext", ["[1]: http://a", "text"]),
        ("|a|b|\nno table", ["|a|b|", "no table"]),
        ("a | b\n---", ["a | b", "─" * WIDE]),
        ("|a|\n|-|\n|b|c|", ["a │", "──┼──", "b │ c"]),
        ("a|b\n-|-\n\\||c", ["a  │ b", "───┼──", "\\| │ c"]),
        ("|a|b|\n|:-:|-:|\n|ccc|ddd|\nafter", [" a  │   b", "────┼────", "ccc │ ddd", "after"]),
    ],
)
def test_lines_together(text: str, shown: list[str]) -> None:
    assert rows_of(text) == shown


TABLE = """\
| 약물 | 용량 | 횟수 | 주의 |
|---|---|---|---|
| Latanoprost 0.005 % | 1방울 | 1일1회 취침 전 | 홍채 **색소** 침착 |
| Timolol 0.5 % | 1방울 | 1일2회 | 천식 환자 금기 |
"""


def test_a_table_stands_in_columns_where_it_fits() -> None:
    rows = rows_of(TABLE, 80)
    assert len(rows) == 4
    assert "Timolol 0.5 %       │ 1방울 │ 1일2회         │ 천식 환자 금기" in rows


def test_a_table_that_does_not_fit_is_a_line_for_each_cell() -> None:
    assert rows_of(TABLE, 40) == [
        "약물: Latanoprost 0.005 %",
        "용량: 1방울",
        "횟수: 1일1회 취침 전",
        "주의: 홍채 색소 침착",
        "",
        "약물: Timolol 0.5 %",
        "용량: 1방울",
        "횟수: 1일2회",
        "주의: 천식 환자 금기",
    ]


def test_cells_beyond_the_header_and_missing_ones_are_kept_apart() -> None:
    text = "|drug|dose|\n|-|-|\n|timolol|1 drop|twice a day|\n|latanoprost|\n"
    wide = rows_of(text, 60)
    assert [row.split(" │ ")[-1] for row in wide][2] == "twice a day"
    assert rows_of(text, 20) == ["drug: timolol", "dose: 1 drop", "twice a day", "", "drug: latanoprost"]


@pytest.mark.parametrize("width", [12, 20, 60])
def test_rows_are_never_wider_than_the_page(width: int) -> None:

    text = (
        TABLE
        + "- 녹내장은시신경이손상되는질환으로안압이높을때생긴다 glaucomaglaucomaglaucoma\n    - **시야** 결손\n"
    )
    assert all(cell_len(row) <= width for row in rows_of(text, width))


def test_wrapped_rows_of_an_item_stand_under_its_text() -> None:
    text = "  - 안압이 높아지면 시신경이 손상된다"
    assert {line.hang for line in page_of(text, 22).lines} == {4}
    assert rows_of(text, 22) == ["  • 안압이 높아지면", "시신경이 손상된다"]


def test_a_deep_item_keeps_half_the_page_for_its_text() -> None:
    rows = rows_of("- a\n" + " " * 60 + "- deep", 40)
    assert rows == ["• a", " " * 20 + "• deep"]


CONSUMED = set("*#`~|-:")
"""The signs of which some may go; ``markdown_blocks`` says which."""
DRAWN = str.maketrans("", "", "•─┼│")
"""The signs that the page itself draws."""

pieces = st.one_of(
    st.sampled_from(
        [
            "**", "*", "***", "`", "```", "~~~", "\n", "\n\n", "# ", "### ", "- ", "* ", "+ ", "1. ", "12) ",
            "    ", "  ", "|", "\n|-|-|\n", "|---|", "---", "***", "===", "> ", "\\", "_", "~~", "[1]: http://x",
            "![a](b)", "<IOP>", "</think>", "&lt;", "안압", "녹내장(glaucoma)", "은", "0.5", "mg", "2", "x", ".", ",",
        ]
    ),
    st.text(alphabet="ab 12가나*_`|-#>~:\n.()[]\\", max_size=6),
    st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="•─┼│"), max_size=4),
)  # fmt: skip
documents = st.lists(pieces, max_size=40).map("".join)


def solid(text: str) -> str:
    return "".join(text.split())


def gone(text: str, width: int) -> Counter[str]:
    """The signs of a text that its page does not show."""
    return Counter(solid(text)) - Counter(solid("".join(rows_of(text, width))))


def assert_in_order(part: str, whole: str) -> None:
    rest = iter(whole)
    assert all(char in rest for char in part)


@settings(max_examples=600, deadline=None)
@example("- - - a")
@example("|a|\n|-|\n|b|")
@example("**a**b**c**")
@given(documents)
def test_nothing_but_the_consumed_signs_goes_and_the_order_stays(text: str) -> None:
    assert set(gone(text, 10_000)) <= CONSUMED
    assert_in_order(solid("".join(rows_of(text, 10_000)).translate(DRAWN)), solid(text))


@settings(max_examples=300, deadline=None)
@given(documents, st.integers(4, 60))
def test_nothing_goes_on_a_narrow_page(text: str, width: int) -> None:
    assert set(gone(text, width)) <= CONSUMED


@settings(max_examples=300, deadline=None)
@given(documents, st.lists(st.integers(0, 200), max_size=8), st.integers(4, 60))
def test_any_split_of_a_text_gives_the_same_page(text: str, cuts: list[int], width: int) -> None:
    splitter, page = MarkdownBlocks(), Page(width)
    at = 0
    blocks: list[Block] = []
    for cut in [*sorted(min(cut, len(text)) for cut in cuts), len(text)]:
        new = splitter.feed(text[at:cut])
        blocks += new
        if new:
            page.close(new)
        page.open(splitter.tail)
        at = cut
        # The open tail is plain: what is wrapped bit by bit is wrapped as if it were new.
        fresh = Page(width)
        fresh.close(blocks)
        fresh.open(splitter.tail)
        assert page.lines == fresh.lines
        assert page.rows == fresh.rows
    page.close(splitter.close())
    page.open(splitter.tail)
    whole = page_of(text, width)
    assert page.lines == whole.lines
    assert page.rows == whole.rows


@given(documents)
def test_a_mark_inside_a_line_goes_with_its_partner_only(text: str) -> None:
    line = text.replace("\n", " ")
    shown = read_inline(line)
    lost = Counter(line) - Counter(shown.text)
    assert set(lost) <= {"*", "`"}
    assert all(count % 2 == 0 for count in lost.values())
    assert [run.start for run in shown.runs] == sorted(run.start for run in shown.runs)
    assert all(0 <= run.start < run.end <= len(shown.text) for run in shown.runs)
